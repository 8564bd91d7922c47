"""Read workbooks with random changes: a fixed slice of what `python -m fuzz` reads."""

import random
from pathlib import Path

import pytest
from fuzz.mutate import mutant
from fuzz.opinions import Sheets, with_openpyxl
from fuzz.readers import differences, read_with_batchlock
from fuzz.seeds import seeds

SEEDS = dict(seeds())


@pytest.mark.parametrize("name", SEEDS)
def test_a_mutant_is_read_or_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name.rpartition('.')[2]}"
    path.write_bytes(SEEDS[name])
    assert not isinstance(read_with_batchlock(path), str)
    rng = random.Random(name)
    for _ in range(25):
        path.write_bytes(mutant(rng, name, SEEDS[name]))
        reading = read_with_batchlock(path)
        if isinstance(reading, str):
            assert len(reading.splitlines()) == 1
            assert reading.startswith(path.name) or reading == "no workbook"


def second_reading(path: Path) -> Sheets:
    try:
        return with_openpyxl(path)
    except Exception:  # openpyxl raises any exception for an odd file
        return {}


XLSX = [name for name in SEEDS if name.endswith(".xlsx")]


@pytest.mark.parametrize("name", XLSX)
def test_no_mutant_shows_another_text_than_openpyxl(tmp_path: Path, name: str) -> None:
    """A text that openpyxl leaves out may be there; a different one must not be."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(SEEDS[name])
    reading = read_with_batchlock(path)
    assert isinstance(reading, tuple)
    known = differences(reading[1], second_reading(path).get(reading[0], []))
    rng = random.Random(name)
    for _ in range(25):
        path.write_bytes(mutant(rng, name, SEEDS[name]))
        reading = read_with_batchlock(path)
        second = second_reading(path)
        if isinstance(reading, tuple) and reading[0] in second:
            differing = differences(reading[1], second[reading[0]]) - known
            assert not [pair for pair in differing if all(pair)]
