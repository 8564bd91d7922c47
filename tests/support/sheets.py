"""Spreadsheets that tests write, and results that they read."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

TITLES = ("Module", "Record Id", "Lock Id", "Reason")


Row = tuple[str, str, str, str]


def record(number: int) -> str:
    return f"5843104{number:012d}"


def lock(number: int) -> str:
    return f"6843104{number:012d}"


def rows(count: int, *, first: int = 1, module: str = "Leads") -> list[Row]:
    numbers = range(first, first + count)
    return [(module, record(n), lock(n), f"reason {n}") for n in numbers]


def sheet(name: str, content: Sequence[Sequence[str]], titles: Sequence[str] = TITLES) -> Path:
    """Write a CSV file."""
    path = Path(name)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([titles, *content])
    return path


def lines(path: str | Path) -> list[dict[str, Any]]:
    """Read the lines of a results file, each by its titles."""
    path = Path(path)
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [dict(line) for line in csv.DictReader(file)]
    book = openpyxl.load_workbook(path, read_only=True)
    try:
        content = list(book["Results"].iter_rows(values_only=True))
    finally:
        book.close()
    titles = [str(title) for title in content[0]]
    return [dict(zip(titles, line, strict=True)) for line in content[1:]]


def balanced(result: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts that are not zero, of an object of `--json` whose totals balance."""
    counts: dict[str, int] = result["counts"]
    assert sum(counts.values()) == result["rows"]
    return {name: count for name, count in counts.items() if count}
