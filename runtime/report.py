"""A report as one HTML file: opens offline, light and dark, on a phone. Knows blocks, not what they mean.

Everything is escaped except inline SVG, which is checked instead. The same content gives the same
bytes: no clock and no random identifiers, so a report can be compared with the one before.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from runtime.errors import InputError
from runtime.storage import atomic_write_text

Cell = str | int | float | bool | None
Tone = Literal["plain", "good", "warning", "bad"]

MISSING = "\N{EN DASH}"
"""What a table or a fact shows for None."""

_TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UNSAFE_ELEMENTS = ("script", "style", "foreignobject", "iframe", "image")


@dataclass
class _Section:
    title: str
    intro: str
    anchor: str
    blocks: list[dict[str, Any]] = field(default_factory=list)


class Report:
    """Sections of blocks, rendered in the order they are added. Every method returns the report, for chaining.

    Args:
        title: heading and window title.
        subtitle: one line under it.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self._title = title
        self._subtitle = subtitle
        self._sections = [_Section("", "", "top")]

    def section(self, title: str, intro: str = "") -> Report:
        """Start a section; what follows goes into it."""
        self._sections.append(_Section(title, intro, f"section-{len(self._sections)}"))
        return self

    def text(self, text: str) -> Report:
        """A paragraph."""
        return self._add("text", text=text)

    def callout(self, text: str, tone: Tone = "plain") -> Report:
        """A paragraph that stands out: a result, or a reason not to trust one."""
        return self._add("callout", text=text, tone=tone)

    def code(self, text: str) -> Report:
        """Text as it is, in a fixed-width font."""
        return self._add("code", text=text)

    def facts(self, facts: Mapping[str, Cell]) -> Report:
        """Names with their values, as a row of cards."""
        return self._add(
            "facts", facts=[(name, format_cell(value)) for name, value in facts.items()]
        )

    def figure(self, png: bytes | Path, caption: str) -> Report:
        """A PNG, kept inside the file.

        Raises:
            InputError: the file cannot be read, or is not a PNG.
        """
        data = _png_bytes(png)
        return self._add("image", data=base64.b64encode(data).decode("ascii"), caption=caption)

    def svg(self, svg: str, caption: str) -> Report:
        """An inline SVG; it may use `currentColor`, which is the text colour in light and dark.

        Raises:
            ValueError: not well-formed, not an SVG, or it holds a script, an event handler or an
                outside reference.
        """
        return self._add("svg", svg=_checked_svg(svg), caption=caption)

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = ""
    ) -> Report:
        """A table; columns of numbers are aligned right, and wide tables scroll.

        Raises:
            ValueError: a row is not as long as the header.
        """
        for number, row in enumerate(rows):
            if len(row) != len(header):
                raise ValueError(f"row {number} has {len(row)} cells, the header {len(header)}")
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
        return self._add(
            "table",
            header=list(header),
            rows=[[format_cell(cell) for cell in row] for row in rows],
            numeric=[_is_numeric(column) for column in columns],
            caption=caption,
        )

    def render(self) -> str:
        """The HTML."""
        import jinja2  # 40 ms, and only reports need it

        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
        return (
            template.render(title=self._title, subtitle=self._subtitle, sections=self._sections)
            + "\n"
        )

    def write(self, path: Path | str) -> Path:
        """Write the HTML, atomically, and return the path.

        Raises:
            StorageError: the disk refused.
        """
        atomic_write_text(path, self.render())
        return Path(path)

    def _add(self, kind: str, **content: Any) -> Report:  # noqa: ANN401 - the template's values
        self._sections[-1].blocks.append({"kind": kind, **content})
        return self


def format_cell(value: Cell) -> str:
    """A value as a report shows it: four significant digits, yes and no, a dash for None."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "not finite"
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_numeric(column: Sequence[Cell]) -> bool:
    present = [cell for cell in column if cell is not None]
    return bool(present) and all(
        isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in present
    )


def _png_bytes(png: bytes | Path) -> bytes:
    try:
        data = png if isinstance(png, bytes) else png.read_bytes()
    except OSError as error:
        raise InputError(
            f"the figure cannot be read: {error.strerror or error}", where=png
        ) from error
    if not data.startswith(_PNG_SIGNATURE):
        raise InputError("the figure is not a PNG", where=None if isinstance(png, bytes) else png)
    return data


def _checked_svg(svg: str) -> str:
    """The SVG element alone, without an XML declaration, after the checks."""
    if "<!DOCTYPE" in svg or "<!ENTITY" in svg:
        svg = re.sub(
            r"<!DOCTYPE[^>\[]*>", "", svg
        )  # as matplotlib writes; one with entities stays, and fails below
    if "<!" in re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL):
        raise ValueError("an SVG in a report may not declare entities")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"the SVG is not well-formed: {error}") from error
    if _local(root.tag) != "svg":
        raise ValueError(f"not an SVG but <{_local(root.tag)}>")
    for element in root.iter():
        _check_element(element)
    return svg[svg.index("<svg") :].strip()


def _check_element(element: ElementTree.Element) -> None:
    name = _local(element.tag)
    if name in _UNSAFE_ELEMENTS:
        raise ValueError(f"an SVG in a report may not hold <{name}>")
    for key, value in element.attrib.items():
        attribute = _local(key)
        outside = (attribute == "href" and not value.startswith("#")) or re.search(
            r"url\((?!['\"]?#)", value
        )
        if attribute.startswith("on") or outside:
            raise ValueError(f"an SVG in a report may not hold {attribute}={value!r}")


def _local(name: str) -> str:
    """A tag or attribute name without its namespace, in lower case."""
    return name.rpartition("}")[2].lower()
