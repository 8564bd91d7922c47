"""How time and memory grow with the rows: plan, send and report, one after the other."""

import json
from dataclasses import dataclass

from benchmarks.contenders import Home, Place
from benchmarks.measure import Usage, server
from benchmarks.rows import say, shown

TITLES = ("rows", "phase", "wall s", "CPU s", "CPU µs a row", "peak MiB")


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase took."""

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

    The run is stopped as soon as it is planned, then resumed. The sending is what the resumed run
    took beyond writing the results, which a process of its own does once more.
    """
    file = place.file(rows, ".csv")
    folder = place.fresh()
    with server() as url:
        home = Home.at(folder, url)
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
    found = [_phase("plan", checked), sent, _phase("report, csv", reported)]
    found.append(_phase("report, xlsx", written))
    say(f"{rows:,} rows: check {shown(checked)}; resume {shown(resumed)}; report {shown(written)}")
    return found


def _phase(name: str, usage: Usage) -> Phase:
    return Phase(name, usage.wall, usage.cpu, usage.peak)
