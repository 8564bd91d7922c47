import pytest

from batchlock.core.reading import row_ranges


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], ""),
        ([7], "7"),
        ([2, 3, 4, 5, 9], "2-5, 9"),
        ([2, 4, 6, 7], "2, 4, 6-7"),
        ([2, 4, 6, 8], "2, 4, 6 and 1 more row"),
        ([2, 3, 9, 11, 20, 21], "2-3, 9, 11 and 2 more rows"),
        ([2, 4, 6, *range(10, 5000)], "2, 4, 6 and 4,990 more rows"),
    ],
)
def test_row_numbers_become_ranges(rows: list[int], text: str) -> None:
    assert row_ranges(iter(rows), max_ranges=3) == text


def test_eight_ranges_are_named_by_default() -> None:
    assert row_ranges(range(2, 40, 2)) == "2, 4, 6, 8, 10, 12, 14, 16 and 11 more rows"
