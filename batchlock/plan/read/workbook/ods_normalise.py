"""Write the content of an .ods again in the form that python-calamine reads.

It takes no text from marked sections and from cells without a type, takes that of drawings, and
gives the white space between elements and lengths of time as they are written.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

CLOCK = re.compile(r"PT(?:[01]\d|2[0-3])H[0-5]\dM[0-5]\d(?:\.\d+)?S")
"""A time of day, which python-calamine reads as one."""
_LENGTH = re.compile(
    r"(-?)P(?:(\d{1,8})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,8})M)?(?:(\d{1,8}(?:[.,]\d+)?)S)?)?"
)
_CELLS = ("table:table-cell", "table:covered-table-cell")
_VALUES = {f"office:{kind}value" for kind in ("", "string-", "date-", "time-", "boolean-")}
_CHARACTERS = {"text:line-break": "\n", "text:tab": "\t"}
_ASIDE = ("draw:", "dr3d:", "office:annotation", "table:shapes")
"""What has text of its own that is not the cell's."""


class Rewriter:
    """Writes elements again, with text only where a cell shows it, and a type for every text."""

    def __init__(self) -> None:
        self._made: list[str] = []
        self._aside = 0
        """How deep in an element that is left out; so too in paragraphs."""
        self._paragraphs = 0
        self._cell: tuple[str, Mapping[str, str]] | None = None
        """A cell whose tag waits until it is known whether there is text in it."""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def feed(self, piece: bytes, *, last: bool = False) -> bytes:
        """Return as much as can be written after this piece."""
        self._parser.Parse(piece, last)
        made = "".join(self._made)
        self._made.clear()
        return made.encode()

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._aside or name.startswith(_ASIDE):
            self._aside += 1
            return
        self._write_cell(text=name == "text:p")
        if name in _CELLS:
            self._cell = name, attributes
            return
        self._paragraphs += name == "text:p"
        if name in _CHARACTERS:
            self._made.append(_CHARACTERS[name])
        else:
            self._write(name, attributes)

    def _end(self, name: str) -> None:
        if self._aside:
            self._aside -= 1
            return
        self._write_cell(text=False)
        self._paragraphs -= name == "text:p"
        if name not in _CHARACTERS:
            self._made.append(f"</{name}>")

    def _text(self, text: str) -> None:
        if self._paragraphs and not self._aside:
            self._made.append(escape(text))

    def _write_cell(self, *, text: bool) -> None:
        if self._cell is None:
            return
        (name, attributes), self._cell = self._cell, None
        told = attributes.get("office:time-value")
        if told and not CLOCK.fullmatch(told):  # such a cell is left blank, and is marked
            attributes = {k: v for k, v in attributes.items() if k != "office:time-value"}
            text = length_of(told) is None
        if text and attributes.keys().isdisjoint(_VALUES):
            attributes = {**attributes, "office:value-type": "string"}
        self._write(name, attributes)

    def _write(self, name: str, attributes: Mapping[str, str]) -> None:
        told = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
        self._made.append(f"<{name}{told}>")


def length_of(told: str) -> time | timedelta | None:
    """Return a length of time, as a time of day when it is one; None when it has no such length."""
    found = _LENGTH.fullmatch(told)
    if not found:
        return None
    sign, days, hours, minutes, seconds = found.groups(default="0")
    length = timedelta(
        days=int(days),
        hours=int(hours),
        minutes=int(minutes),
        seconds=float(seconds.replace(",", ".")),
    )
    if sign == "-" and length:
        return -length
    return length if length.days else (datetime(1, 1, 1) + length).time()  # noqa: DTZ001  no zone
