"""Run the fuzzer and print what it found."""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from fuzz.mutate import mutant
from fuzz.opinions import READERS, Sheets, convert_with_libreoffice, with_libreoffice
from fuzz.readers import Reading, Rows, differences, read_with_batchlock
from fuzz.seeds import seeds
from fuzz.workers import Answer, Worker

_BATCH = 500
# The texts of the workbooks by which a reading is recognised: ids and reasons, not "Leads".
_LONG, _ENOUGH_TEXTS = 8, 6
# LibreOffice also reads one of so many other mutants.
_SAMPLE = 50
_HIGH_PEAK_BYTES = 300 << 20
_SECOND_MEMORY_BYTES = 2 << 30

_ALONE_CHANGED = "read by us alone, changed"
_ALIKE, _ALONE, _BOTH = "alike", "read by us alone", "refused by both"
_REFUSED, _DIFFERS = "refused by us alone", "DIFFERS"
# Cells that the other program shows as blank: it does not know their type, or lost their texts.
_MORE = "shows more"
_CRASH, _TRACEBACK, _HIGH = "parser crash", "TRACEBACK", "HIGH MEMORY"
# Of two verdicts the first one here counts: one program that reads the same is enough, and so is
# one that reads what is refused.
_ORDER = (_ALIKE, _REFUSED, _MORE, _DIFFERS, _ALONE_CHANGED, _ALONE, _BOTH).index
_KEPT = (_REFUSED, _MORE, _DIFFERS, _ALONE_CHANGED, _CRASH, _TRACEBACK, _HIGH)

_SECOND, _THIRD = "the second reader", "LibreOffice"
# A reader that loses the cells of a workbook before any change is no opinion about its mutants.
_MAX_KNOWN = 5

Pairs = set[tuple[str, str]]


class Fuzzer:
    """The readers, and what was counted."""

    def __init__(self, sources: Sequence[tuple[str, bytes]], memory_bytes: int, keep: Path) -> None:
        self._sources, self._keep = sources, keep
        self._batchlock = Worker(read_with_batchlock, memory_bytes, quiet=False)
        endings = {_ending(name) for name, _ in sources}
        self._others = {
            ending: Worker(READERS[ending], _SECOND_MEMORY_BYTES, quiet=True) for ending in endings
        }
        self.counts = {ending: Counter[str]() for ending in sorted(endings)}
        self.peaks = dict.fromkeys(endings, 0)
        self._texts: set[str] = set()
        self._rows: dict[str, Rows] = {}
        self._known: dict[tuple[str, str], Pairs | None] = {}
        self._read_sources()

    def run_batch(self, rng: random.Random, folder: Path, numbers: range) -> None:
        """Read mutants with all programs, and count how they compare."""
        readings: dict[Path, Reading] = {}
        others: dict[Path, Sheets] = {}
        for at in numbers:
            name, content = rng.choice(self._sources)
            path = _named(folder, at, name)
            path.write_bytes(mutant(rng, name, content))
            self.counts[path.suffix]["mutants"] += 1
            answer = self._batchlock.read(path)
            self._look_at(path, answer)
            readings[path] = answer.value or "a crash"
            others[path] = self._others[path.suffix].read(path).value or {}
        verdicts = {
            path: self._verdict(path, readings[path], _SECOND, others[path]) for path in readings
        }
        unsettled = [
            path
            for path, verdict in verdicts.items()
            if verdict in (_MORE, _DIFFERS, _ALONE_CHANGED) or rng.randrange(_SAMPLE) == 0
        ]
        convert_with_libreoffice(folder, unsettled)
        for path, verdict in verdicts.items():
            if path in unsettled:
                converted = with_libreoffice(folder, path)
                third = self._verdict(path, readings[path], _THIRD, converted)
                if verdict == _ALIKE and third == _DIFFERS:
                    self._count(path, "alike, and not as LibreOffice")
                verdict = min(verdict, third, key=_ORDER)
            self._count(path, verdict)

    def _look_at(self, path: Path, answer: Answer[Reading]) -> None:
        """Count what a reading must not do."""
        self.peaks[path.suffix] = max(self.peaks[path.suffix], answer.peak_bytes)
        if answer.peak_bytes > _HIGH_PEAK_BYTES:
            self._count(path, _HIGH)
        # batchlock turns the crash of a parser into a sentence; a panic is one.
        if answer.crash or "PanicException" in answer.traceback:
            self._count(path, _CRASH)
        elif answer.traceback:
            self._count(path, _TRACEBACK)
        if answer.crash or answer.traceback:
            print(path.name, answer.crash, answer.traceback, file=sys.stderr, flush=True)

    def _verdict(self, path: Path, reading: Reading, reader: str, sheets: Sheets) -> str:
        """Say how a reading compares with that of another program."""
        if isinstance(reading, str):
            # LibreOffice reads rubbish as a text file: a reading counts when it shows most texts.
            for rows in sheets.values():
                if len({cell for row in rows for cell in row} & self._texts) >= _ENOUGH_TEXTS:
                    return _REFUSED
            return _BOTH
        known = self._known[_source(path), reader]
        other_rows = _sheet(sheets, reading[0])
        if other_rows is None or known is None or (reading[1] and not other_rows):
            # A blank sheet is what programs show for a part that they do not find.
            unchanged = not differences(reading[1], self._rows[_source(path)])
            return _ALONE if unchanged else _ALONE_CHANGED
        differing = differences(reading[1], other_rows) - known
        if not differing:
            return _ALIKE
        return _DIFFERS if any(other for _, other in differing) else _MORE

    def _read_sources(self) -> None:
        """Find the cells that programs read differently in the workbooks before any change."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            paths = [_named(folder, at, source) for at, (source, _) in enumerate(self._sources)]
            for path, (_, content) in zip(paths, self._sources, strict=True):
                path.write_bytes(content)
            convert_with_libreoffice(folder, paths)
            for path in paths:
                reading = self._batchlock.read(path).value
                assert isinstance(reading, tuple), (path, reading)
                self._rows[_source(path)] = reading[1]
                self._texts.update(cell for row in reading[1] for cell in row if len(cell) > _LONG)
                second = self._others[path.suffix].read(path).value or {}
                third = with_libreoffice(folder, path)
                for reader, sheets in ((_SECOND, second), (_THIRD, third)):
                    rows = _sheet(sheets, reading[0])
                    pairs = None if rows is None else differences(reading[1], rows)
                    usable = pairs is not None and len(pairs) <= _MAX_KNOWN
                    self._known[_source(path), reader] = pairs if usable else None
                    if not usable:
                        print(f"{reader} does not read {_source(path)}")

    def _count(self, path: Path, verdict: str) -> None:
        self.counts[path.suffix][verdict] += 1
        if verdict in _KEPT:
            folder = self._keep / verdict.replace(" ", "-").lower()
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder)


def main() -> None:
    """Read the mutants of each batch, and print the counts of each format."""
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formats", default="xlsx,xlsb,xls,ods")
    parser.add_argument("--keep", type=Path, required=True, help="a folder for odd mutants")
    parser.add_argument("--memory", type=int, default=1 << 30, help="bytes that a reading may take")
    arguments = parser.parse_args()
    endings = {f".{one}" for one in arguments.formats.split(",")}
    sources = [one for one in seeds() if _ending(one[0]) in endings]
    fuzzer = Fuzzer(sources, arguments.memory, arguments.keep)
    for start in range(0, arguments.count, _BATCH):
        rng = random.Random(f"{arguments.seed}-{start}")
        with tempfile.TemporaryDirectory() as folder:
            fuzzer.run_batch(rng, Path(folder), range(start, min(start + _BATCH, arguments.count)))
        _print(fuzzer.counts, fuzzer.peaks)


def _print(counts: Mapping[str, Counter[str]], peaks: Mapping[str, int]) -> None:
    for ending, counter in counts.items():
        numbers = ", ".join(f"{verdict} {number:,}" for verdict, number in counter.items())
        print(f"{ending}: {numbers}, peak {peaks[ending] >> 20} MiB", flush=True)


def _named(folder: Path, number: int, source: str) -> Path:
    return folder / f"{number}-{source.replace('.', '_')}{_ending(source)}"


def _source(path: Path) -> str:
    return path.stem.partition("-")[2]


def _sheet(sheets: Sheets, name: str) -> Rows | None:
    """Return the rows of a sheet; one without a name may have one in another program."""
    return sheets.get(name) or (next(iter(sheets.values())) if sheets and not name else None)


def _ending(name: str) -> str:
    return Path(name).suffix


if __name__ == "__main__":
    main()
