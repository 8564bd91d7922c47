"""Measure how time and memory of plan, send and report grow with the number of rows."""

import json
from dataclasses import replace

from benchmarks.contenders import Home, Place
from benchmarks.measure import Usage, server
from benchmarks.rows import log, usage_text

TITLES = ("rows", "phase", "wall s", "CPU s", "CPU µs a row", "peak MiB")


def lines(place: Place, sizes: list[int]) -> list[tuple[str, ...]]:
    """Return the lines of the table, for files of these sizes."""
    return [
        (
            f"{rows:,}",
            name,
            f"{usage.wall:.2f}",
            f"{usage.cpu:.2f}",
            f"{1e6 * usage.cpu / rows:,.1f}",
            f"{usage.peak:.0f}",
        )
        for rows in sizes
        for name, usage in phases(place, rows).items()
    ]


def phases(place: Place, rows: int) -> dict[str, Usage]:
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
        # 6 is the exit code of a run that a stop rule has ended.
        planned = home.batchlock(
            "run", file, "-o", text, "--json", "--max-runtime", "1ms", codes=(6,)
        )
        run_id = json.loads(planned.out)["run_id"]
        resumed = home.batchlock("resume", run_id, "-o", text)
        reported = home.batchlock("report", run_id, "-o", text)
        written = home.batchlock("report", run_id, "-o", workbook)
    place.drop(folder)
    # The peak is that of the whole process: it cannot be divided between sending and reporting.
    sent = replace(resumed, wall=resumed.wall - reported.wall, cpu=resumed.cpu - reported.cpu)
    log(
        f"{rows:,} rows: check {usage_text(checked)}; resume {usage_text(resumed)}; "
        f"report {usage_text(written)}"
    )
    return {"plan": checked, "send": sent, "report, csv": reported, "report, xlsx": written}
