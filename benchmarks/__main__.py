"""Measure batchlock beside its peers and print the tables of results."""

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
from benchmarks.rows import ROWS, Bench, Sizes, log

# A new version of any of these can change the figures, so the versions are printed with them.
_LIBRARIES = ("batchlock", "aiohttp", "orjson", "uvloop", "pandas", "openpyxl", "xlsxwriter",
              "python-calamine", "httpx", "requests", "zohocrmsdk8-0")  # fmt: skip
_OTHERS = ("what", "rows", "wall s", "CPU s", "CPU spread", "CPU µs a row", "peak MiB")


def main() -> None:
    """Run the command."""
    arguments = _arguments()
    # As an exception, SIGTERM removes the temporary folder and ends the measured processes too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sizes = Sizes(**{field.name: getattr(arguments, field.name) for field in fields(Sizes)})
    print(machine(), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=arguments.folder))
    try:
        bench = Bench(Place(folder), sizes, arguments.rounds)
        lines = []
        for name in arguments.only or ROWS:
            log(f"-- {name}")
            for line in ROWS[name](bench):
                lines.append(line.cells)
                log(" | ".join(line.cells))
        if lines:
            print(f"\n{budgets.table(budgets.TITLES, lines)}", flush=True)
        if bench.usages:
            others = [_other(*key, usages) for key, usages in bench.usages.items()]
            print(f"\n{budgets.table(_OTHERS, others)}", flush=True)
        if arguments.growth:
            log("-- growth")
            grown = growth.lines(bench.place, arguments.growth)
            print(f"\n{budgets.table(growth.TITLES, grown)}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # Once more at the end: another program may have started since the beginning.
    print(f"\n{load()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds of each measurement (%(default)s)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=tuple(ROWS), metavar="ROW", help=f"some of {', '.join(ROWS)}"
    )
    parser.add_argument(
        "--growth", nargs="+", type=int, metavar="N", help="also print the growth with the rows"
    )
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    for field in fields(Sizes):
        option = f"--{field.name.replace('_', '-')}"
        default = field.default
        parser.add_argument(option, type=int, default=default, metavar="N", help="%(default)s")
    return parser.parse_args()


def machine() -> str:
    """Return the machine and the versions of the libraries, in words."""
    versions = []
    # From the metadata and not by an import: this process must stay small (see measure.run).
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} not installed")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    )
    return "\n".join((system, ", ".join(versions), load()))


def load() -> str:
    """Return the load of the machine in words: on a busy one the figures mean little."""
    return f"load average {', '.join(f'{average:.2f}' for average in os.getloadavg())}"


def _other(name: str, rows: int, usages: list[Usage]) -> tuple[str, ...]:
    cpu = Spread.of([usage.cpu for usage in usages])
    return (
        name,
        f"{rows:,}" if rows else "",
        f"{Spread.of([usage.wall for usage in usages]).median:.2f}",
        f"{cpu.median:.2f}",
        f"{cpu.least:.2f} to {cpu.most:.2f}",
        f"{1e6 * cpu.median / rows:,.0f}" if rows else "",
        f"{Spread.of([usage.peak for usage in usages]).median:.0f}",
    )


if __name__ == "__main__":
    main()
