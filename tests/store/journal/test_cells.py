from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journals import simple_update
from support.run_info import run_info

from batchlock.core.rows import Cell, NoValue
from batchlock.store.journal import Journal
from batchlock.store.journal.cells import pack, unpack

CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=[])),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.times(),
    st.timedeltas(min_value=timedelta(days=-40_000), max_value=timedelta(days=40_000)),
    st.builds(NoValue, st.text(st.characters(exclude_categories=[]))),
)


def typed(cells: Sequence[Cell]) -> list[tuple[type, Cell]]:
    return [(type(cell), cell) for cell in cells]


@given(st.lists(CELLS, max_size=6))
@settings(deadline=None)
def test_cells_keep_their_type_and_value(cells: list[Cell]) -> None:
    assert typed(unpack(pack(cells))) == typed(cells)


@pytest.mark.parametrize(
    "cell",
    [
        "\ud800",
        "\x00",
        '{"unread": "x"}',
        2**64,
        -(2**63) - 1,
        10**25,
        2**64 - 1,
        1.0,
        True,
        NoValue("#N/A"),
        NoValue("\udfff"),
        datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001  cells have no time zone
        date(1900, 1, 1),
        time(23, 59, 59, 999999),
        timedelta(days=1, microseconds=1),
    ],
)
def test_an_unusual_cell_beside_others_keeps_its_type_and_value(cell: Cell, path: Path) -> None:
    cells: tuple[Cell, ...] = (cell, "\ud83d", cell, 10**30, None, 7, "x")
    for row in (cells, (cell, "x")):
        assert typed(unpack(pack(row))) == typed(row)
    with Journal.create(path, run_info()) as journal:
        journal.add([(2, cells)], updates=[simple_update(2)], problems=[])
        assert typed(next(journal.result_rows()).cells) == typed(cells)


def test_a_cell_of_an_unknown_type_is_an_error() -> None:
    odd: Any = object()
    with pytest.raises(TypeError, match="unknown type: object"):
        pack([odd])
