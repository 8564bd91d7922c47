"""The rows of the budget table: each function measures and yields its lines."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.budgets import Budget, Line
from benchmarks.contenders import SENDERS, WORKERS, Home, Place, curl, is_installed, send_with
from benchmarks.measure import (
    PYTHON,
    Usage,
    counts,
    run,
    server,
    until_first_put,
    with_benchmarks,
)

# One start of a process is too short to measure, so this many count as one round.
_STARTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The number of rows of each measurement, and the delay of the slow server."""

    rows: int = 20_000
    """For a whole run against the server that answers at once."""
    peer_rows: int = 5_000
    """For the senders side by side, some of which are slow."""
    latency_rows: int = 2_500
    long_rows: int = 20_000
    """For runs bound by latency, short and long."""
    many_rows: int = 100_000
    """For the journal, the results and the first PUT."""
    most_rows: int = 1_000_000
    """For the check, and for the growth of memory from a tenth of it."""
    delay_ms: int = 150
    jitter_ms: int = 50


@dataclass(frozen=True, slots=True)
class Bench:
    """The folder, sizes and rounds of all measurements, and their usages."""

    place: Place
    sizes: Sizes
    rounds: int
    usages: dict[tuple[str, int], list[Usage]] = field(default_factory=dict)
    """By the name of the contender and its rows, for the second table."""

    def compare(
        self, rows: int, contenders: Mapping[str, Callable[[Home], Usage]], *, url: str = ""
    ) -> list[list[Usage]]:
        """Measure the contenders in turn, round by round; return the rounds of each."""
        # In turn, because the speed of a machine drifts.
        measured: list[list[Usage]] = [[] for _ in contenders]
        for number in range(self.rounds):
            for usages, (name, contender) in zip(measured, contenders.items(), strict=True):
                folder = self.place.fresh()
                usage = contender(Home.create(folder, url) if url else Home.create(folder))
                self.place.drop(folder)
                usages.append(usage)
                self.usages.setdefault((name, rows), []).append(usage)
                log(f"{number + 1}/{self.rounds} {name}, {rows:,} rows: {usage_text(usage)}")
        return measured


def log(text: str) -> None:
    """Print a line about the progress on standard error."""
    print(text, file=sys.stderr, flush=True)


def usage_text(usage: Usage) -> str:
    """Return time and memory of a process in words."""
    return f"{usage.wall:.2f} s, {usage.cpu:.2f} s CPU, {usage.peak:.0f} MiB"


def _ratios(ours: Sequence[Usage], theirs: Sequence[Usage], figure: str) -> list[float]:
    return [
        float(getattr(our, figure) / getattr(their, figure))
        for our, their in zip(ours, theirs, strict=True)
    ]


def _run_to(name: str, file: object, *options: object) -> Callable[[Home], Usage]:
    return lambda home: home.batchlock("run", file, "-o", home.folder / name, *options)


def whole_run(bench: Bench) -> Iterator[Line]:
    """Run a workbook to a workbook of results, against a server that answers at once."""
    rows = bench.sizes.rows
    file = bench.place.file(rows, ".xlsx")
    with server() as url:
        ours, theirs = bench.compare(
            rows,
            {
                "batchlock run, xlsx to xlsx": _run_to("results.xlsx", file),
                "plain script (pandas, openpyxl, gather, tqdm)": lambda home: home.peer(
                    "plain", file, home.folder / "results.xlsx", url, WORKERS
                ),
            },
            url=url,
        )
    how = f"whole run of {rows:,} rows, server at once, beside the plain script"
    cpu = Budget("CPU against the plain script", 0.6, 0.4, "x")
    yield Line(cpu, _ratios(ours, theirs, "cpu"), how)
    peak = Budget("peak memory against the plain script", 0.7, 0.5, "x")
    yield Line(peak, _ratios(ours, theirs, "peak"), how)


def csv_run(bench: Bench) -> Iterator[Line]:
    """Run a CSV to CSV results, beside a bare pool of workers."""
    rows = bench.sizes.rows
    file = bench.place.file(rows, ".csv")
    peer = "bare aiohttp pool"
    with server() as url:
        ours, theirs = bench.compare(
            rows,
            {
                "batchlock run, csv to csv": _run_to("results.csv", file),
                peer: lambda home: send_with(peer, home, file, url),
            },
            url=url,
        )
    yield Line(
        Budget("CPU of a CSV run against a bare aiohttp pool", 2.0, 1.3, "x"),
        _ratios(ours, theirs, "cpu"),
        f"whole run of {rows:,} rows, CSV to CSV, server at once",
    )


def senders(bench: Bench) -> Iterator[Line]:
    """Measure everything that sends, side by side, for the second table."""
    rows = bench.sizes.peer_rows
    file = bench.place.file(rows, ".csv")
    with server() as url:
        contenders: dict[str, Callable[[Home], Usage]] = {
            "batchlock run, csv to csv": _run_to("results.csv", file)
        }
        for name, (module, _) in SENDERS.items():
            if is_installed(module):
                contenders[name] = partial(send_with, name, file=file, url=url)
            else:
                log(f"{name}: left out, its library is not installed")
        if shutil.which("curl"):
            contenders["curl --parallel"] = lambda home: curl(home, file, url)
        bench.compare(rows, contenders, url=url)
    yield from ()


def readers(bench: Bench) -> Iterator[Line]:
    """Measure everything that reads, side by side, for the second table."""
    rows = bench.sizes.many_rows
    text, workbook = bench.place.file(rows, ".csv"), bench.place.file(rows, ".xlsx")
    bench.compare(
        rows,
        {
            "batchlock check, csv": lambda home: home.batchlock("check", text),
            "csv.reader": lambda home: home.peer("reading", "csv_reader", text),
            "batchlock check, xlsx": lambda home: home.batchlock("check", workbook),
            "python-calamine": lambda home: home.peer("reading", "calamine", workbook),
            "pandas with openpyxl": lambda home: home.peer("reading", "pandas", workbook),
        },
    )
    yield from ()


def latency(bench: Bench) -> Iterator[Line]:
    """Run against a slow server with 25 calls in flight, and compare with the ideal.

    A run that begins with 5 and finds the 25 by itself is in the second table.
    """
    rows = bench.sizes.latency_rows
    file = bench.place.file(rows, ".csv")
    name = "batchlock run, latency-bound"
    share = _shares(bench, f"{name}, 25 set", file, rows, WORKERS, whole=True, is_set=True)
    _shares(bench, f"{name}, auto", file, rows, WORKERS, whole=True)
    _shares(bench, "bare aiohttp pool, latency-bound", file, rows, WORKERS, whole=True, pool=True)
    yield Line(
        Budget("latency-bound: share of the ideal", 90, 96, "%", more_is_better=True),
        [percent for percent, _ in share],
        f"whole process, {rows:,} rows, {_delay(bench)}, {WORKERS} in flight",
    )


def long_latency(bench: Bench) -> Iterator[Line]:
    """Measure the sending alone over a longer run, by the clock of the server."""
    rows = bench.sizes.long_rows
    file = bench.place.file(rows, ".csv")
    name = "batchlock run, latency-bound, 25 set"
    share = _shares(bench, name, file, rows, WORKERS, whole=False, is_set=True)
    yield Line(
        Budget("latency-bound, sending alone", 98.5, 99.5, "%", more_is_better=True),
        [percent for percent, _ in share],
        f"first PUT to last answer, {rows:,} rows, {_delay(bench)}, {WORKERS} in flight",
    )


def cap(bench: Bench) -> Iterator[Line]:
    """Run against an org that allows fewer calls than `auto` would try."""
    rows, most = bench.sizes.latency_rows, 10
    file = bench.place.file(rows, ".csv")
    shares = _shares(bench, f"batchlock run, cap {most}", file, rows, most, whole=True, cap=most)
    how = f"whole process, {rows:,} rows, {_delay(bench)}, refused above {most}"
    share = Budget("cap below the workers: share of the ideal", 90, 97, "%", more_is_better=True)
    yield Line(share, [percent for percent, _ in shares], how)
    extra = Budget("cap below the workers: extra calls", 2, 0.5, "%")
    yield Line(extra, [extra_calls for _, extra_calls in shares], how)


def _delay(bench: Bench) -> str:
    return f"{bench.sizes.delay_ms} ms ± {bench.sizes.jitter_ms}"


def _shares(
    bench: Bench,
    name: str,
    file: object,
    rows: int,
    in_flight: int,
    *,
    whole: bool,
    cap: int = 0,
    pool: bool = False,
    is_set: bool = False,
) -> list[tuple[float, float]]:
    """Return the share of the ideal and the extra calls of each round, in per cent.

    The ideal is the sum of the delays that the server drew, divided by `in_flight`. batchlock finds
    that number by itself, unless it `is_set` by an option.
    """
    shares = []

    def measured(home: Home) -> Usage:
        sizes = bench.sizes
        delay, jitter = sizes.delay_ms / 1000, sizes.jitter_ms / 1000
        with server(delay=delay, jitter=jitter, cap=cap) as url:
            # Each round has a new server, whose address is known only now.
            home = Home.create(home.folder, url)
            if pool:
                arguments = (file, home.folder / "results.csv", url, in_flight)
                usage = home.peer("pool", *arguments)
            else:
                options = ("--in-flight", in_flight) if is_set else ()
                usage = _run_to("results.xlsx", file, *options)(home)
            seen = counts(url)
        took = usage.wall if whole else seen.last - seen.first
        ideal = seen.delays / in_flight
        log(
            f"  ideal {ideal:.2f} s; first PUT after "
            f"{seen.first - usage.started_monotonic:.2f} s, sending "
            f"{seen.last - seen.first:.2f} s, after the last answer "
            f"{usage.started_monotonic + usage.wall - seen.last:.2f} s; peak {seen.peak}, "
            f"{seen.refused} refused"
        )
        shares.append((100 * ideal / took, 100 * (seen.accepted + seen.refused - rows) / rows))
        return usage

    bench.compare(rows, {name: measured})
    return shares


def check(bench: Bench) -> Iterator[Line]:
    """Check a very large workbook, beside only reading it."""
    rows = bench.sizes.most_rows
    file = bench.place.file(rows, ".xlsx")
    ours, theirs = bench.compare(
        rows,
        {
            "batchlock check, xlsx": lambda home: home.batchlock("check", file),
            "python-calamine": lambda home: home.peer("reading", "calamine", file),
        },
    )
    how = f"check of {rows:,} rows, xlsx"
    cpu = Budget("CPU of a check against bare python-calamine", 3, 1.5, "x")
    yield Line(cpu, _ratios(ours, theirs, "cpu"), how)
    peak = Budget("memory of a check against bare python-calamine", 1.7, 1.2, "x")
    yield Line(peak, _ratios(ours, theirs, "peak"), how)


def memory(bench: Bench) -> Iterator[Line]:
    """Measure whether memory grows with the file.

    One round is enough: memory hardly differs between rounds.
    """
    once = Bench(bench.place, bench.sizes, 1, bench.usages)
    most = bench.sizes.most_rows
    peaks = []
    for rows in (most // 10, most):
        file = bench.place.file(rows, ".csv")
        with server() as url:
            name = "batchlock run, csv to csv"
            [[usage]] = once.compare(rows, {name: _run_to("results.csv", file)}, url=url)
        peaks.append(usage.peak)
    yield Line(
        Budget("memory growth of a CSV run", 60, 15, "MiB"),
        [peaks[1] - peaks[0]],
        f"{most // 10:,} to {most:,} rows, CSV to CSV, {peaks[0]:.0f} to {peaks[1]:.0f} MiB, "
        "one round",
    )


def journal(bench: Bench) -> Iterator[Line]:
    """Do with a journal what a run does."""
    rows = bench.sizes.many_rows
    parts = []

    def measured(home: Home) -> Usage:
        command = [PYTHON, "-m", "benchmarks.journal", str(rows)]
        usage = run(command, env=with_benchmarks(home.env), cwd=home.folder)
        parts.append({name: 1e6 * cpu / rows for name, cpu in json.loads(usage.out).items()})
        return usage

    bench.compare(rows, {"journal alone": measured})
    # The parts of one round and not the median of each part, so that they add up to a total.
    middle = sorted(parts, key=lambda part: sum(part.values()))[len(parts) // 2]
    yield Line(
        Budget("journal: CPU per row", 20, 10, "µs"),
        [sum(part.values()) for part in parts],
        f"{rows:,} rows: " + ", ".join(f"{name} {cpu:.1f}" for name, cpu in middle.items()),
    )


def results(bench: Bench) -> Iterator[Line]:
    """Write the results workbook of a finished run, beside libraries that write the same lines."""
    rows = bench.sizes.many_rows
    file = bench.place.file(rows, ".csv")
    folder = bench.place.fresh()
    with server() as url:
        done = Home.create(folder, url)
        lines = folder / "results.csv"
        log(f"making a run of {rows:,} rows to report")
        run_id = json.loads(done.batchlock("run", file, "-o", lines, "--json").out)["run_id"]
        again = ("report", run_id, "-o", folder / "again.xlsx")
        ours, theirs, _ = bench.compare(
            rows,
            {
                "batchlock report, xlsx": lambda _: done.batchlock(*again),
                "openpyxl write-only": lambda home: home.peer(
                    "writing", "openpyxl", lines, home.folder / "bare.xlsx"
                ),
                "XlsxWriter in constant memory": lambda home: home.peer(
                    "writing", "xlsxwriter", lines, home.folder / "bare.xlsx"
                ),
            },
        )
    bench.place.drop(folder)
    yield Line(
        Budget("results: CPU against bare openpyxl write-only", 0.7, 0.3, "x"),
        _ratios(ours, theirs, "cpu"),
        f"`report` of {rows:,} rows, the same lines from a CSV beside it",
    )


def first_put(bench: Bench) -> Iterator[Line]:
    """Measure the time from the start of the command to its first call."""
    rows = bench.sizes.many_rows
    file = bench.place.file(rows, ".csv")
    waits = []
    for _ in range(bench.rounds):
        folder = bench.place.fresh()
        with server(delay=bench.sizes.delay_ms / 1000) as url:
            home = Home.create(folder, url)
            output = str(folder / "results.csv")
            command = [PYTHON, "-m", "batchlock", "run", str(file), "-o", output]
            waits.append(until_first_put(command, url, env=home.env, cwd=folder))
        bench.place.drop(folder)
        log(f"first PUT after {waits[-1]:.2f} s")
    yield Line(Budget("first PUT after start", 2.5, 1.0, "s"), waits, f"CSV of {rows:,} rows")


def start(bench: Bench) -> Iterator[Line]:
    """Start the program for its help only."""

    def several(command: list[str]) -> Callable[[Home], Usage]:
        def measured(home: Home) -> Usage:
            starts = [run(command, env=home.env, cwd=home.folder) for _ in range(_STARTS)]
            wall, cpu = sum(start.wall for start in starts), sum(start.cpu for start in starts)
            peak = max(start.peak for start in starts)
            return Usage(starts[0].started_monotonic, wall / _STARTS, cpu / _STARTS, peak, "")

        return measured

    ours, theirs = bench.compare(
        0,
        {
            "batchlock --help": several([PYTHON, "-m", "batchlock", "--help"]),
            "python -c pass": several([PYTHON, "-c", "pass"]),
        },
    )
    cpu = [f"{ratio:.1f}" for ratio in _ratios(ours, theirs, "cpu")]
    yield Line(
        Budget("--help against python -c pass", 6, 4, "x"),
        _ratios(ours, theirs, "wall"),
        f"wall clock of {_STARTS} starts each; CPU {', '.join(cpu)} x",
    )


ROWS: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "whole": whole_run,
    "csv": csv_run,
    "latency": latency,
    "long": long_latency,
    "cap": cap,
    "check": check,
    "memory": memory,
    "journal": journal,
    "results": results,
    "first": first_put,
    "help": start,
    "senders": senders,
    "readers": readers,
}
