from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path

import pytest
from support.delivery import (
    ACCEPTED,
    LOST,
    REFUSED,
    THROTTLED,
    ScriptedApi,
    journal_of,
    send,
    updates_of,
)

from batchlock.core.reply import Reply
from batchlock.core.results import Result
from batchlock.core.rows import LockId, Update
from batchlock.core.stop import StopCode
from batchlock.send.pacing.settings import Limits


@pytest.mark.parametrize("window", [1, 3, 25])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 200])
def test_every_row_is_sent_once_and_recorded(tmp_path: Path, rows: int, window: int) -> None:
    api = ScriptedApi()
    delivery = send(journal_of(tmp_path / "j", updates_of(rows)), api, window=window)
    assert delivery.error is None
    assert sorted(api.calls) == [("put", update.row, update.lock_id) for update in updates_of(rows)]
    assert delivery.results == [Result.UPDATED] * rows
    assert {line.attempts for line in delivery.lines.values()} <= {1}
    assert sorted(outcome.row for outcome in delivery.observer.outcomes) == list(delivery.lines)
    assert (delivery.totals.requests, delivery.totals.credits_used) == (rows, rows)
    assert delivery.totals.in_flight_peak == min(rows, window)


def test_rows_go_out_in_the_order_of_the_file(tmp_path: Path) -> None:
    api = ScriptedApi()
    send(journal_of(tmp_path / "j", updates_of(40)), api, window=4)
    assert api.rows("put") == list(range(2, 42))


def test_the_answer_of_zoho_is_recorded_with_its_times(tmp_path: Path) -> None:
    api = ScriptedApi({2: [THROTTLED, ACCEPTED]}, seconds=0.25)
    line = send(journal_of(tmp_path / "j", updates_of(1)), api).lines[2]
    assert (line.http_status, line.code, line.message) == (200, "SUCCESS", "relation updated")
    assert line.attempts == 2
    assert line.duration == pytest.approx(0.25 + 0.5 + 0.25)
    assert line.finished_at is not None
    assert line.finished_at.tzinfo is UTC


def test_rows_with_a_final_status_are_not_sent_again(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(3))
    send(path, ScriptedApi({3: [REFUSED]}))
    api = ScriptedApi()
    delivery = send(path, api)
    assert delivery.results == [Result.UPDATED, Result.REJECTED, Result.UPDATED]
    assert api.calls == []
    assert delivery.error is None


def test_the_observer_receives_why_all_calls_wait(tmp_path: Path) -> None:
    api = ScriptedApi({2: [replace(THROTTLED, retry_after=3.0), ACCEPTED]}, seconds=0.6)
    delivery = send(journal_of(tmp_path / "j", updates_of(1)), api)
    columns = zip(*delivery.observer.snapshots, strict=True)
    in_flight, windows, reasons, seconds, _, throttled = columns
    assert in_flight[:2] == (0, 1)
    assert set(windows) == {1}
    assert reasons[0] == ""
    assert ("too many calls", pytest.approx(2.6)) in zip(reasons, seconds, strict=True)
    assert max(seconds) <= 3.0
    assert throttled[-1] == 1


@pytest.mark.parametrize("window", [1, 4])
def test_a_run_uses_at_most_max_credits_over_all_sessions(tmp_path: Path, window: int) -> None:
    path = journal_of(tmp_path / "j", updates_of(50))
    for calls in (20, 0):  # the bound counts over all sessions of a run
        api = ScriptedApi({3: [LOST, ACCEPTED]})
        delivery = send(path, api, limits=Limits(in_flight=window, max_credits=20))
        assert delivery.reason.code is StopCode.RULE
        assert "20 credits" in delivery.reason.sentence
        assert len(api.calls) == calls
        assert delivery.totals.credits_used == 20
    assert send(path, ScriptedApi()).results == [Result.UPDATED] * 50


@pytest.mark.parametrize("window", [1, 7])
def test_keep_credits_remain(tmp_path: Path, window: int) -> None:
    @dataclass(slots=True)
    class CountingDown(ScriptedApi):
        balance: int = 100

        async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
            self.balance -= 1
            balance = self.balance
            reply = await ScriptedApi.put_reason(self, update, lock_id)
            return replace(reply, credits_remaining=balance)

    api = CountingDown()
    limits = Limits(in_flight=window, keep_credits=40)
    delivery = send(journal_of(tmp_path / "j", updates_of(100)), api, limits=limits)
    assert delivery.reason.code is StopCode.RULE
    assert "40 credits left today, and 40 are kept" in delivery.reason.sentence
    assert api.balance == 40
    assert delivery.results == [Result.UPDATED] * 60 + [Result.NOT_SENT] * 40
