"""Read workbooks of many programs, each as `expected.json` says.

The scripts beside the files made them, with writers that the tests do not need.
"""

import json
from datetime import date, time, timedelta
from typing import Any

import pytest
from support.paths import DATA

from batchlock.core.errors import BatchlockError, UnreadableFile, UsageError
from batchlock.core.rows import NoValue
from batchlock.plan.read import ReadOptions, read_table

EXPECTED: dict[str, Any] = json.loads((DATA / "expected.json").read_text("utf-8"))
# The table that most of the files hold: its titles, then its rows from row 2 on.
STANDARD: list[list[Any]] = json.loads((DATA / "standard.json").read_text("utf-8"))
SCRIPTS = {".py", ".js", ".pl", ".java", ".R", ".sh", ".json"}
READABLE = sorted(name for name, expected in EXPECTED.items() if "refused" not in expected)
REFUSED = sorted(EXPECTED.keys() - set(READABLE))
ERROR_TYPES: dict[str, type[BatchlockError]] = {"4": UnreadableFile, "2": UsageError}


def as_json(cell: object) -> object:
    """Return a cell as `expected.json` writes it."""
    if isinstance(cell, NoValue):
        return {"unread": cell.text}
    if isinstance(cell, timedelta):
        return {"span": str(cell)}
    return {"date": cell.isoformat()} if isinstance(cell, date | time) else cell


def without_blank_ends(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Remove the blank cells at the end of each row: there may be 16,384 of them."""
    shortened = {}
    for number, row in rows.items():
        width = max((at for at, cell in enumerate(row, 1) if cell is not None), default=0)
        shortened[number] = row[:width]
    return shortened


def test_every_file_of_the_corpus_has_an_expectation() -> None:
    files = {path.name for path in DATA.iterdir() if path.is_file() and path.suffix not in SCRIPTS}
    assert files == EXPECTED.keys()


@pytest.mark.parametrize("name", READABLE)
def test_a_workbook_is_read_as_expected(name: str) -> None:
    expected = EXPECTED[name]
    titles, expected_rows = STANDARD[0], {str(n): row for n, row in enumerate(STANDARD[1:], 2)}
    if "titles" in expected:
        titles, expected_rows = expected["titles"], expected["rows"]
    expected_rows = without_blank_ends(expected_rows | expected.get("changed", {}))
    table = read_table(DATA / name, ReadOptions())
    beyond: list[Any] = []
    rows = {}
    for chunk in table.chunks:
        for number, *cells in chunk[list(range(len(table.titles)))].itertuples():
            rows[str(number)] = [*map(as_json, cells)]
        beyond += [list(cell) for cell in chunk["beyond"] if cell is not None]
    rows = without_blank_ends(rows)
    assert list(table.titles)[: len(titles)] == titles
    assert rows == expected_rows
    # 1 == 1.0 == True, so the types are compared too.
    assert [type(cell) for row in rows.values() for cell in row] == [
        type(cell) for row in expected_rows.values() for cell in row
    ]
    assert beyond == expected.get("beyond", [])


@pytest.mark.parametrize("name", REFUSED)
def test_a_workbook_that_would_be_read_wrong_is_refused(name: str) -> None:
    with pytest.raises(BatchlockError) as caught:
        for _ in read_table(DATA / name, ReadOptions()).chunks:
            pass
    assert type(caught.value) is ERROR_TYPES[EXPECTED[name]["exit"]]
    message = str(caught.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert EXPECTED[name]["refused"] in message
