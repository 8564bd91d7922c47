"""Orgs with their sign-ins in a database, and runs of theirs that wait for a worker."""

import asyncio
import csv
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from batchlock.config import Settings, load
from batchlock.confirming import refuse_unlocks
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.org import StoredOrg
from batchlock.core.rows import MODULES
from batchlock.core.runs import RunState
from batchlock.fleet.engine import SharedEngine
from batchlock.org_settings import keys_for_new_secrets, settings_of_org
from batchlock.plan import child
from batchlock.plan.child_main import ReadRequest, plan_file
from batchlock.simulator import Identity, sample_rows
from batchlock.store.sealing import new_key
from batchlock.store.store import Store


class ReaderHere(child.ReaderProcess):
    """Reads the file in this process, since a process for each of 200 files takes minutes."""

    def __init__(self) -> None:
        """Start nothing."""

    def read(self, request: ReadRequest) -> bytes | None:
        """Plan the file; the reply is that it has succeeded."""
        plan_file(request)
        return b"null"

    @property
    def exit_code(self) -> int | None:
        """There is no process that ends."""
        return None

    def kill(self) -> None:
        """There is no process to kill."""

    def stderr(self) -> str:
        """Return what was printed: nothing here."""
        return ""

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True, slots=True)
class Orgs:
    """The orgs of one scenario."""

    settings: Settings
    store: Store
    environment: dict[str, str]
    """What a worker needs."""
    folder: Path

    def add(self, numbers: range, url: str) -> None:
        """Add orgs of the stand-in at `url`, with their sign-ins."""
        keys = keys_for_new_secrets(self.settings, self.store)
        orgs, sealed = [], {}
        for number in numbers:
            identity, name = Identity(number, is_only=False), name_of(number)
            secrets = {
                "client_id": identity.client_id,
                "client_secret": identity.client_secret,
                "refresh_token": identity.refresh_token,
            }
            sealed[name] = {
                field: keys.seal(name, field, SecretStr(text)) for field, text in secrets.items()
            }
            orgs.append(
                StoredOrg(
                    name=name,
                    data_center="us",
                    environment="production",
                    api_url=url,
                    accounts_url=url,
                )
            )
        self.store.orgs.put(orgs, sealed)

    def start_run(self, number: int, rows: int) -> None:
        """Plan a file of an org, and let its run wait for a worker."""
        file = self.new_file(number, rows)
        asyncio.run(self._engine(name_of(number)).run(file))

    def resume_all(self) -> None:
        """Let the stopped runs of all orgs wait for a worker again."""
        for org in self.store.orgs.all():
            for run in self.store.runs.in_state(org.name, RunState.STOPPED):
                asyncio.run(self._engine(org.name).resume(run.run_id))

    def _engine(self, org: str) -> SharedEngine:
        settings = settings_of_org(self.settings, self.store, org, to_send=False)
        return SharedEngine(
            settings,
            RunOptions(detach=True),
            CancelToken(),
            RunObserver(),
            store=self.store,
            confirm_unlocks=refuse_unlocks,
        )

    def new_file(self, number: int, rows: int, *, skip: int = 0) -> Path:
        """Write a file with rows of an org, without its first ones."""
        path = self.folder / f"{name_of(number)}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("Module", "Record Id", "Lock Id", "Reason"))
            samples = sample_rows(Identity(number, is_only=False), 2 * (skip + rows))
            # Modules that are known without a question to the org.
            known = (row for row in samples if row.module in MODULES)
            writer.writerows(
                (row.module, row.record_id, row.lock_id, row.reason)
                for row in itertools.islice(known, skip, skip + rows)
            )
        return path


@contextmanager
def orgs_in(database_url: str, folder: Path, *, lease: str) -> Iterator[Orgs]:
    """Open a database for orgs, whose files are in `folder`."""
    child.ReaderProcess = ReaderHere  # type: ignore[misc]
    environment = {
        "BATCHLOCK_DATABASE": database_url,
        "BATCHLOCK_SECRETS__KEY": new_key(),
        "BATCHLOCK_STATE_DIRECTORY": str(folder / "state"),
        "BATCHLOCK_WORKER__LEASE": lease,
    }
    settings = load(environment=environment)
    with Store(settings.state, settings.database_url) as store:
        yield Orgs(settings, store, environment, folder)


def name_of(number: int) -> str:
    """Return the name of an org."""
    return f"org-{number:03}"


def number_of(name: str) -> int:
    """Return the number of an org in the stand-in."""
    return int(name.removeprefix("org-"))
