"""The report as a single HTML file, pictures inside: for sending around."""

import base64
import re
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
h1, h2, h3 { line-height: 1.2; margin-top: 2em; }
h1 { margin-top: 0; }
img { max-width: 100%; }
table { border-collapse: collapse; font-size: 0.85em; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #ddd; padding: 0.3em 0.7em; text-align: left;
         vertical-align: top; font-variant-numeric: tabular-nums; }
thead th { border-bottom: 2px solid #888; }
details { margin: 1em 0; }
summary { cursor: pointer; color: #0072b2; }
a { color: #0072b2; }
"""


def page(markdown: str, folder: Path) -> str:
    """Return Markdown as one HTML page that needs no other file.

    Pictures of ``folder`` become part of the page; links to other files of the project, which
    would lead nowhere, become plain text. Headings get the anchors that GitHub gives them.
    """
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = reader.parse(markdown)
    title = ""
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = tokens[place + 1].content
            title = title or text
            token.attrSet("id", anchor(text))
        for child in token.children or ():
            if child.type == "image":
                picture = (folder / str(child.attrGet("src"))).read_bytes()
                child.attrSet("src", "data:image/png;base64," + base64.b64encode(picture).decode())
        if token.children:
            token.children = _without_links_to_files(token.children)
    body = reader.renderer.render(tokens, reader.options, {})
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n"
        "</html>\n"
    )


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _without_links_to_files(tokens: list[Token]) -> list[Token]:
    kept = []
    dropping = False
    for token in tokens:
        if token.type == "link_open" and not str(token.attrGet("href")).startswith("#"):
            dropping = True
        elif token.type == "link_close" and dropping:
            dropping = False
        else:
            kept.append(token)
    return kept
