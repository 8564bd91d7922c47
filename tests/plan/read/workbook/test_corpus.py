"""Workbooks that many programs have written, each with what it must give.

The files are made by the scripts beside them, with writers that the tests do not need.
"""

import json
from datetime import date, time, timedelta
from typing import Any

import pytest
from support.paths import DATA

from batchlock.core.errors import BatchlockError, UnreadableFile, UsageError
from batchlock.core.rows import NoValue
from batchlock.plan.read import ReadOptions
from batchlock.plan.read import read_table as read

EXPECTED: dict[str, Any] = json.loads((DATA / "expected.json").read_text("utf-8"))
STANDARD: list[list[Any]] = json.loads((DATA / "standard.json").read_text("utf-8"))
SCRIPTS = {".py", ".js", ".pl", ".java", ".R", ".sh", ".json"}
READABLE = sorted(name for name, given in EXPECTED.items() if "refused" not in given)
REFUSED = sorted(EXPECTED.keys() - set(READABLE))
ERRORS: dict[str, type[BatchlockError]] = {"4": UnreadableFile, "2": UsageError}


def shown(cell: object) -> object:
    """Return a cell as the expectations write it."""
    if isinstance(cell, NoValue):
        return {"unread": cell.text}
    if isinstance(cell, timedelta):
        return {"span": str(cell)}
    return {"date": cell.isoformat()} if isinstance(cell, date | time) else cell


def filled(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Cut the blanks at the end of each row, of which there may be 16,384."""
    cut = {}
    for number, row in rows.items():
        last = max((at for at, cell in enumerate(row, 1) if cell is not None), default=0)
        cut[number] = row[:last]
    return cut


def test_every_file_of_the_corpus_has_its_expectation() -> None:
    files = {path.name for path in DATA.iterdir() if path.is_file() and path.suffix not in SCRIPTS}
    assert files == EXPECTED.keys()


@pytest.mark.parametrize("name", READABLE)
def test_a_workbook_is_read_as_it_was_meant(name: str) -> None:
    expected = EXPECTED[name]
    titles, rows = STANDARD[0], {str(n): row for n, row in enumerate(STANDARD[1:], 2)}
    if "titles" in expected:
        titles, rows = expected["titles"], expected["rows"]
    rows |= expected.get("changed", {})
    table = read(DATA / name, ReadOptions())
    beyond: list[Any] = []
    seen = {}
    for chunk in table.chunks:
        for number, *cells in chunk[list(range(len(table.titles)))].itertuples():
            seen[str(number)] = [*map(shown, cells)]
        beyond += [list(cell) for cell in chunk["beyond"] if cell is not None]
    assert list(table.titles)[: len(titles)] == titles
    assert filled(seen) == filled(rows)
    assert [type(cell) for row in filled(seen).values() for cell in row] == [
        type(cell) for row in filled(rows).values() for cell in row
    ]
    assert beyond == expected.get("beyond", [])


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_right_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(BatchlockError) as caught:
        for _ in read(DATA / name, ReadOptions()).chunks:
            pass
    assert type(caught.value) is ERRORS[EXPECTED[name]["exit"]]
    told = str(caught.value)
    assert told.startswith(name)
    assert "\n" not in told
    assert EXPECTED[name]["refused"] in told
