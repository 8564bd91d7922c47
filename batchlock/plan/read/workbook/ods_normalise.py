"""Rewrite the content of an .ods in the form that python-calamine reads right.

python-calamine ignores text in marked sections and in cells without a type, adds the text of
drawings to the cell, fails at white space between cells, and returns lengths of time as text.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

# A time of day. python-calamine reads only this form as a time, and any other one as text.
CLOCK = re.compile(r"PT(?:[01]\d|2[0-3])H[0-5]\dM[0-5]\d(?:\.\d+)?S")
# An xsd:duration (OpenDocument 1.3 part 3, 18.2) without years and months, whose lengths vary.
# Eight digits keep the sum within the range of timedelta: 10^8 days and hours fit.
_DURATION = re.compile(
    r"(-?)P(?:(\d{1,8})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,8})M)?(?:(\d{1,8}(?:[.,]\d+)?)S)?)?"
)
_CELLS = ("table:table-cell", "table:covered-table-cell")
_VALUES = {f"office:{kind}value" for kind in ("", "string-", "date-", "time-", "boolean-")}
# python-calamine drops these elements inside a text.
_CHARACTERS = {"text:line-break": "\n", "text:tab": "\t"}
# Elements with text that is not the text of the cell. python-calamine adds that of drawings.
_NOT_CELL_TEXT = ("draw:", "dr3d:", "office:annotation", "table:shapes")


class Rewriter:
    """Write each element again, with text only where a cell shows it and a type for every text."""

    def __init__(self) -> None:
        self._output: list[str] = []
        # The number of open elements, from the outermost one that is left out.
        self._skipped_depth = 0
        self._paragraph_depth = 0
        # The tag of a cell is written only when it is clear whether the cell has text.
        self._pending_cell: tuple[str, Mapping[str, str]] | None = None
        self._parser = expat.ParserCreate()
        # One call for each text, instead of one for each line and entity.
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def feed(self, piece: bytes, *, last: bool = False) -> bytes:
        """Parse a piece and return what can be written; raises expat.ExpatError."""
        self._parser.Parse(piece, last)
        output = "".join(self._output)
        self._output.clear()
        return output.encode()

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skipped_depth or name.startswith(_NOT_CELL_TEXT):
            self._skipped_depth += 1
            return
        self._write_pending_cell(has_text=name == "text:p")
        if name in _CELLS:
            self._pending_cell = name, attributes
            return
        self._paragraph_depth += name == "text:p"
        if name in _CHARACTERS:
            self._output.append(_CHARACTERS[name])
        else:
            self._write_tag(name, attributes)

    def _end(self, name: str) -> None:
        if self._skipped_depth:
            self._skipped_depth -= 1
            return
        self._write_pending_cell(has_text=False)
        self._paragraph_depth -= name == "text:p"
        if name not in _CHARACTERS:
            self._output.append(f"</{name}>")

    def _text(self, text: str) -> None:
        if self._paragraph_depth and not self._skipped_depth:
            self._output.append(escape(text))

    def _write_pending_cell(self, *, has_text: bool) -> None:
        if self._pending_cell is None:
            return
        (name, attributes), self._pending_cell = self._pending_cell, None
        length = attributes.get("office:time-value")
        # A length of time becomes a blank cell, which gets an override. One that duration_of
        # cannot read (months) keeps the text that the spreadsheet shows.
        if length and not CLOCK.fullmatch(length):
            attributes = {k: v for k, v in attributes.items() if k != "office:time-value"}
            has_text = duration_of(length) is None
        if has_text and attributes.keys().isdisjoint(_VALUES):
            attributes = {**attributes, "office:value-type": "string"}
        self._write_tag(name, attributes)

    def _write_tag(self, name: str, attributes: Mapping[str, str]) -> None:
        pairs = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
        self._output.append(f"<{name}{pairs}>")


def duration_of(text: str) -> time | timedelta | None:
    """Return an xsd:duration as a time of day when it is one, None when it has months."""
    match = _DURATION.fullmatch(text)
    if not match:
        return None
    sign, days, hours, minutes, seconds = match.groups(default="0")
    duration = timedelta(
        days=int(days),
        hours=int(hours),
        minutes=int(minutes),
        seconds=float(seconds.replace(",", ".")),
    )
    if sign == "-" and duration:
        return -duration
    if duration.days:
        return duration
    return (datetime(1, 1, 1) + duration).time()  # noqa: DTZ001  cells have no time zone
