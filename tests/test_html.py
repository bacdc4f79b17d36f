"""The report as one HTML page: what leads where, what is labelled, and that it stands alone."""

import base64
import itertools
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from dropout_bench.catalogue.source import PACKAGE
from dropout_bench.report.html import anchor, page
from dropout_bench.stages import LAYOUT

VOID = {"meta", "link", "img", "br", "hr", "input"}
VERDICTS = ["supported", "contradicted", "no relevant difference", "open"]
ROWS = "\n".join(
    f'| <a id="claim-{number}"></a>Claim {number} | **{verdict}**{": too few" * (number % 8 == 3)} '
    f"| {(-1) ** number * number / 10:+.2f} ({number - 9} to {number}) points "
    f"| {'–' if number == 4 else f'{1234 * number:,}'} |"
    for number, verdict in zip(range(16), itertools.cycle(VERDICTS), strict=False)
)
MARKDOWN = f"""# On *this* & `that`

**First of all.** See [the ledger](#the-ledger), [one in a fold](#deep), [a file](x.csv),
[a folder](results/), and [a paper](https://example.org/paper?a=1&b=2).

- **Supported**: [claim 0](#claim-0).
- *No relevant difference*: “[claim 2](#claim-2)”.
- **Nothing of the kind**: [claim 3](#claim-3).
- plain

![A picture of *this*](figures/a.png)

*What the **picture** shows.*

*Said of nothing.*

## The ledger

| claim | verdict | effect | seeds |
|---|---|---|---|
{ROWS}

## Once & again

<details id="fold"><summary>Deep <strong>things</strong> <strong>open</strong></summary>

| set-up | |
|---|---|
| <a id="deep"></a>this | **open** |

</details>

### A part

## Once & again
"""


class Element:
    def __init__(self, tag: str, attributes: dict[str, str], parent: "Element | None") -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.inside: list[Element] = []
        self.text = ""

    def all(self, *tags: str) -> "list[Element]":
        """List what is within, in order, all of it or by tag."""
        within = [each for one in self.inside for each in (one, *one.all())]
        return [each for each in within if not tags or each.tag in tags]

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute]


class Tree(HTMLParser):
    """Reads a page, and fails where an element is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = self.at = Element("", {}, None)
        self.feed(text)
        self.close()
        assert self.at is self.root, f"{self.at.tag} is left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.inside.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.at.tag, f"</{tag}> within {self.at.tag}"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        over: Element | None = self.at
        while over is not None:
            over.text += data
            over = over.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture; not to be changed."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "figures").mkdir()
    Image.new("P", (40, 30)).save(folder / "figures" / "a.png")
    return folder


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return page(MARKDOWN, folder)


@pytest.fixture(scope="module")
def root(text: str) -> Element:
    return Tree(text).root


def test_bytes_repeat(text: str, folder: Path) -> None:
    assert page(MARKDOWN, folder) == text


def test_the_page_names_itself_and_its_parts(root: Element) -> None:
    (whole,) = root.all("html")
    assert whole["lang"] == "en"
    assert root.all("title")[0].text == root.all("h1")[0].text == "On this & that"
    assert len(root.all("main")) == len(root.all("header")) == len(root.all("h1")) == 1
    assert root.all("nav")[0]["aria-label"] == "Contents"
    assert root.all("a")[0]["href"] == f"#{root.all('main')[0]['id']}", (
        "first of all, past the list"
    )
    assert all(button.text for button in root.all("button"))


def test_every_link_leads_somewhere(root: Element) -> None:
    ids = Counter(each["id"] for each in root.all() if "id" in each.attributes)
    assert set(ids.values()) == {1}
    links = [link["href"] for link in root.all("a") if "href" in link.attributes]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    away = [link for link in links if not link.startswith("#")]
    assert away == ["https://example.org/paper?a=1&b=2"]
    assert "a file" in root.text, "a link to a file is kept as text"


def test_contents_list_the_headings_in_order(root: Element) -> None:
    links = root.all("nav")[0].all("a")
    assert [link.text for link in links] == [
        "The ledger", "Once & again", "A part", "Once & again",
    ]  # fmt: skip
    assert [link["href"][1:] for link in links] == [each["id"] for each in root.all("h2", "h3")]
    assert links[1]["href"] == "#once--again"
    assert links[3]["href"] == "#once--again-1"


def test_nothing_is_loaded_from_elsewhere(root: Element, text: str) -> None:
    for element in root.all():
        assert not {"srcset", "srcdoc", "data", "action", "poster"} & set(element.attributes)
        sources = [element[name] for name in ("src", "href") if name in element.attributes]
        if element.tag != "a":
            assert all(source.startswith("data:") for source in sources)
    for style in root.all("style"):
        assert not re.search(r"@import|url\(", style.text)
    for script in root.all("script"):
        assert not re.search(r"fetch|XMLHttp|import\b|WebSocket|sendBeacon|//\w", script.text)
    (policy,) = [m for m in root.all("meta") if "http-equiv" in m.attributes]
    allowed = dict(part.split(maxsplit=1) for part in policy["content"].split("; "))
    assert allowed.pop("default-src") == "'none'"
    assert set(allowed.values()) == {"data:", "'unsafe-inline'"}
    assert text.count("http") == 2, "the policy and the paper"


def test_a_picture_is_within_the_page_and_has_its_caption(root: Element, folder: Path) -> None:
    (figure,) = root.all("figure")
    picture, caption = figure.inside
    kind, _, content = picture["src"].partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == (folder / "figures" / "a.png").read_bytes()
    assert picture["alt"] == "A picture of this"
    assert (picture["width"], picture["height"]) == ("30", "22")
    assert (caption.tag, caption.text) == ("figcaption", "What the picture shows.")
    assert "Said of nothing." in [each.text for each in root.all("p")]


def test_a_picture_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"gone\.png"):
        page("![gone](gone.png)", tmp_path)


def test_tables_scroll_by_themselves_and_their_headers_say_of_what(root: Element) -> None:
    tables = root.all("table")
    assert len(tables) == 2
    for table in tables:
        assert table.parent is not None
        assert table.parent.attributes == {"class": "table"}
        for header in table.all("thead")[0].all("th"):
            assert header["scope"] == "col"
            assert header.text, "a header that says nothing is none"
        for row in table.all("tbody")[0].all("tr"):
            assert [cell.tag for cell in row.inside] == ["th"] + ["td"] * (len(row.inside) - 1)
            assert row.inside[0]["scope"] == "row"


def test_verdicts_are_badges_where_they_are_verdicts(root: Element) -> None:
    def badges(*elements: Element) -> list[str]:
        within = [each for one in elements for each in one.all("strong", "em")]
        return [each.attributes.get("data-verdict", "") for each in within]

    ledger, setup = root.all("table")
    assert badges(ledger) == [VERDICTS[number % 4] for number in range(16)]
    assert badges(setup) == [""], "not a column of verdicts"
    assert badges(*root.all("summary")) == ["", "open"]
    assert badges(*root.all("li")) == ["supported", "no relevant difference", ""]
    assert not any(badges(*root.all("p")[:1]))


def test_a_report_without_a_ledger_is_a_page(tmp_path: Path) -> None:
    root = Tree(page("# One\n\n- **supported**: nothing\n\n- \n", tmp_path)).root
    assert not [each for each in root.all() if "data-verdict" in each.attributes]


def test_style_and_script_stand_in_the_page_as_they_are(text: str) -> None:
    for name in ("page.css", "page.js"):
        assert (PACKAGE / "report" / name).read_text() in text, "taken for a template"


def test_what_lays_the_report_out_is_part_of_its_stage() -> None:
    files = [file for file in (PACKAGE / "report").iterdir() if file.is_file()]
    assert {file.suffix for file in files} == {".py", *LAYOUT}


def test_every_verdict_has_a_colour_and_a_sign(root: Element) -> None:
    (style,) = root.all("style")
    signs = set()
    for verdict in VERDICTS:
        rule = re.search(rf'\[data-verdict="{verdict}"\][^{{]*{{([^}}]*)}}', style.text)
        assert rule, verdict
        signs |= set(re.findall(r'--sign: "(.)"', rule[1]))
    assert len(signs) == len(VERDICTS)


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_apart(theme: int, root: Element) -> None:
    those = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", root.all("style")[0].text)
    light = {name: luminance(pair[theme]) for name, *pair in those}
    badges = ["supported", "contradicted", "no-difference", "open"]
    pairs = [
        *itertools.product(["ink", "muted", "link"], ["paper", "shade"]),
        *itertools.product(["ink", "link"], ["target"]),
        *itertools.product(badges, ["on-badge", "paper"]),
    ]
    for one, other in pairs:
        low, high = sorted((light[one], light[other]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, f"{one} on {other}"


def test_anchors_are_those_of_headings_on_the_web() -> None:
    assert anchor("Dropout: 0.5, & more (here)") == "dropout-05--more-here"


@pytest.mark.parametrize(
    "words",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<details id="a" ontoggle="alert(1)">',
        "<a href=javascript:alert(1)>",
        "<SCRIPT>alert(1)</SCRIPT>",
        "<strong onclick=alert(1)>",
    ],
)
def test_words_of_a_file_bring_no_tags_along(words: str, tmp_path: Path) -> None:
    """In a paragraph, a table, a fold and by themselves; ours are tags as before."""
    markdown = (
        f"# T\n\nSays {words}.\n\n| a |\n|---|\n| {words} |\n\n{words}\n\n"
        f'<details id="b"><summary>{words} <strong>open</strong></summary>\n\nx\n\n</details>\n'
    )
    body = page(markdown, tmp_path).partition("<main")[2]
    assert words not in body
    assert body.count("&lt;") >= 4
    assert '<details id="b"><summary>' in body


USED = """
<script>
const told = (name, value) => {
  document.body.append(Object.assign(document.createElement("data"), { title: name, value }));
};
addEventListener("error", (event) => told("error", event.message));
addEventListener("load", () => {
  const ledger = document.querySelector(".table");
  const rows = () => [...ledger.querySelectorAll("tbody tr")];
  const order = (column) => {
    [...ledger.querySelectorAll("th button")][column].click();
    return rows().map((row) => row.cells[0].textContent.replace("Claim ", "")).join(" ");
  };
  told("fold", document.querySelector("details").open);
  told("frame", ledger.classList.contains("fits"));
  told("effects", order(2));
  told("sort", ledger.querySelectorAll("th")[2].ariaSort);
  told("seeds", order(3));
  told("seeds down", order(3));
  told("as written", order(3));
  const field = document.querySelector("input[type=search]");
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true }));
  told("focus", document.activeElement === field);
  field.value = "few claim";
  field.dispatchEvent(new Event("input"));
  told("found", document.querySelector("output").value);
  document.querySelector("button[data-verdict=contradicted]").click();
  told("contradicted", document.querySelector("output").value);
  document.querySelector("figure button").click();
  told("picture", document.querySelector("dialog").open);
  told("enlarged", document.querySelector("dialog img").alt);
  document.querySelector("dialog button").click();
  document.querySelector("#page-theme").click();
  told("theme", document.documentElement.dataset.theme);
  document.querySelector("#page-open").click();
  told("folded", document.querySelector("details").open);
  location.hash = "claim-4";
  addEventListener("hashchange", () => told("shown", document.querySelector("output").value));
});
</script>
"""


@pytest.mark.slow
def test_a_browser_finds_the_page_at_work(folder: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed: apt install chromium")
    file = tmp_path / "report.html"
    file.write_text(page(MARKDOWN, folder).replace("</body>", f"{USED}</body>"))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
        f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom", f"{file.as_uri()}#deep",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    told = {each["title"]: each["value"] for each in Tree(done.stdout).root.all("data")}
    written = list(range(16))
    by_effect = sorted(written, key=lambda n: (-1) ** n * n)
    by_seeds = [n for n in written if n != 4] + [4]
    assert told == {
        "fold": "true",
        "frame": "true",
        "effects": " ".join(map(str, by_effect)),
        "sort": "ascending",
        "seeds": " ".join(map(str, by_seeds)),
        "seeds down": " ".join(map(str, [*by_seeds[-2::-1], 4])),
        "as written": " ".join(map(str, written)),
        "focus": "true",
        "found": "2 of 16 rows",
        "contradicted": "0 of 16 rows",
        "picture": "true",
        "enlarged": "A picture of this",
        "theme": "dark",
        "folded": "false",
        "shown": "16 of 16 rows",
    }
