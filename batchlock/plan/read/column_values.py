"""Tell from the first cells of a column which field it may be.

A message proposes a column only where the cells fit: following a wrong proposal would send the
wrong text to every record.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from batchlock.core.cell_text import display_text
from batchlock.core.rows import Cell, Field
from batchlock.plan.faults import strip_invisible
from batchlock.plan.ids import RecordAddress, read_id
from batchlock.plan.module_labels import BY_SINGULAR
from batchlock.plan.module_labels import comparable as comparable_module
from batchlock.plan.modules import ModuleNames

# The form of ids in Zoho's exports. Lookups have it too; their titles end in `.id`.
_ZCRM_ID = re.compile(r"zcrm_[0-9]{10,20}", re.IGNORECASE)
_LOOKUP_ENDING = ".id"
# A number of a telephone, an order or an article has at most 14 digits; ids of today have 18 or 19.
_LONG_ID = 15
# Numbers, amounts and percentages, with the signs that spreadsheets write around them.
_NUMBER = re.compile(r"[\s0-9.,'%€$£¥()+\-]+")
# `2026-03-01`, `1.3.2026`, `03/01/26 10:00`: a time or a zone may follow.
_DATE = re.compile(r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}\b.*")
# The words of programs and of some languages for a box that is ticked or not.
_BOOLEANS = frozenset(
    {"true", "false", "yes", "no", "ja", "nein", "oui", "non", "sí", "si", "sim", "0", "1"}
)

# Two values tell ids from numbers and names from sentences; the longest ids are shown whole.
_SAMPLES = 2
_SAMPLE_LENGTH = 40


def column_cells(sample: Sequence[Sequence[Cell]], position: int) -> list[Cell]:
    """Return the filled cells of a column in the first rows below the titles."""
    cells = [row[position] for row in sample if position < len(row)]
    return [cell for cell in cells if cell is not None and str(cell).strip()]


def sample_values(cells: Iterable[Cell]) -> list[str]:
    """Return the first different values among some cells, as text for a person who chooses."""
    texts: dict[str, None] = {}
    for cell in cells:
        text = " ".join(display_text(cell).split())
        if text:
            texts[text if len(text) <= _SAMPLE_LENGTH else f"{text[:_SAMPLE_LENGTH]}…"] = None
        if len(texts) == _SAMPLES:
            break
    return list(texts)


def zcrm_columns(
    sample: Sequence[Sequence[Cell]], titles: Sequence[str], free: Sequence[int]
) -> Iterator[int]:
    """Yield the columns that hold ids in the form of Zoho's exports, but for lookups."""
    for position in free:
        if titles[position].strip().casefold().endswith(_LOOKUP_ENDING):
            continue
        cells = column_cells(sample, position)
        if cells and all(map(_is_zcrm_id, cells)):
            yield position


def fits(field: Field, cells: Sequence[Cell], modules: ModuleNames) -> bool:
    """Tell whether these cells may be the values of a field."""
    return bool(cells) and _FITS[field](cells, modules)


def are_long_ids(cells: Sequence[Cell]) -> bool:
    """Tell whether these ids are as long as those of an org: 15 digits or more.

    Shorter ones may be telephone numbers, or numbers of orders.
    """
    ids = [read_id(cell) for cell in cells]
    return all(isinstance(one, RecordAddress) or len(str(one)) >= _LONG_ID for one in ids)


def has_sentences(cells: Sequence[Cell]) -> bool:
    """Tell whether a cell has more than one word, as reasons have."""
    return any(isinstance(cell, str) and len(cell.split()) > 1 for cell in cells)


def _is_zcrm_id(cell: Cell) -> bool:
    return isinstance(cell, str) and _ZCRM_ID.fullmatch(strip_invisible(cell)) is not None


def _are_ids(cells: Sequence[Cell], _: ModuleNames) -> bool:
    return all(isinstance(read_id(cell), str | RecordAddress) for cell in cells)


def _are_modules(cells: Sequence[Cell], modules: ModuleNames) -> bool:
    return all(
        isinstance(cell, str)
        and (modules.find(cell) is not None or comparable_module(cell) in BY_SINGULAR)
        for cell in cells
    )


def _are_texts(cells: Sequence[Cell], modules: ModuleNames) -> bool:
    if not all(isinstance(cell, str) for cell in cells):
        return False
    others = sum(_is_no_reason(str(cell), modules) for cell in cells)
    # A reason may well be a date or "yes", but not most of them.
    return 2 * others < len(cells)


def _is_no_reason(cell: str, modules: ModuleNames) -> bool:
    text = strip_invisible(cell)
    return (
        text.casefold() in _BOOLEANS
        or _NUMBER.fullmatch(text) is not None
        or _DATE.fullmatch(text) is not None
        or isinstance(read_id(text), str | RecordAddress)
        or modules.find(text) is not None
    )


_FITS: Mapping[Field, Callable[[Sequence[Cell], ModuleNames], bool]] = {
    Field.MODULE: _are_modules,
    Field.RECORD_ID: _are_ids,
    Field.LOCK_ID: _are_ids,
    Field.REASON: _are_texts,
}
