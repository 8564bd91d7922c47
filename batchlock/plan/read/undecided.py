"""Refuse a text that is not clearly in one encoding, and show how it reads in the likely ones."""

from collections.abc import Iterator
from pathlib import Path

from batchlock.core.cell_text import display_text
from batchlock.core.encodings import TextReading
from batchlock.core.errors import UnreadableFile
from batchlock.core.rows import Cell, Field
from batchlock.plan.read.encoding import SAVE_AS, Undecided
from batchlock.plan.read.table import Header

_SAVE_INSTEAD = SAVE_AS[0].lower() + SAVE_AS[1:]
# The right encoding is among the first three for nearly every text; a person can read four lines.
_MOST_READINGS = 4
# Three texts, because one may be a name that reads well in several encodings.
_SAMPLES = 3
# Rows that are searched for texts beyond ASCII in the column of the reasons. Below these, the
# first such text of any column is better than a long wait.
_SEARCHED_ROWS = 50_000
# Characters of a text in the message, so that a reading stays on one line of a terminal.
_SHOWN = 48


def undecided_error(
    path: Path, undecided: Undecided, header: Header, rows: Iterator[list[Cell]]
) -> UnreadableFile:
    """Return the refusal, with the readings and the titles as values.

    The titles and the rows have been decoded as Latin-1.
    """
    samples = _samples(header, rows)
    readings = _readings(undecided, samples)
    titles = [title for title in header.titles if title.isascii()]
    row = samples[0][0] if samples else 1
    if not readings:
        return UnreadableFile(
            f"{path.name}, row {row}: this text is in none of the encodings that spreadsheets are "
            f"saved in. {SAVE_AS}",
            columns=titles,
        )
    options = [f"--encoding {reading.encoding}" for reading in readings]
    width = max(map(len, options))
    lines = "".join(
        f"\n  {option:{width}}  {_shortened(reading.samples[0])}"
        for option, reading in zip(options, readings, strict=True)
    )
    return UnreadableFile(
        f"{path.name}: the text is not in UTF-8, and its letters do not tell for certain which "
        f"encoding it is in. Row {row} reads, the likeliest first:{lines}\n"
        f"Run again with the option of the line that reads right. If none does: {_SAVE_INSTEAD}",
        columns=titles,
        readings=readings,
    )


def _samples(header: Header, rows: Iterator[list[Cell]]) -> list[tuple[int, bytes]]:
    """Return the first different reasons beyond ASCII with their rows, else other such texts."""
    reason = header.fields.get(Field.REASON)
    reasons: dict[bytes, int] = {}
    others: dict[bytes, int] = {}
    try:
        for number, row in enumerate(rows, 1):
            for position, cell in enumerate(row):
                if isinstance(cell, str) and not cell.isascii():
                    is_reason = position == reason and number > header.row
                    samples = reasons if is_reason else others
                    if len(samples) < _SAMPLES:
                        samples.setdefault(cell.encode("latin-1"), number)
            if len(reasons) == _SAMPLES or number == _SEARCHED_ROWS:
                break
    except UnreadableFile:
        pass  # a row further below that is no row; the samples so far are enough
    return [(number, text) for text, number in (reasons or others).items()]


def _readings(undecided: Undecided, samples: list[tuple[int, bytes]]) -> tuple[TextReading, ...]:
    """Return the likeliest encodings in which the samples differ."""
    readings: dict[tuple[str, ...], TextReading] = {}
    for candidate in undecided.candidates:
        texts = tuple(display_text(text.decode(candidate.codec)).strip() for _, text in samples)
        if texts:
            readings.setdefault(
                texts,
                TextReading(encoding=candidate.name, label=candidate.label, samples=texts),
            )
        if len(readings) == _MOST_READINGS:
            break
    return tuple(readings.values())


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
