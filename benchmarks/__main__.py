"""Measure batchlock beside its peers and print the tables."""

import argparse
import os
import platform
import shutil
import signal
import tempfile
from dataclasses import fields
from importlib import metadata
from pathlib import Path

from benchmarks import budgets, growth
from benchmarks.contenders import Place
from benchmarks.measure import Spread, Usage
from benchmarks.rows import ROWS, Bench, Sizes, say

_LIBRARIES = ("batchlock", "aiohttp", "orjson", "uvloop", "pandas", "openpyxl", "xlsxwriter",
              "python-calamine", "httpx", "requests", "zohocrmsdk8-0")  # fmt: skip
_OTHERS = ("what", "rows", "wall s", "CPU s", "CPU spread", "CPU µs a row", "peak MiB")


def main() -> None:
    """Be the command."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind
    sizes = Sizes(**{one.name: getattr(asked, one.name) for one in fields(Sizes)})
    print(machine(), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=asked.folder))
    try:
        bench = Bench(Place(folder), sizes, asked.rounds)
        lines = []
        for name in asked.only or ROWS:
            say(f"-- {name}")
            for line in ROWS[name](bench):
                lines.append(line.cells)
                say(" | ".join(line.cells))
        if lines:
            print(f"\n{budgets.table(budgets.TITLES, lines)}", flush=True)
        if bench.seen:
            others = [_other(*key, usages) for key, usages in bench.seen.items()]
            print(f"\n{budgets.table(_OTHERS, others)}", flush=True)
        if asked.growth:
            say("-- growth")
            grown = growth.lines(bench.place, asked.growth)
            print(f"\n{budgets.table(growth.TITLES, grown)}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{load()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement (%(default)s)")
    parser.add_argument(
        "--only", nargs="+", choices=tuple(ROWS), metavar="ROW", help=f"of {', '.join(ROWS)}"
    )
    parser.add_argument(
        "--growth", nargs="+", type=int, metavar="N", help="print the table of growth, too"
    )
    parser.add_argument("--folder", type=Path, help="for everything temporary")
    for one in fields(Sizes):
        option = f"--{one.name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=one.default, metavar="N", help="%(default)s")
    return parser.parse_args()


def machine() -> str:
    """Describe the machine, and what is measured on it."""
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    where = (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    )
    return "\n".join((where, ", ".join(found), load()))


def load() -> str:
    """Say how busy the machine is."""
    return f"load average {', '.join(f'{one:.2f}' for one in os.getloadavg())}"


def _other(name: str, rows: int, usages: list[Usage]) -> tuple[str, ...]:
    cpu = Spread.of([one.cpu for one in usages])
    return (
        name,
        f"{rows:,}" if rows else "",
        f"{Spread.of([one.wall for one in usages]).median:.2f}",
        f"{cpu.median:.2f}",
        f"{cpu.least:.2f} to {cpu.most:.2f}",
        f"{1e6 * cpu.median / rows:,.0f}" if rows else "",
        f"{Spread.of([one.peak for one in usages]).median:.0f}",
    )


if __name__ == "__main__":
    main()
