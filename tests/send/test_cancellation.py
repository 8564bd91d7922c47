import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from support.clocks import LoopClock, run_simulated
from support.delivery import (
    ACCEPTED,
    BROKEN,
    HAS_OUR_REASON,
    LOST,
    ONE_ATTEMPT,
    RETRY,
    THROTTLED,
    RecordingObserver,
    ScriptedApi,
    journal_of,
    read_delivery,
    send,
    updates_of,
)
from support.run_info import INTERRUPTED

from batchlock.core.cancel import CancelToken
from batchlock.core.reply import Reply
from batchlock.core.results import Result
from batchlock.core.stop import TIME_IS_OVER, StopCode
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.sender import deliver
from batchlock.send.settings import StopSettings
from batchlock.store.journal import Journal


def test_a_token_cancelled_before_the_start_sends_nothing(tmp_path: Path) -> None:
    cancel_token, api = CancelToken(), ScriptedApi()
    cancel_token.cancel(INTERRUPTED)
    delivery = send(journal_of(tmp_path / "j", updates_of(9)), api, cancel_token=cancel_token)
    assert delivery.reason is INTERRUPTED
    assert api.calls == []
    assert delivery.results == [Result.NOT_SENT] * 9


def test_on_a_signal_calls_in_flight_finish_and_claimed_rows_are_released(tmp_path: Path) -> None:
    api = ScriptedApi(seconds=1.0)
    path = journal_of(tmp_path / "j", updates_of(50))
    delivery = send(path, api, window=4, cancel_after=1.5)
    assert delivery.reason is INTERRUPTED
    assert delivery.results == [Result.UPDATED] * 8 + [Result.NOT_SENT] * 42
    api = ScriptedApi()
    delivery = send(path, api, window=4)
    assert (delivery.error, delivery.results) == (None, [Result.UPDATED] * 50)
    assert api.rows("put") == list(range(10, 52))
    assert (delivery.totals.requests, delivery.totals.in_flight_peak) == (50, 4)


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (replace(THROTTLED, retry_after=40.0), Result.NOT_SENT),
        (LOST, Result.UNKNOWN),
        (BROKEN, Result.UNKNOWN),
    ],
)
def test_a_row_that_waits_does_not_delay_the_end_of_the_run(
    tmp_path: Path, reply: Reply, result: Result
) -> None:
    retry = replace(RETRY, first_wait=50.0)
    path = journal_of(tmp_path / "j", updates_of(1))
    delivery = send(path, ScriptedApi({2: [reply, ACCEPTED]}), retry=retry, cancel_after=2.0)
    assert delivery.reason is INTERRUPTED
    assert delivery.results == [result]
    assert delivery.totals.seconds == pytest.approx(2.0, abs=0.2)


def test_the_run_ends_at_its_deadline(tmp_path: Path) -> None:
    api = ScriptedApi(seconds=1.0)
    delivery = send(journal_of(tmp_path / "j", updates_of(20)), api, deadline_monotonic=4.5)
    assert delivery.reason is TIME_IS_OVER
    # The calls take a second, so none starts in the last two.
    assert delivery.results == [Result.UPDATED] * 3 + [Result.NOT_SENT] * 17
    assert delivery.totals.seconds <= 4.5


def test_a_deadline_in_the_past_sends_at_most_one_window(tmp_path: Path) -> None:
    api = ScriptedApi()
    delivery = send(
        journal_of(tmp_path / "j", updates_of(20)), api, window=3, deadline_monotonic=-1.0
    )
    assert delivery.reason is TIME_IS_OVER
    assert len(api.calls) <= 3
    assert delivery.results.count(Result.NOT_SENT) == 20 - len(api.calls)


def test_a_wait_past_the_deadline_ends_the_run_at_once(tmp_path: Path) -> None:
    api = ScriptedApi({4: [replace(THROTTLED, retry_after=50.0), ACCEPTED]})
    path = journal_of(tmp_path / "j", updates_of(9))
    delivery = send(path, api, deadline_monotonic=30.0)
    assert delivery.reason.code is StopCode.RULE
    assert "too many calls" in delivery.reason.sentence
    assert delivery.totals.seconds < 2
    assert Counter(delivery.results) == {Result.UPDATED: 2, Result.NOT_SENT: 7}


@pytest.mark.parametrize("retry", [RETRY, ONE_ATTEMPT])
@pytest.mark.parametrize("lock_id", ["in file", None])
def test_calls_in_flight_at_the_deadline_are_aborted_and_their_rows_in_doubt(
    tmp_path: Path, retry: Retry, lock_id: str | None
) -> None:
    path = journal_of(tmp_path / "j", updates_of(9, lock_id=lock_id))
    delivery = send(path, ScriptedApi(seconds=30.0), window=2, deadline_monotonic=5.0, retry=retry)
    assert delivery.reason is TIME_IS_OVER
    in_doubt = Result.NOT_SENT if lock_id is None else Result.UNKNOWN  # a look-up changes nothing
    assert delivery.results == [in_doubt] * 2 + [Result.NOT_SENT] * 7
    assert delivery.totals.seconds == pytest.approx(5.0, abs=0.1)
    delivery = send(path, ScriptedApi(), window=2)
    assert (delivery.error, delivery.results) == (None, [Result.UPDATED] * 9)


def test_after_a_signal_calls_in_flight_end_within_one_timeout(tmp_path: Path) -> None:
    # A call that waits for a token, for example, may take much longer than the HTTP timeout.
    path = journal_of(tmp_path / "j", updates_of(9))
    retry = replace(RETRY, timeout=20.0)
    delivery = send(path, ScriptedApi(seconds=600.0), window=2, retry=retry, cancel_after=5.0)
    assert delivery.reason is INTERRUPTED
    assert delivery.totals.seconds == pytest.approx(25.0, abs=0.1)
    assert delivery.results == [Result.UNKNOWN] * 2 + [Result.NOT_SENT] * 7


def test_after_a_signal_the_deadline_still_counts(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(9))
    delivery = send(path, ScriptedApi(seconds=600.0), deadline_monotonic=8.0, cancel_after=5.0)
    assert delivery.reason is INTERRUPTED
    assert delivery.totals.seconds == pytest.approx(8.0, abs=0.1)


def test_a_run_that_ends_before_its_deadline_is_not_stopped(tmp_path: Path) -> None:
    delivery = send(
        journal_of(tmp_path / "j", updates_of(5)), ScriptedApi(), deadline_monotonic=100.0
    )
    assert (delivery.error, delivery.results) == (None, [Result.UPDATED] * 5)


def test_a_token_cancelled_after_the_end_has_no_effect(tmp_path: Path) -> None:
    cancel_token = CancelToken()
    path = journal_of(tmp_path / "j", updates_of(3))
    assert send(path, ScriptedApi(), cancel_token=cancel_token).error is None
    # A signal handler does this while the results are printed, when no event loop runs any more.
    cancel_token.cancel(INTERRUPTED)


def test_every_callback_runs_even_if_one_raises() -> None:
    cancel_token, called = CancelToken(), list[int]()
    callbacks = (lambda: called.append(1), lambda: 1 // 0, lambda: called.append(2))
    with cancel_token.callbacks_while(*callbacks), pytest.raises(ZeroDivisionError):
        cancel_token.cancel(INTERRUPTED)
    assert called == [1, 2]
    with cancel_token.callbacks_while(lambda: called.append(3)):
        assert called == [1, 2, 3]


def test_a_cancelled_task_leaves_its_rows_in_doubt(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(30))

    async def main() -> int:
        limiter = CallLimiter(Limits(in_flight=3), RETRY, clock=LoopClock())
        with Journal.open(path) as journal:
            sending = asyncio.create_task(
                deliver(
                    journal,
                    ScriptedApi(seconds=1.0),
                    limiter,
                    retry=RETRY,
                    stop=StopSettings(),
                    cancel_token=CancelToken(),
                    observer=RecordingObserver(),
                )
            )
            await asyncio.sleep(1.5)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            return limiter.in_flight

    assert run_simulated(main()) == 0
    counts = Counter(read_delivery(path).results)
    assert counts == {Result.UPDATED: 3, Result.UNKNOWN: 6, Result.NOT_SENT: 21}
    delivery = send(
        path, ScriptedApi(lookups={row: [HAS_OUR_REASON] for row in (5, 6, 7)}), window=3
    )
    assert delivery.results == [Result.UPDATED] * 30
