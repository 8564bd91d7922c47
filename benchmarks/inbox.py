"""Let files arrive in a folder that two inboxes watch, kill some, and compare every row with Zoho.

    python -m benchmarks.inbox --files 200 --rows 5 --kills 3

The stand-in's own record says what was sent. A killed inbox is replaced, so that there are two.
"""

import argparse
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import budgets
from benchmarks.__main__ import load
from benchmarks.fleet.stand_in import StandIn, stand_in
from benchmarks.measure import PYTHON
from benchmarks.rows import log

if TYPE_CHECKING:
    from collections.abc import Sequence

_TITLES = ("files", "rows", "kills", "seconds", "files a minute", "done", "attention", "left",
           "runs of more than one", "rows lost", "rows sent again", "results wrong",
           "CPU s of inboxes")  # fmt: skip
# A row that is in flight at a kill may be sent again, so that is no fault.
_FAULTS = ("attention", "left", "runs of more than one", "rows lost", "results wrong")
_TICK_SECONDS = 0.1
# Without any progress for so long, something hangs.
_LONGEST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Night:
    """The folder, and the files that arrive in it."""

    folder: Path
    files: int
    rows: int

    def arrive(self, number: int) -> None:
        """Let a file appear, written in two parts, under the name of a copying program first."""
        path = self.folder / f"file-{number:04}.csv"
        draft = path.with_suffix(".csv.part") if number % 2 else path
        lines = [
            ("Leads", record(number, row), record(number, row, lock=True), f"file {number}")
            for row in range(self.rows)
        ]
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("Module", "Record Id", "Lock Id", "Reason"))
            writer.writerows(lines[:1])
            file.flush()
            time.sleep(0.02)
            writer.writerows(lines[1:])
        if draft != path:
            draft.rename(path)

    def names(self, place: str = "") -> list[str]:
        """Return the names of files in the folder, or in one in it."""
        folder = self.folder / place
        return [
            entry.name
            for entry in (os.scandir(folder) if folder.is_dir() else ())
            if entry.is_file() and not entry.name.startswith(".")
        ]

    def inputs_in(self, place: str) -> list[str]:
        """Return the input files in one of the two folders."""
        return [
            name for name in self.names(place) if name.endswith(".csv") and "-results-" not in name
        ]


def record(number: int, row: int, *, lock: bool = False) -> str:
    """Return the id of a record of a file, or of its lock."""
    return f"{6 if lock else 5}8431{number:06}{row:07}"


def main() -> None:
    """Run the command."""
    arguments = _arguments()
    print(load(), flush=True)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inbox-")))
        night = _Night(home / "in", arguments.files, arguments.rows)
        night.folder.mkdir()
        zoho = stack.enter_context(stand_in(orgs=1, latency=arguments.latency))
        config = home / "config.yaml"
        config.write_text(json.dumps(_config(zoho.url, home)), "utf-8")
        started_monotonic = time.monotonic()
        cpu_before = os.times()
        chance = random.Random(arguments.seed)  # noqa: S311  no secret
        _run(night, config, arguments.kills, arguments.pause, chance)
        wall = time.monotonic() - started_monotonic
        cpu_after = os.times()
        cpu = sum(cpu_after[2:4]) - sum(cpu_before[2:4])
        line = _compare(night, zoho, config, arguments.kills, wall, cpu)
    print(f"\n{budgets.table(_TITLES, [line])}\n\n{load()}")
    figures = dict(zip(_TITLES, line, strict=True))
    if figures["done"] != str(arguments.files) or any(figures[title] != "0" for title in _FAULTS):
        sys.exit("Not every file was processed once.")


def _config(url: str, home: Path) -> dict[str, object]:
    sign_in = {"client_id": "me", "client_secret": "hush", "refresh_token": "mine"}
    return {
        "state_directory": str(home / "state"),
        "zoho": {"api_url": url, "accounts_url": url, **sign_in},
        "results": {"format": "csv"},
    }


def _run(
    night: _Night, config: Path, kills: int, pause_seconds: float, chance: random.Random
) -> None:
    """Let all files arrive while two inboxes work, and kill one now and then."""
    command = [PYTHON, "-m", "batchlock", "inbox", str(night.folder), "--watch", "-q"]

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603  our own module
            [*command, "--config", str(config)], stdout=subprocess.DEVNULL, cwd=night.folder.parent
        )

    inboxes = [start(), start()]
    thresholds = [night.files * (number + 1) // (kills + 1) for number in range(kills)]
    arrived = done = 0
    next_monotonic = progress_monotonic = time.monotonic()
    try:
        while arrived < night.files or night.names():
            now = time.monotonic()
            if arrived < night.files and now >= next_monotonic:
                night.arrive(arrived)
                arrived, next_monotonic = arrived + 1, now + pause_seconds
            if (count := len(night.inputs_in("done"))) != done:
                done, progress_monotonic = count, now
            if thresholds and done >= thresholds[0]:
                thresholds.pop(0)
                index = chance.randrange(2)
                inboxes[index].kill()
                inboxes[index].wait()
                log(f"killed one when {arrived} files had arrived and {done} were done")
                inboxes[index] = start()
            if now - progress_monotonic > _LONGEST_SECONDS:
                break
            time.sleep(_TICK_SECONDS)
    finally:
        for inbox in inboxes:
            inbox.send_signal(signal.SIGTERM)
        for inbox in inboxes:
            inbox.wait()


def _compare(
    night: _Night, zoho: StandIn, config: Path, kills: int, wall: float, cpu: float
) -> tuple[str, ...]:
    """Return the line of the table: what the folder and the stand-in's record say."""
    locks = zoho.locks(1)
    expected = {
        f"Leads/{record(number, row)}": f"file {number}"
        for number in range(night.files)
        for row in range(night.rows)
    }
    lost = sum(1 for key, reason in expected.items() if locks.get(key, {}).get("reason") != reason)
    again = sum(lock["updates"] - 1 for lock in locks.values())
    listed = subprocess.run(  # noqa: S603  our own module
        [PYTHON, "-m", "batchlock", "runs", "--json", "--config", str(config)],
        capture_output=True,
        check=True,
    )
    runs = Counter(run["file"] for run in json.loads(listed.stdout)["runs"])
    several = sum(1 for count in runs.values() if count > 1)
    values: Sequence[object] = (
        *(f"{night.files:,}", f"{night.files * night.rows:,}", kills, f"{wall:.0f}"),
        f"{60 * night.files / wall:.0f}",
        *(len(night.inputs_in("done")), len(night.inputs_in("attention")), len(night.names())),
        *(several, lost, again, _wrong_results(night), f"{cpu:.0f}"),
    )
    return tuple(map(str, values))


def _wrong_results(night: _Night) -> int:
    """Count the files without results that say `updated` in each of their rows."""
    right = 0
    for name in night.names("done"):
        if "-results-" in name:
            path = night.folder / "done" / name
            with path.open(encoding="utf-8-sig", newline="") as file:
                results = [line["Result"] for line in csv.DictReader(file)]
            right += results == ["updated"] * night.rows
    return abs(night.files - right)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.inbox")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rows", type=int, default=5, help="of each file")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two files")
    parser.add_argument("--latency", default="100ms", help="of the stand-in")
    parser.add_argument("--seed", type=int, default=1, help="of the choice which one is killed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
