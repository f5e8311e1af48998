"""Reports: one file that needs nothing else, escapes what it is given, and looks the same every time."""

from __future__ import annotations

import struct
import zlib
from html.parser import HTMLParser

import pytest

from runtime.errors import InputError, StorageError
from runtime.report import Report, format_cell

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0H9" stroke="currentColor"/></svg>'


def make_png() -> bytes:
    """The smallest valid PNG: one white pixel."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0\xff"))
        + chunk(b"IEND", b"")
    )


class Page(HTMLParser):
    """Collects what the tests ask about, and checks that tags are closed in order."""

    VOID = ("meta", "img", "path", "br")

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.text.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def make_report() -> Report:
    report = Report("Run <b>", "seed 0 & more").facts(
        {"held-out": 0.98765, "done": True, "step": None}
    )
    report.callout("No transition.", "warning")
    report.section("Training", "How it went.").figure(make_png(), 'A "curve"').text("a < b")
    report.section("Programs").svg(SVG, "A graph").code("START a:\n    NEXT <b>\n")
    report.section("Numbers").table(
        ["problem", "rate", "n"], [["x<y", 0.5, 12345], ["z", None, 1]], "All of them."
    )
    return report


def test_a_report_is_well_formed_and_needs_nothing_else():
    html = make_report().render()
    page = Page(html)
    sources = [
        value
        for _, attributes in page.tags
        for key, value in attributes.items()
        if key in ("src", "href")
    ]
    assert all(value.startswith(("data:image/png;base64,", "#section-")) for value in sources)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in html and "@import" not in html
    assert page.all("script") == [] and page.all("link") == []


def test_a_report_is_for_phones_and_for_the_dark():
    html = make_report().render()
    viewport = next(tag for tag in Page(html).all("meta") if tag.get("name") == "viewport")
    assert viewport["content"] == "width=device-width, initial-scale=1"
    assert "prefers-color-scheme: dark" in html
    assert Page(html).all("html") == [{"lang": "en"}]


def test_everything_is_escaped():
    report = (
        Report("<i>t", "<i>s").section("<i>h", "<i>n").text("<i>p").callout("<i>c").code("<i>k")
    )
    report.facts({"<i>f": "<i>v"}).figure(make_png(), "<i>g").svg(SVG, "<i>w").table(
        ["<i>a"], [["<i>b"]], "<i>d"
    )
    page = Page(report.render())
    assert page.all("i") == []
    for letter in "tshnpckfvgwabd":
        assert any(text == f"<i>{letter}" for text in page.text), letter


def test_links_lead_to_sections():
    page = Page(make_report().render())
    anchors = [attributes["href"][1:] for attributes in page.all("a")]
    headings = [attributes["id"] for attributes in page.all("h2")]
    assert anchors == headings == ["section-1", "section-2", "section-3"]


def test_a_short_report_has_no_contents():
    page = Page(Report("t").section("one").text("x").render())
    assert page.all("nav") == []
    assert page.text == ["t", "t", "one", "x"]  # window title, heading, section, text


def test_a_table_aligns_numbers():
    page = Page(make_report().render())
    assert [tag.get("class") for tag in page.all("th")] == [None, "number", "number"]
    assert [text for text in page.text if text in ("0.5", "12,345", "\N{EN DASH}", "x<y")] == [
        "\N{EN DASH}", "x<y", "0.5", "12,345", "\N{EN DASH}",
    ]  # fmt: skip


def test_an_empty_table_keeps_its_header():
    page = Page(Report("t").table(["a", "b"], []).render())
    assert [tag.get("class") for tag in page.all("th")] == [None, None]
    assert page.all("td") == []


def test_a_ragged_table_is_refused():
    with pytest.raises(ValueError, match="row 1 has 1 cells, the header 2"):
        Report("t").table(["a", "b"], [[1, 2], [3]])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"), (True, "yes"), (False, "no"), (0, "0"), (1234567, "1,234,567"), (0.0, "0"),
        (0.123456, "0.1235"), (1e-7, "1e-07"), (9999.9, "1e+04"), (12345.6, "12,346"), (-0.5, "-0.5"),
        (float("nan"), "not finite"), (float("inf"), "not finite"), ("x", "x"),
    ],
    ids=repr,
)  # fmt: skip
def test_cells(value, text):
    assert format_cell(value) == text


def test_a_figure_comes_from_bytes_or_a_file(tmp_path):
    (tmp_path / "a.png").write_bytes(make_png())
    assert (
        Report("t").figure(tmp_path / "a.png", "c").render()
        == Report("t").figure(make_png(), "c").render()
    )


def test_a_figure_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file") as caught:
        Report("t").figure(tmp_path / "absent.png", "c")
    assert caught.value.where == str(tmp_path / "absent.png")
    with pytest.raises(InputError, match="not a PNG"):
        Report("t").figure(b"GIF89a", "c")


def test_an_svg_keeps_its_content_without_its_declaration():
    declared = f'<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "x" "y.dtd">\n{SVG}\n'
    html = Report("t").svg(declared, "c").render()
    assert SVG in html
    assert "<?xml" not in html and "y.dtd" not in html


@pytest.mark.parametrize(
    ("svg", "message"),
    [
        ("<svg><path></svg>", "not well-formed"),
        ("plain text", "not well-formed"),
        ("<div></div>", "not an SVG but <div>"),
        ("<svg><script>x()</script></svg>", "may not hold <script>"),
        ('<svg xmlns="http://www.w3.org/2000/svg"><SCRIPT/></svg>', "may not hold <script>"),
        ("<svg><foreignObject/></svg>", "may not hold <foreignobject>"),
        ('<svg onload="x()"/>', "may not hold onload"),
        (
            '<svg xmlns:x="http://www.w3.org/1999/xlink"><a x:href="https://e.org"/></svg>',
            "may not hold href",
        ),
        ('<svg><a href="javascript:x()"/></svg>', "may not hold href"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "may not declare entities"),
        ("<svg><style>@import url(https://e.org/x.css)</style></svg>", "may not hold <style>"),
        ('<svg><rect fill="url(https://e.org/#x)"/></svg>', "may not hold fill"),
    ],
)
def test_an_svg_that_reaches_out_is_refused(svg, message):
    with pytest.raises(ValueError, match=message):
        Report("t").svg(svg, "c")


def test_an_svg_may_refer_to_itself():
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><a href="#x"><rect marker-end="url(#x)"/></a></svg>'
    assert svg in Report("t").svg(svg, "c").render()


def test_the_same_content_gives_the_same_bytes():
    assert make_report().render() == make_report().render()


def test_writing(tmp_path):
    path = make_report().write(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == make_report().render()
    with pytest.raises(StorageError, match="No such file or directory"):
        make_report().write(tmp_path / "absent" / "report.html")
