import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from support.clocks import FastClock
from support.delivery import (
    OUR_REASON,
    RETRY,
    RecordingObserver,
    journal_of,
    read_delivery,
    update_of,
    updates_of,
)
from support.over_http import client_of, reason_at, send_over_http

from batchlock.core.cancel import CancelToken
from batchlock.core.results import Result
from batchlock.core.rows import RecordId
from batchlock.core.stop import Cancelled, StopCode
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits
from batchlock.send.sender import deliver
from batchlock.send.settings import StopSettings
from batchlock.simulator import Behaviour, Fault, Kind, serving
from batchlock.store.journal import Journal


@pytest.mark.parametrize("lock_id", ["in file", None])
def test_a_healthy_org_receives_every_row_once(tmp_path: Path, lock_id: str | None) -> None:
    updates = updates_of(120, lock_id=lock_id)
    delivery, simulator = send_over_http(journal_of(tmp_path / "j", updates), Behaviour())
    assert delivery.error is None
    assert delivery.results == [Result.UPDATED] * 120
    assert {reason_at(simulator, update) for update in updates} == {OUR_REASON}
    assert simulator.ledger.count(Kind.PUT) == 120
    assert simulator.ledger.count(Kind.GET) == (0 if lock_id else 120)
    assert simulator.ledger.count(Kind.TOKEN) == 1
    assert simulator.ledger.in_flight_peak <= 8
    assert delivery.totals.requests == simulator.ledger.api_calls
    assert delivery.totals.credits_used == simulator.ledger.credits_used


def test_updated_rows_are_updated_at_an_org_with_many_faults(tmp_path: Path) -> None:
    updates = updates_of(150)
    faults = {
        Fault.SERVER_ERROR: 0.05,
        Fault.BAD_GATEWAY: 0.05,
        Fault.PROXY_PAGE: 0.05,
        Fault.THROTTLED: 0.05,
        Fault.DROPPED_BEFORE: 0.05,
        Fault.DROPPED_AFTER: 0.05,
        Fault.CUT_BODY: 0.05,
        Fault.CUT_CONNECTION: 0.05,
    }
    delivery, simulator = send_over_http(
        journal_of(tmp_path / "j", updates), Behaviour(faults=faults, seed=7)
    )
    assert delivery.error is None
    assert len(delivery.lines) == 150
    assert set(delivery.results) <= {Result.UPDATED, Result.FAILED}
    assert delivery.results.count(Result.UPDATED) > 100
    for update in updates:
        if delivery.lines[update.row].result is Result.UPDATED:
            assert reason_at(simulator, update) == OUR_REASON
    assert sum(line.attempts for line in delivery.lines.values()) == simulator.ledger.api_calls


def test_an_org_with_a_lower_concurrency_limit_receives_every_row(tmp_path: Path) -> None:
    behaviour = Behaviour(in_flight_cap=3, latency=0.005)
    delivery, _ = send_over_http(journal_of(tmp_path / "j", updates_of(60)), behaviour, window=8)
    assert delivery.error is None
    assert delivery.results == [Result.UPDATED] * 60


def test_a_token_revoked_during_the_run_is_replaced(tmp_path: Path) -> None:
    revoked = replace(update_of(2), record_id=RecordId("990000000000000312"))
    updates = [revoked, *updates_of(20)[1:]]
    delivery, simulator = send_over_http(journal_of(tmp_path / "j", updates), Behaviour())
    assert delivery.error is None
    assert delivery.results == [Result.UPDATED] * 20
    assert simulator.ledger.count(Kind.TOKEN) == 2


@pytest.mark.parametrize(
    ("refresh_token", "code"),
    [
        ("revoked", StopCode.SIGN_IN),
        ("scope_missing", StopCode.SIGN_IN),
        ("never_valid", StopCode.SIGN_IN),
        ("no_edition", StopCode.RULE),
    ],
)
def test_a_refused_sign_in_ends_the_run_with_nothing_sent(
    tmp_path: Path, refresh_token: str, code: StopCode
) -> None:
    path = journal_of(tmp_path / "j", updates_of(30))
    delivery, simulator = send_over_http(path, Behaviour(), refresh_token=refresh_token)
    assert delivery.reason.code is code
    assert delivery.results == [Result.NOT_SENT] * 30
    assert simulator.ledger.updates == 0


def test_an_outage_over_http_stops_the_run_and_the_rest_can_be_resumed(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(60))
    stop = StopSettings(consecutive_failures=5)
    delivery, _ = send_over_http(path, Behaviour(fail_from=21), stop=stop)
    assert delivery.reason.code is StopCode.RULE
    counts = Counter(delivery.results)
    assert counts[Result.UPDATED] == 20
    assert counts[Result.NOT_SENT] >= 60 - 20 - 5 - 16
    delivery, _ = send_over_http(path, Behaviour())
    assert delivery.error is None
    assert Counter(delivery.results) == {
        Result.UPDATED: 60 - counts[Result.FAILED],
        Result.FAILED: counts[Result.FAILED],
    }


def test_an_unreachable_server_ends_the_run_with_nothing_sent(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(20))

    async def main() -> None:
        async with serving() as simulator, client_of(simulator, tmp_path) as client:
            await client.find_lock(update_of(2))  # stores a token
        async with client_of(simulator, tmp_path) as client:
            with Journal.open(path) as journal, pytest.raises(Cancelled, match="No good answer"):
                await deliver(
                    journal,
                    client,
                    CallLimiter(Limits(in_flight=4), RETRY, clock=FastClock()),
                    retry=RETRY,
                    stop=StopSettings(),
                    cancel_token=CancelToken(),
                    observer=RecordingObserver(),
                )

    asyncio.run(main())
    delivery = read_delivery(path)
    assert delivery.results == [Result.NOT_SENT] * 20
    assert delivery.totals.requests == 0
