"""Let many people use one page at the same time, and print how long each view takes.

    python -m benchmarks.page --people 300 --minutes 10

The page is `batchlock serve` with an embedded store, the stand-in for Zoho has ten orgs. A tenth of
the people upload files, start, pause and resume them; a third open one page after the other; the
others watch runs. All processes share this machine, and so does the one that plays the people.
"""

import argparse
import asyncio
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import SecretStr

from batchlock.config import Settings
from batchlock.config import load as load_settings
from batchlock.core.org import StoredOrg
from batchlock.org_settings import put_orgs
from batchlock.simulator import Identity
from batchlock.store.store import Store
from batchlock.web.auth.passwords import hash_password
from benchmarks import budgets
from benchmarks.__main__ import load
from benchmarks.fleet.stand_in import stand_in
from benchmarks.measure import PYTHON
from benchmarks.page.people import PASSWORD, Figures, Person
from benchmarks.rows import log

_ORGS = 10
_ADDRESS = re.compile(r"is at (http://\S+)\.")
_TITLES = ("view", "requests", "median ms", "p95 ms", "p99 ms", "most ms", "failed")
_MEASURED_EVERY_SECONDS = 10.0


def main() -> None:
    """Run the command."""
    arguments = _arguments()
    # As an exception, SIGTERM ends the processes, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(load(), flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="page-") as name,
        stand_in(orgs=_ORGS, latency="300ms") as zoho,
    ):
        folder = Path(name)
        _prepare(folder, zoho.url, arguments.people)
        with _server(folder) as (process, url):
            figures, usage = asyncio.run(
                _use(url, process, arguments.people, 60 * arguments.minutes)
            )
            _count_runs(folder)
    lines = [_line(view, figures) for view in sorted(figures.seconds)]
    print(f"\n{budgets.table(_TITLES, lines)}\n")
    print(f"Sign-ins that were asked to come again (429): {figures.refused}")
    print("Failures:", dict(figures.failures) or "none")
    print("minute: MiB of the server, MiB of all its processes, files open, CPU s of the server")
    for minute, values in usage:
        print(f"{minute:5.1f}: {', '.join(f'{value:,.0f}' for value in values)}")
    print(load())


def _prepare(folder: Path, zoho_url: str, people: int) -> None:
    """Make the store with its orgs and people, and the configuration."""
    state = folder / "state"
    config = {
        "state_directory": str(state),
        "web": {"trusted_proxy": ["127.0.0.1"], "max_connections": 4 * people},
    }
    (folder / "config.yaml").write_text(json.dumps(config), "utf-8")  # JSON is YAML
    settings: Settings = load_settings(file=folder / "config.yaml", environment={})
    password_hash = hash_password(PASSWORD)  # one for all: each takes 50 ms
    with Store(state) as store:
        put_orgs(settings, store, [_org(number, zoho_url) for number in range(1, _ORGS + 1)])
        for number in range(people):
            store.people.put(f"person{number}", password_hash)


def _org(number: int, url: str) -> tuple[StoredOrg, dict[str, SecretStr]]:
    identity = Identity(number, is_only=False)
    org = StoredOrg(
        name=f"org{number}",
        data_center="us",
        environment="production",
        api_url=url,
        accounts_url=url,
    )
    names = ("client_id", "client_secret", "refresh_token")
    return org, {name: SecretStr(getattr(identity, name)) for name in names}


@contextmanager
def _server(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run the page; yield its process and its address."""
    command = [PYTHON, "-m", "batchlock", "serve", "--port", "0"]
    process = subprocess.Popen(  # noqa: S603  our own command
        [*command, "--config", str(folder / "config.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = next(filter(None, map(_ADDRESS.search, process.stdout)), None)
        if found is None:
            raise RuntimeError("the page did not start")
        yield psutil.Process(process.pid), found[1]
    finally:
        # The processes of runs outlive their server.
        runs = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.communicate()
        for run in runs:
            with suppress(psutil.NoSuchProcess):
                run.terminate()
        psutil.wait_procs(runs)


async def _use(
    url: str, process: psutil.Process, people: int, seconds: float
) -> tuple[Figures, list[tuple[float, tuple[float, ...]]]]:
    """Let people use the page for a time; return what they saw, and what the server needed."""
    figures = Figures()
    began = time.monotonic()
    users = asyncio.gather(
        *(
            Person(number, url, f"org{number // 10 % _ORGS + 1}", figures).use(began + seconds)
            for number in range(people)
        )
    )
    usage = []
    while not users.done():
        usage.append(((time.monotonic() - began) / 60, _usage(process)))
        log(f"{usage[-1]}")
        await asyncio.wait([users], timeout=_MEASURED_EVERY_SECONDS)
    await users
    return figures, usage


def _usage(process: psutil.Process) -> tuple[float, ...]:
    """Return MiB of the server, MiB of all its processes, open files, and CPU seconds."""
    all_bytes = 0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            all_bytes += each.memory_info().rss
    times = process.cpu_times()
    own = process.memory_info().rss
    return own / 2**20, all_bytes / 2**20, process.num_fds(), times.user + times.system


def _count_runs(folder: Path) -> None:
    with Store(folder / "state") as store:
        runs = store.runs.all()
    settled = sum(run.figures.settled for run in runs)
    print(f"{len(runs)} runs, {settled:,} of {sum(run.figures.rows for run in runs):,} rows done")


def _line(view: str, figures: Figures) -> tuple[str, ...]:
    seconds = sorted(figures.seconds[view])
    failed = sum(count for (name, _), count in figures.failures.items() if name == view)
    cuts = (
        statistics.quantiles(seconds, n=100, method="inclusive")
        if len(seconds) > 1
        else [*seconds] * 99
    )
    times = (statistics.median(seconds), cuts[94], cuts[98], seconds[-1])
    return (
        view, f"{len(seconds):,}", *(f"{1000 * time:,.0f}" for time in times), f"{failed:,}",
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--people", type=int, default=300, help="how many people use the page")
    parser.add_argument("--minutes", type=float, default=10, help="for how long")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
