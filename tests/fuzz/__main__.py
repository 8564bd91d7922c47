"""Run the fuzzer and print what it found."""

import argparse
import random
import resource
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from fuzz.mutate import mutant
from fuzz.readers import (
    Rows,
    convert_with_libreoffice,
    differences,
    read_sheets,
    read_with_batchlock,
    read_with_calamine,
    read_with_openpyxl,
)
from fuzz.seeds import seeds

_BATCH = 1_000
_CONVERTED_AT_ONCE = 40
_SECONDS = 20
# The texts of the workbooks by which a reading is recognised: ids and reasons, not "Leads".
_LONG, _ENOUGH_TEXTS = 8, 6

_DIFFERS, _REFUSED = "DIFFERS", "refused by us alone"
# Of two verdicts the first one here counts: one program that reads the same is enough, and so is
# one that reads what is refused.
_ORDER = ("alike", _REFUSED, _DIFFERS, "read by us alone", "refused by both").index

Known = tuple[set[tuple[str, str]], set[str]]
"""Pairs of cells that programs read differently before any change, and long texts."""


def _out_of_time(_signal: int, _frame: object) -> None:
    raise TimeoutError


def main() -> None:
    """Read the mutants of each batch with all programs, and count how they compare."""
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formats", default="xlsx,xlsb,xls,ods")
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that differ")
    parser.add_argument("--memory", type=int, default=1 << 30, help="bytes that a reading may take")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (arguments.memory, -1))
    signal.signal(signal.SIGALRM, _out_of_time)
    sources = [one for one in seeds() if one[0].rpartition(".")[2] in arguments.formats.split(",")]
    known = _known_differences(sources)
    total: Counter[str] = Counter()
    for start in range(0, arguments.count, _BATCH):
        rng = random.Random(f"{arguments.seed}-{start}")
        with tempfile.TemporaryDirectory() as folder:
            total += _batch(rng, sources, known, Path(folder), start, arguments.keep)
        print(start + _BATCH, dict(sorted(total.items())), flush=True)


def _batch(
    rng: random.Random,
    sources: list[tuple[str, bytes]],
    known: Known,
    folder: Path,
    start: int,
    keep: Path | None,
) -> Counter[str]:
    counts: Counter[str] = Counter()
    readings: dict[Path, tuple[str, Rows] | str] = {}
    for at in range(start, start + _BATCH):
        name, content = rng.choice(sources)
        path = folder / f"{at}-{name.replace('.', '_')}.{name.rpartition('.')[2]}"
        path.write_bytes(mutant(rng, name, content))
        signal.alarm(_SECONDS)
        try:
            readings[path] = read_with_batchlock(path)
        except BaseException:  # the point of it: none may come
            counts["TRACEBACK"] += 1
            traceback.print_exc()
            _keep(keep, path)
        signal.alarm(0)
    others = {
        path: read_with_openpyxl(path)
        if path.suffix == ".xlsx"
        else read_with_calamine(path, reading)
        for path, reading in readings.items()
    }
    unsettled = [
        path for path in readings if _verdict(readings[path], others[path], known) != "alike"
    ]
    # A crash of LibreOffice loses what follows in the same call.
    for at in range(0, len(unsettled), _CONVERTED_AT_ONCE):
        convert_with_libreoffice(folder, unsettled[at : at + _CONVERTED_AT_ONCE])
    for path, reading in readings.items():
        verdict = _verdict(reading, others[path], known)
        if verdict != "alike":
            verdict = min(verdict, _verdict(reading, read_sheets(folder, path), known), key=_ORDER)
        counts[verdict] += 1
        if verdict in (_DIFFERS, _REFUSED):
            _keep(keep, path)
    return counts


def _verdict(reading: tuple[str, Rows] | str, sheets: Mapping[str, Rows], known: Known) -> str:
    """Say how a reading compares with that of another program."""
    pairs, texts = known
    if isinstance(reading, str):
        # LibreOffice reads rubbish as a text file, so a reading counts when it shows most texts.
        for rows in sheets.values():
            if len({cell for row in rows for cell in row} & texts) >= _ENOUGH_TEXTS:
                return _REFUSED
        return "refused by both"
    name, rows = reading
    if name not in sheets:
        return "read by us alone"
    return _DIFFERS if differences(rows, sheets[name]) - pairs else "alike"


def _known_differences(sources: list[tuple[str, bytes]]) -> Known:
    """Return the cells that programs read differently in the workbooks before any change."""
    pairs: set[tuple[str, str]] = set()
    texts: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = []
        for at, (source, content) in enumerate(sources):
            path = folder / f"{at}-{source.replace('.', '_')}.{source.rpartition('.')[2]}"
            path.write_bytes(content)
            paths.append(path)
        convert_with_libreoffice(folder, paths)
        for path in paths:
            reading = read_with_batchlock(path)
            assert isinstance(reading, tuple), reading
            texts.update(cell for row in reading[1] for cell in row if len(cell) > _LONG)
            for other in (
                read_sheets(folder, path).get(reading[0], []),
                read_with_openpyxl(path).get(reading[0], []),
                read_with_calamine(path, reading).get(reading[0], []),
            ):
                pairs |= differences(reading[1], other)
    return pairs, texts


def _keep(keep: Path | None, path: Path) -> None:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, keep)


if __name__ == "__main__":
    main()
