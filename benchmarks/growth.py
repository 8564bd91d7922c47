"""Measure how time and memory of plan, send and report grow with the number of rows."""

import json
from dataclasses import dataclass

from benchmarks.contenders import Home, Place
from benchmarks.measure import Usage, server
from benchmarks.rows import log, usage_text

TITLES = ("rows", "phase", "wall s", "CPU s", "CPU µs a row", "peak MiB")


@dataclass(frozen=True, slots=True)
class Phase:
    """The usage of one phase."""

    name: str
    wall: float
    cpu: float
    peak: float


def lines(place: Place, sizes: list[int]) -> list[tuple[str, ...]]:
    """Return the lines of the table, for files of these sizes."""
    return [
        (
            f"{rows:,}",
            phase.name,
            f"{phase.wall:.2f}",
            f"{phase.cpu:.2f}",
            f"{1e6 * phase.cpu / rows:,.1f}",
            f"{phase.peak:.0f}",
        )
        for rows in sizes
        for phase in phases(place, rows)
    ]


def phases(place: Place, rows: int) -> list[Phase]:
    """Measure the phases of one run, each as a process of its own.

    The run is stopped as soon as it is planned, then resumed. The usage of the sending is that of
    the resumed run less that of writing the results, which another process does once more.
    """
    file = place.file(rows, ".csv")
    folder = place.fresh()
    with server() as url:
        home = Home.create(folder, url)
        text, workbook = folder / "results.csv", folder / "results.xlsx"
        checked = home.batchlock("check", file)
        planned = home.batchlock(
            "run", file, "-o", text, "--json", "--max-runtime", "1ms", codes=(6,)
        )
        run_id = json.loads(planned.out)["run_id"]
        resumed = home.batchlock("resume", run_id, "-o", text)
        reported = home.batchlock("report", run_id, "-o", text)
        written = home.batchlock("report", run_id, "-o", workbook)
    place.drop(folder)
    sent = Phase("send", resumed.wall - reported.wall, resumed.cpu - reported.cpu, resumed.peak)
    log(
        f"{rows:,} rows: check {usage_text(checked)}; resume {usage_text(resumed)}; "
        f"report {usage_text(written)}"
    )
    return [
        _phase("plan", checked),
        sent,
        _phase("report, csv", reported),
        _phase("report, xlsx", written),
    ]


def _phase(name: str, usage: Usage) -> Phase:
    return Phase(name, usage.wall, usage.cpu, usage.peak)
