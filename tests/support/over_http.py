"""Deliveries of a journal's rows to the simulator over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError
from batchlock.core.rows import Update
from batchlock.send.composite import CompositeApi, Support
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits
from batchlock.send.sender import deliver
from batchlock.send.settings import StopSettings
from batchlock.simulator import Behaviour, Simulator, serving
from batchlock.store.journal import Journal
from batchlock.zoho.client import Client, Endpoint, session
from batchlock.zoho.oauth import OAuthClient
from batchlock.zoho.token_file import TokenFile
from batchlock.zoho.tokens import Tokens
from support.clocks import FastClock
from support.delivery import RETRY, Delivery, RecordingObserver, read_delivery
from support.inventories import leads

if TYPE_CHECKING:
    from batchlock.send.row import LockApi

# FastClock runs a hundred times as fast, so this is a minute in which a busy machine may stall.
PATIENT = replace(RETRY, give_up_after=6000.0)


@asynccontextmanager
async def client_of(
    simulator: Simulator, folder: Path, *, refresh_token: str = "valid"
) -> AsyncIterator[Client]:
    async with session(limit=0) as calls:
        oauth = OAuthClient(
            accounts_url=simulator.url,
            client_id="client",
            client_secret=SecretStr("secret"),
            refresh_token=SecretStr(refresh_token),
            data_center="us",
            environment="production",
        )
        path = folder / "tokens" / "acme.json"
        tokens = Tokens(oauth, cache=TokenFile(path), session=calls, max_wait=60.0, timeout=60.0)
        yield Client(Endpoint(api_url=simulator.url, timeout=60.0), tokens, calls)


def send_over_http(
    path: Path,
    behaviour: Behaviour,
    *,
    window: int = 8,
    refresh_token: str = "valid",
    stop: StopSettings | None = None,
    support: Support | None = None,
    cancel_token: CancelToken | None = None,
    unlocked: Iterable[str] = (),
) -> tuple[Delivery, Simulator]:
    """Deliver the rows of the journal at `path`; with `support` in composite calls too.

    The records `unlocked` of the module Leads are not locked at the beginning.
    """
    observer = RecordingObserver()

    async def main() -> tuple[BatchlockError | None, Simulator]:
        inventory = leads(*({"id": record_id, "name": "x"} for record_id in unlocked))
        async with serving(behaviour, inventory=inventory) as simulator:
            async with client_of(simulator, path.parent, refresh_token=refresh_token) as client:
                limiter = CallLimiter(Limits(in_flight=window), PATIENT, clock=FastClock())
                api: LockApi = client
                if support is not None:
                    api = CompositeApi(
                        client,
                        support,
                        in_flight=lambda: limiter.in_flight,
                        window=lambda: limiter.window,
                        on_learned=observer.on_message,
                    )
                with Journal.open(path) as journal:
                    try:
                        await deliver(
                            journal,
                            api,
                            limiter,
                            retry=PATIENT,
                            stop=stop or StopSettings(),
                            cancel_token=cancel_token or CancelToken(),
                            observer=observer,
                        )
                    except BatchlockError as error:
                        return error, simulator
            return None, simulator

    error, simulator = asyncio.run(main())
    return read_delivery(path, error, observer), simulator


def reason_at(simulator: Simulator, update: Update) -> str | None:
    lock = simulator.locks.by_record.get(f"{update.module}/{update.record_id}")
    return lock.reason if lock else None
