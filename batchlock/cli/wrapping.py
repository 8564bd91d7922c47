"""Fit lines of a label and a text to the terminal, and show any text on one line."""

import re
import shutil
from textwrap import wrap
from typing import TextIO

# A label and two spaces: `To send  `.
_LABEL_WIDTH = 9
# Without a terminal lines are not wrapped, but a reason of 3,000 characters is still cut.
_LONGEST_TEXT = 300
# Cells beside each other on one line: an id fits, and a reason shows how it begins.
_LONGEST_CELL = 24
_LINE_END = re.compile(r"\r\n|[\r\n\u2028\u2029]")


def on_one_line(text: str) -> str:
    """Return a text without line ends and control characters.

    A control character from a cell could otherwise change what the terminal shows.
    """
    text = _LINE_END.sub(" / ", text).replace("\t", " ")
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def width_of(stream: TextIO | None) -> int | None:
    """Return the width of a stream that is a terminal, else None."""
    if stream is None or not stream.isatty():
        return None
    return shutil.get_terminal_size().columns


def labelled(label: str, text: str, width: int | None, *, is_cut: bool = False) -> str:
    """Return a label and a text beside it, wrapped to a width; None: not wrapped.

    With `is_cut` the text has two lines at most, and `…` marks that its end is missing.
    """
    text = on_one_line(text)
    if is_cut:
        room = _LONGEST_TEXT if width is None else 2 * _room(width, _LABEL_WIDTH)
        text = text if len(text) <= room else f"{text[: room - 1]}…"
    return label.ljust(_LABEL_WIDTH) + indented(text, width, is_cut=is_cut)


def indented(
    text: str, width: int | None, indent: int = _LABEL_WIDTH, *, is_cut: bool = False
) -> str:
    """Return a text wrapped to a width, its second and later lines indented."""
    if width is None:
        return text
    lines = wrap(
        text,
        _room(width, indent),
        break_on_hyphens=False,
        max_lines=2 if is_cut else None,
        placeholder="…",
    )
    return f"\n{' ' * indent}".join(lines)


def _room(width: int, indent: int) -> int:
    # One column stays free, since some terminals begin a new line when the last one is filled. A
    # narrower text than 20 columns cannot be read.
    return max(20, width - 1 - indent)


def short(text: str) -> str:
    """Return a cell's text for a line with several cells."""
    if not text:
        return "(blank)"
    text = on_one_line(text)
    return f'"{text}"' if len(text) <= _LONGEST_CELL else f'"{text[: _LONGEST_CELL - 1]}…"'
