"""The record of a run while the run is sent."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from support.clocks import run_simulated
from support.journals import make_outcome
from support.run_info import INTERRUPTED, figures_of, run_record

from batchlock.core.cancel import CancelToken
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.results import Result, Status
from batchlock.core.runs import Run, RunFigures, Totals
from batchlock.core.stop import StopCode, StopReason
from batchlock.store.database import NAME
from batchlock.store.recorder import RunRecorder
from batchlock.store.store import Store

RUN = run_record()
SNAPSHOT = LimiterSnapshot(in_flight=2, window=5, reason="", seconds=0.0, credits_left=900)
# Longer than the time between two heartbeats.
SOME_SECONDS = 2.0


def recorder_of(store: Store, figures: RunFigures | None = None) -> RunRecorder:
    """Add a run to the store, and return its recorder."""
    figures = figures or figures_of(left=3)
    store.runs.add(replace(RUN, figures=figures))
    store.runs.start_session(RUN)
    return RunRecorder(store.runs, RUN.run_id, figures)


def recorded(store: Store) -> Run:
    run = store.runs.get(RUN.run_id)
    assert run is not None
    return run


def test_heartbeats_record_figures_message_and_snapshot(store: Store) -> None:
    totals = Totals(requests=7, credits_used=6, in_flight_peak=3, seconds=2.5)
    recorder = recorder_of(store, replace(figures_of(updated=1, left=4), totals=totals))

    async def main() -> None:
        async with recorder.beating(CancelToken()):
            recorder.on_sending(rows=5, remaining=4)
            await asyncio.sleep(SOME_SECONDS)
            assert recorded(store).message == "Sending 4 of 5 rows."
            assert recorded(store).snapshot is None
            recorder.on_message("The connection is slow.")
            recorder.on_progress(SNAPSHOT)
            recorder.on_row(make_outcome(3))
            recorder.on_row(make_outcome(4, Status.UNCHANGED))
            recorder.on_row(make_outcome(5, Status.REJECTED))
            await asyncio.sleep(SOME_SECONDS)

    run_simulated(main())
    run = recorded(store)
    assert (run.message, run.snapshot) == ("The connection is slow.", SNAPSHOT)
    counts = dict.fromkeys(Result, 0) | {
        Result.UPDATED: 2,
        Result.UNCHANGED: 1,
        Result.REJECTED: 1,
        Result.NOT_SENT: 1,
    }
    assert run.figures == RunFigures(counts=counts, settled=3, totals=totals)


def test_rows_in_doubt_are_left_until_they_are_looked_up(store: Store) -> None:
    recorder = recorder_of(store, figures_of(left=2, in_doubt=2))

    async def main() -> None:
        async with recorder.beating(CancelToken()):
            recorder.on_row(make_outcome(2))
            await asyncio.sleep(SOME_SECONDS)

    run_simulated(main())
    figures = recorded(store).figures
    assert (figures.rows, figures.remaining, figures.settled) == (4, 3, 1)
    assert figures.counts[Result.UNKNOWN] == 0


def test_heartbeats_go_on_while_nothing_happens(store: Store) -> None:
    recorder = recorder_of(store)

    async def main() -> None:
        async with recorder.beating(CancelToken()):
            await asyncio.sleep(SOME_SECONDS)
            first = recorded(store).heartbeat_at
            await asyncio.sleep(SOME_SECONDS)
            second = recorded(store).heartbeat_at
            assert first is not None
            assert second is not None
            assert second > first

    run_simulated(main())


def test_a_request_to_end_the_run_cancels_its_token(store: Store) -> None:
    recorder, cancel_token = recorder_of(store), CancelToken()
    request = StopReason(code=StopCode.PAUSED, sentence="Paused by Anna.", exit_code=6)

    async def main() -> None:
        async with recorder.beating(cancel_token):
            await asyncio.sleep(SOME_SECONDS)
            assert cancel_token.reason is None
            store.runs.request_stop(RUN.run_id, request)
            await asyncio.sleep(SOME_SECONDS)

    run_simulated(main())
    assert cancel_token.reason == request


def test_a_request_does_not_replace_an_earlier_reason(store: Store) -> None:
    recorder, cancel_token = recorder_of(store), CancelToken()
    store.runs.request_stop(RUN.run_id, StopReason(code=StopCode.STOPPED, sentence="Stopped."))
    cancel_token.cancel(INTERRUPTED)

    async def main() -> None:
        async with recorder.beating(cancel_token):
            await asyncio.sleep(SOME_SECONDS)

    run_simulated(main())
    assert cancel_token.reason is INTERRUPTED


def test_a_store_that_cannot_be_written_does_not_end_the_run(embedded_store: Store) -> None:
    recorder, cancel_token = recorder_of(embedded_store), CancelToken()

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(embedded_store.state / NAME)) as sql:
            sql.execute(f"ALTER TABLE {old} RENAME TO {new}")

    async def main() -> None:
        rename("runs", "elsewhere")
        async with recorder.beating(cancel_token):
            recorder.on_row(make_outcome(2))
            await asyncio.sleep(SOME_SECONDS)
            rename("elsewhere", "runs")
            await asyncio.sleep(SOME_SECONDS)  # heartbeats are tried again

    run_simulated(main())
    assert cancel_token.reason is None
    assert recorded(embedded_store).figures.counts[Result.UPDATED] == 1


def test_an_error_in_the_block_ends_the_heartbeats(store: Store) -> None:
    recorder = recorder_of(store)

    async def fail() -> None:
        async with recorder.beating(CancelToken()):
            await asyncio.sleep(SOME_SECONDS)
            raise ZeroDivisionError

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await fail()
        last = recorded(store).heartbeat_at
        await asyncio.sleep(SOME_SECONDS)
        assert last is not None
        assert recorded(store).heartbeat_at == last

    run_simulated(main())


def test_no_heartbeat_is_written_after_the_block(embedded_store: Store) -> None:
    """A late heartbeat would overwrite the figures of the end."""
    recorder = recorder_of(embedded_store)

    async def main(other: sqlite3.Connection) -> None:
        other.execute("BEGIN IMMEDIATE")  # the first heartbeat has to wait for this transaction
        recorder.on_message("Sending.")
        async with recorder.beating(CancelToken()):
            await asyncio.sleep(0)  # the heartbeat starts
            threading.Timer(0.2, other.execute, ["COMMIT"]).start()
        assert recorded(embedded_store).message == "Sending."

    path = embedded_store.state / NAME
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        asyncio.run(main(other))
