"""Run the fuzzer and print what it found."""

import argparse
import random
import resource
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from fuzz.mutate import mutant
from fuzz.readers import (
    convert_with_libreoffice,
    differences,
    read_csv,
    read_csv_file,
    read_with_batchlock,
    read_with_openpyxl,
)
from fuzz.seeds import seeds

_BATCH = 1_000
_CONVERTED_AT_ONCE = 40
_SECONDS = 20
# The texts of the workbooks by which a reading is recognised: ids and reasons, not "Leads".
_LONG, _ENOUGH_TEXTS = 8, 6

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
    readings = {}
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
    unsettled = []
    for path, reading in readings.items():
        second = read_with_openpyxl(path) if path.suffix == ".xlsx" else {}
        if (
            isinstance(reading, str)
            or differences(reading[1], second.get(reading[0], [["?"]])) - known[0]
        ):
            unsettled.append(path)
        else:
            counts["alike"] += 1
    if shutil.which("soffice"):
        # A crash loses what follows in the same call.
        for at in range(0, len(unsettled), _CONVERTED_AT_ONCE):
            convert_with_libreoffice(folder, unsettled[at : at + _CONVERTED_AT_ONCE])
    for path in unsettled:
        verdict = _settle(folder, path, readings[path], known)
        counts[verdict] += 1
        if verdict.startswith(("DIFFERS", "refused by us")):
            _keep(keep, path)
    return counts


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
                read_csv(folder, path, reading[0]) or [],
                read_with_openpyxl(path).get(reading[0], []) if path.suffix == ".xlsx" else [],
            ):
                pairs |= differences(reading[1], other)
    return pairs, texts


def _settle(folder: Path, path: Path, reading: object, known: Known) -> str:
    """Say how a reading compares with that of LibreOffice."""
    pairs, texts = known
    if isinstance(reading, str):
        # LibreOffice reads rubbish as a text file, so a reading counts when it shows most texts.
        for file in folder.glob(f"{path.stem}-*.csv"):
            cells = {cell for row in read_csv_file(file) for cell in row}
            if len(cells & texts) >= _ENOUGH_TEXTS:
                return "refused by us alone"
        return "refused by both"
    assert isinstance(reading, tuple)
    name, rows = reading
    other = read_csv(folder, path, name)
    if other is None:
        return "read by us alone"
    return "DIFFERS" if differences(rows, other) - pairs else "alike"


def _keep(keep: Path | None, path: Path) -> None:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, keep)


if __name__ == "__main__":
    main()
