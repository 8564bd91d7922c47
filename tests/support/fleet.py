"""Orgs in a shared database, and workers that send their runs to a stand-in."""

import asyncio
import csv
import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from batchlock.config import Settings, load
from batchlock.confirming import refuse_unlocks
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.org import StoredOrg
from batchlock.core.results import RunResult
from batchlock.core.rows import MODULES
from batchlock.core.runs import Run
from batchlock.core.stop import StopCode, StopReason
from batchlock.fleet.engine import SharedEngine
from batchlock.fleet.worker import Worker
from batchlock.org_settings import keys_for_new_secrets, settings_of_org
from batchlock.simulator import Identity, sample_rows
from batchlock.store.sealing import new_key
from batchlock.store.store import Store
from support.forked_command import ForkedCommand
from support.zoho import StandIn

SIGTERM = StopReason(code=StopCode.SIGNAL, sentence="Interrupted by SIGTERM.", exit_code=143)
LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """Orgs with their sign-ins in a shared database."""

    stand_in: StandIn
    settings: Settings
    store: Store
    environment: dict[str, str]
    """What a worker process needs to serve these orgs."""

    def add_orgs(self, *numbers: int) -> None:
        """Add orgs of the stand-in: `org-001` and so on."""
        keys = keys_for_new_secrets(self.settings, self.store)
        for number in numbers:
            identity, url = Identity(number, is_only=False), self.stand_in.url
            secrets = {
                "client_id": identity.client_id,
                "client_secret": identity.client_secret,
                "refresh_token": identity.refresh_token,
            }
            name = name_of(number)
            sealed = {
                field: keys.seal(name, field, SecretStr(text)) for field, text in secrets.items()
            }
            org = StoredOrg(
                name=name,
                data_center="us",
                environment="production",
                api_url=url,
                accounts_url=url,
            )
            self.store.orgs.put([org], {name: sealed})

    def engine(self, number: int, **options: object) -> SharedEngine:
        """Return the engine of a command for an org."""
        settings = settings_of_org(self.settings, self.store, name_of(number), to_send=False)
        return SharedEngine(
            settings,
            replace(RunOptions(), **options),  # type: ignore[arg-type]
            CancelToken(),
            RunObserver(),
            store=self.store,
            confirm_unlocks=refuse_unlocks,
        )

    def start(self, number: int, rows: int) -> Run:
        """Put a run of an org into the queue, with updates of so many locks."""
        file = updates_of(number, rows)
        result = asyncio.run(self.engine(number, detach=True).run(file))
        assert result.exit_code == 0
        run = self.store.runs.get(result.summary.run_id)
        assert run is not None
        return run

    def run(self, number: int, rows: int) -> RunResult:
        """Send a file of an org, and follow it to its end."""
        return asyncio.run(self.engine(number).run(updates_of(number, rows)))

    def as_it_stands(self, run: Run) -> Run:
        """Return the record of a run."""
        stored = self.store.runs.get(run.run_id)
        assert stored is not None
        return stored

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """Let a worker run in a thread of its own during the block; end it in good order.

        Raises at the end what the worker has raised.
        """
        worker = Worker(self.settings, self.store)
        loops: list[asyncio.AbstractEventLoop] = []

        async def work() -> None:
            loops.append(asyncio.get_running_loop())
            await worker.run()

        with ThreadPoolExecutor(1) as thread:
            ended = thread.submit(asyncio.run, work())
            try:
                yield worker
            finally:
                until(lambda: bool(loops))
                with suppress(RuntimeError):  # it has ended by itself
                    loops[0].call_soon_threadsafe(worker.stop, SIGTERM)
                ended.result(LONGEST_WAIT_SECONDS)

    @contextmanager
    def worker_process(self, **variables: str) -> Iterator[ForkedCommand]:
        """Let a worker run in a process of its own during the block; kill it then."""
        process = ForkedCommand(["worker"], environment={**self.environment, **variables})
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)  # one that was stopped would not end
            process.kill()
            process.communicate()

    def is_held_by(self, number: int, process: ForkedCommand) -> bool:
        """Return whether a worker process holds the lease of an org."""
        holder = self.store.leases.holder(name_of(number))
        return holder is not None and holder.split(":")[1] == str(process.pid)


@contextmanager
def fleet_of(
    stand_in: StandIn,
    database_url: str,
    *numbers: int,
    lease: str = "10s",
    orgs_at_once: str = "20",
) -> Iterator[Fleet]:
    """Add orgs of a stand-in to a shared database."""
    environment = {
        "BATCHLOCK_DATABASE": database_url,
        "BATCHLOCK_SECRETS__KEY": new_key(),
        "BATCHLOCK_STATE_DIRECTORY": str(Path("state").absolute()),
        "BATCHLOCK_WORKER__LEASE": lease,
        "BATCHLOCK_WORKER__ORGS_AT_ONCE": orgs_at_once,
    }
    settings = load(environment=environment)
    with Store(settings.state, settings.database_url) as store:
        fleet = Fleet(stand_in, settings, store, environment)
        fleet.add_orgs(*numbers)
        yield fleet


def name_of(number: int) -> str:
    """Return the name of an org of the stand-in."""
    return f"org-{number:03}"


def updates_of(number: int, rows: int) -> Path:
    """Write a file of an org; its rows differ from those of every other file of the test."""
    path = Path(f"{name_of(number)}-{len(list(Path().glob('*.csv')))}.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("Module", "Record Id", "Lock Id", "Reason"))
        samples = sample_rows(Identity(number, is_only=False), 2 * rows)
        # A module that is known without a question to the org.
        known = (row for row in samples if row.module in MODULES)
        for row in itertools.islice(known, rows):
            # Each file has reasons of its own, so that no earlier run has done its rows.
            writer.writerow((row.module, row.record_id, row.lock_id, f"{row.reason} {path.stem}"))
    return path


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail after a minute, which no test should need."""
    event = threading.Event()
    for _ in range(int(LONGEST_WAIT_SECONDS / 0.05)):
        if condition():
            return
        event.wait(0.05)
    raise AssertionError("the condition never held")
