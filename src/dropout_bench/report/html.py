"""The report as a single HTML file, pictures inside: for reading, and for sending around.

All that is said stands in the HTML; ``page.css`` gives it its looks and ``page.js`` its comforts.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("dropout_bench.report", "."),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class Heading(NamedTuple):
    """A heading of a page: its level from 1 to 6, its words, and the id to link to it."""

    level: int
    text: str
    id: str


_NOT_OURS = re.compile(
    r"<(?!/?(?:details|summary|strong|a|br)>|(?:details|a) id=\"[\w.-]+\">)", re.ASCII
)
"""What begins a tag that our templates do not write: it came with words of a YAML file."""


def page(markdown: str, folder: Path) -> str:
    """Return Markdown as one HTML page that needs no other file.

    PNG pictures of ``folder`` become part of the page; links to other files of the project, which
    would lead nowhere, become plain text. Headings get the anchors that GitHub gives them. Cells
    of a column ``verdict`` begin with their verdict in bold: it becomes a badge there, and
    wherever an item of a list begins with it or the summary of a fold ends with it. Of HTML in the
    Markdown only the tags of our templates stay tags: folds and anchors.

    Raises:
        OSError: a picture cannot be read.
    """
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = reader.parse(markdown)
    for token in tokens:
        for one in (token, *(token.children or ())):
            if one.type in {"html_block", "html_inline"}:
                one.content = _NOT_OURS.sub("&lt;", one.content)
    headings = _headings(tokens)
    _mark_verdicts(tokens)
    tokens = list(_framed_tables(_framed_pictures(tokens)))
    for token in tokens:
        if token.children:
            token.children = _without_links_to_files(token.children)
            for child in token.children:
                if child.type == "image":
                    _embed(child, folder)
    return _TEMPLATES.get_template("page.html.jinja").render(
        title=next((heading.text for heading in headings if heading.level == 1), ""),
        contents=[heading for heading in headings if heading.level in (2, 3)],
        body=reader.renderer.render(tokens, reader.options, {}),
    )


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _plain(inline: Token) -> str:
    """Return the words of inline Markdown, without its marks."""
    spaces = {"softbreak", "hardbreak"}
    those = inline.children or ()
    return "".join(
        " " if child.type in spaces else child.content
        for child in those
        if child.type in {"text", "code_inline", *spaces}
    ).strip()


def _headings(tokens: Sequence[Token]) -> list[Heading]:
    """Give each heading an id of its own, and list them."""
    headings = []
    seen: Counter[str] = Counter()
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = _plain(tokens[place + 1])
            name = anchor(text)
            unique = f"{name}-{seen[name]}" if seen[name] else name
            seen[name] += 1
            token.attrSet("id", unique)
            headings.append(Heading(int(token.tag[1:]), text, unique))
    return headings


def _mark_verdicts(tokens: Sequence[Token]) -> None:
    """Name verdicts in ``data-verdict``; tables say which words are verdicts, lists use them."""
    verdicts = set()
    columns: list[str] = []
    column = 0
    for place, token in enumerate(tokens):
        if token.type == "thead_open":
            columns = []
        elif token.type == "th_open":
            columns.append(_plain(tokens[place + 1]).lower())
        elif token.type == "tr_open":
            column = 0
        elif token.type == "td_open":
            if columns[column] == "verdict":
                verdicts.add(_mark_first(tokens[place + 1]))
            column += 1
    for place, token in enumerate(tokens):
        if token.type == "list_item_open" and tokens[place + 2].type == "inline":
            _mark_first(tokens[place + 2], verdicts - {""})
        elif token.type == "html_block":
            for verdict in sorted(verdicts - {""}):
                end = f">{escape(verdict)}</strong></summary>"
                badge = f'<strong data-verdict="{escape(verdict)}"{end}'
                token.content = token.content.replace(f"<strong{end}", badge)


def _mark_first(inline: Token, among: set[str] | None = None) -> str:
    """Name the verdict that a text begins with, in bold or italics, and return it; "" if none."""
    children = [child for child in inline.children or () if child.content or child.nesting]
    if len(children) < 2 or children[0].type not in {"strong_open", "em_open"}:
        return ""
    verdict = children[1].content.lower()
    if among is not None and verdict not in among:
        return ""
    children[0].attrSet("data-verdict", verdict)
    return verdict


def _framed_pictures(tokens: list[Token]) -> list[Token]:
    """Make a paragraph that is a picture a figure, and one in italics after it its caption."""
    framed: list[Token] = []
    for token in tokens:
        framed.append(token)
        if [each.type for each in framed[-3:]] != ["paragraph_open", "inline", "paragraph_close"]:
            continue
        children = framed[-2].children or []
        if [child.type for child in children] == ["image"]:
            framed[-3].tag = framed[-1].tag = "figure"
        follows = [each.tag for each in framed[-6:-3]] == ["figure", "", "figure"]
        if follows and _is_italic(children):
            framed[-3].tag = framed[-1].tag = "figcaption"
            framed[-2].children = [child for child in children if child.level or not child.nesting]
            framed.append(framed.pop(-4))
    return framed


def _is_italic(children: Sequence[Token]) -> bool:
    outer = [child for child in children if child.level == 0 and (child.nesting or child.content)]
    return [child.type for child in outer] == ["em_open", "em_close"]


def _framed_tables(tokens: Sequence[Token]) -> Iterator[Token]:
    """Put each table in a frame that it scrolls in; the first cell of a row is its header."""
    first = False
    for place, token in enumerate(tokens):
        if token.type == "table_open":
            yield Token("frame_open", "div", 1, attrs={"class": "table"}, block=True)
        elif token.type == "th_open":
            _make(tokens, place, "col" if tokens[place + 1].content else "")
        elif token.type == "tr_open":
            first = True
        elif token.type == "td_open" and first:
            _make(tokens, place, "row" if tokens[place + 1].content else "")
            first = False
        yield token
        if token.type == "table_close":
            yield Token("frame_close", "div", -1, block=True)


def _make(tokens: Sequence[Token], place: int, scope: str) -> None:
    """Make a cell the header of its column or row, or of nothing."""
    cell, _, end = tokens[place : place + 3]
    cell.tag = end.tag = "th" if scope else "td"
    if scope:
        cell.attrSet("scope", scope)


def _embed(image: Token, folder: Path) -> None:
    """Put a picture into the page, at four of its pixels to three of the page: a column's width."""
    picture = (folder / str(image.attrGet("src"))).read_bytes()
    image.attrSet("src", "data:image/png;base64," + base64.b64encode(picture).decode())
    width, height = (int.from_bytes(picture[at : at + 4]) * 3 // 4 for at in (16, 20))
    image.attrSet("width", str(width))
    image.attrSet("height", str(height))


def _without_links_to_files(tokens: list[Token]) -> list[Token]:
    kept = []
    dropping = False
    for token in tokens:
        leads = str(token.attrGet("href")).startswith(("#", "https://", "http://"))
        if token.type == "link_open" and not leads:
            dropping = True
        elif token.type == "link_close" and dropping:
            dropping = False
        else:
            kept.append(token)
    return kept
