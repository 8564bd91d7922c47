"""Send the runs of many orgs with several workers, disturb them, and compare every row with Zoho.

    python -m benchmarks.fleet --orgs 60 --rows 100 --only kill stop

Each scenario has a database, a stand-in and workers of its own. Its line says what it has cost, and
what the database and the stand-in's own record of the calls say about every row.
"""

import argparse
import shutil
import signal
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from batchlock.config import seconds
from benchmarks import budgets
from benchmarks.__main__ import load
from benchmarks.fleet.database import Server
from benchmarks.fleet.orgs import orgs_in
from benchmarks.fleet.scenarios import NOT_BY_DEFAULT, SCENARIOS, Bench
from benchmarks.fleet.stand_in import CAP, Call, stand_in
from benchmarks.fleet.watch import Tenure, Watch, compare
from benchmarks.fleet.workers import workers
from benchmarks.rows import log

_TITLES = ("scenario", "calls above a cap", "lost", "untrue", "unrecorded", "sent again",
           "in doubt", "next call s", "late calls", "rows/s", "share of caps",
           "worker CPU ms a row", "PostgreSQL CPU ms a row", "MiB a worker", "notes")  # fmt: skip


def main() -> None:
    """Run the command."""
    arguments = _arguments()
    # As an exception, SIGTERM ends the processes and removes the folder, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(load(), flush=True)
    # Another user runs the database when this one is root.
    folder = Path(tempfile.mkdtemp(prefix="fleet-", dir=arguments.folder))
    folder.chmod(0o755)
    lines = []
    try:
        server = Server(folder / "postgres")
        try:
            usual = [name for name in SCENARIOS if name not in NOT_BY_DEFAULT]
            for name in arguments.only or usual:
                log(f"-- {name}")
                lines.append(_line(name, server, folder / name, arguments))
                log(" | ".join(lines[-1]))
        finally:
            server.close()
    finally:
        if arguments.keep:
            log(f"The logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{budgets.table(_TITLES, lines)}\n\n{load()}")


def _line(
    name: str, server: Server, folder: Path, arguments: argparse.Namespace
) -> tuple[str, ...]:
    """Return the figures of a scenario."""
    folder.mkdir()
    count, rows = arguments.orgs, arguments.orgs * arguments.rows
    with (
        server.database() as url,
        stand_in(orgs=count, latency=arguments.latency) as zoho,
        orgs_in(url, folder, lease=arguments.lease) as orgs,
        workers(
            folder,
            {**orgs.environment, "BATCHLOCK_WORKER__ORGS_AT_ONCE": str(arguments.orgs_at_once)},
            zoho.url,
        ) as group,
    ):
        numbers = range(1, count + 1)
        orgs.add(numbers, zoho.url)
        for number in numbers:
            orgs.start_run(number, arguments.rows)
        watch = Watch(url)
        watch.log_leases()
        bench = Bench(
            server=server,
            watch=watch,
            orgs=orgs,
            workers=group,
            count=arguments.workers,
            lease=seconds(arguments.lease),
            period=arguments.period,
            give_up=arguments.give_up,
            rows=rows,
        )
        cpu_before = server.cpu_seconds()
        SCENARIOS[name](bench)
        codes = group.close()
        # A server that was stopped counts from its start on.
        cpu = server.cpu_seconds()
        cpu = cpu - cpu_before if cpu > cpu_before else cpu
        calls, tenures = zoho.calls(), watch.tenures()
        found = compare(watch, zoho, count, calls)
    late = [
        call
        for takeover in bench.takeovers
        for call in takeover.late_calls(calls, tenures, group.caller)
    ]
    if late:
        (folder / "late_calls.txt").write_text("\n".join(map(str, late)), "utf-8")
    if found.again:
        (folder / "sent_again.txt").write_text(explained(calls, tenures), "utf-8")
    waits = [wait for takeover in bench.takeovers for wait in takeover.next_calls(calls)]
    if codes:
        bench.notes.append(f"exit codes of workers: {codes}")
    if found.states:
        bench.notes.append(found.states)
    possible = count * CAP / seconds(arguments.latency)
    return (
        name,
        f"{found.over_cap} (peak {found.peak} of {CAP})",
        str(found.lost),
        str(found.untrue),
        str(found.unrecorded),
        str(found.again),
        str(sum(takeover.in_doubt for takeover in bench.takeovers)),
        f"{min(waits):.1f} to {max(waits):.1f}, median {statistics.median(waits):.1f}"
        if waits
        else "",
        str(len(late)),
        f"{rows / found.seconds:,.0f}",
        f"{rows / found.seconds / possible:.0%}",
        f"{1e3 * sum(worker.cpu for worker in group.all) / rows:.2f}",
        f"{1e3 * cpu / rows:.2f}",
        f"{max(worker.memory for worker in group.all):.0f}",
        "; ".join(bench.notes),
    )


def explained(calls: list[Call], tenures: list[Tenure]) -> str:
    """Return the calls on each record that got several PUTs, with the holders of its org."""
    of_record = defaultdict(list)
    for call in calls:
        of_record[call.org, call.record_id].append(call)
    lines = []
    for (org, record_id), its in of_record.items():
        if record_id is not None and sum(call.kind == "put" for call in its) > 1:
            events: list[tuple[float, str]] = [
                (one.since, f"held by {one.pid}") for one in tenures if one.org == org
            ]
            events += [(one.time, f"{one.kind} from {one.port}, {one.answer}") for one in its]
            events += [(one.end, f"end of {one.kind}") for one in its if one.end is not None]
            lines += [f"org {org}, record {record_id}"]
            lines += [f"  {moment:.3f} {what}" for moment, what in sorted(events)]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=tuple(SCENARIOS), metavar="SCENARIO",
        help=f"some of {', '.join(SCENARIOS)}",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=3, help="%(default)s")
    parser.add_argument(
        "--orgs-at-once",
        type=int,
        default=100,
        help="of a worker; with more than the orgs, the first worker may take all (%(default)s)",
    )
    parser.add_argument("--orgs", type=int, default=20, help="%(default)s")
    parser.add_argument("--rows", type=int, default=50, help="of each org (%(default)s)")
    parser.add_argument("--latency", default="300ms", help="of a call (%(default)s)")
    parser.add_argument("--lease", default="15s", help="of a worker (%(default)s)")
    parser.add_argument(
        "--period", type=float, default=5.0, help="seconds between two kills (%(default)s)"
    )
    parser.add_argument(
        "--give-up", type=float, default=600.0, help="seconds for a scenario (%(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    parser.add_argument("--keep", action="store_true", help="keep the files and the logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
