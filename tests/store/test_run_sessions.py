"""The record of a run whose process starts, waits, or was taken for dead."""

import pytest
from support.run_info import INTERRUPTED, figures_of, run_record

from batchlock.core.runs import Run, RunState
from batchlock.core.stop import KILLED, StopCode, StopReason
from batchlock.store.store import Store

NEWER_RUN = StopReason(code=StopCode.SUPERSEDED, sentence="A new run was started.")
PAUSED = StopReason(code=StopCode.PAUSED, sentence="Paused by Anna.", exit_code=6)
FIRST = run_record().run_id


def add(store: Store, *, state: RunState = RunState.PLANNED) -> None:
    """Add a run in a state."""
    store.runs.add(run_record(state=state))


def got(store: Store) -> Run:
    run = store.runs.get(FIRST)
    assert run is not None
    return run


def test_a_run_that_was_paused_while_its_process_was_starting_does_not_begin(store: Store) -> None:
    add(store, state=RunState.QUEUED)
    read_by_its_process = got(store)
    store.runs.end_session(FIRST, RunState.PAUSED, PAUSED)
    assert not store.runs.start_session(read_by_its_process)
    store.runs.end_waiting(FIRST, INTERRUPTED)
    run = got(store)
    assert run.state is RunState.PAUSED
    assert run.reason is not None
    assert run.reason.sentence == PAUSED.sentence
    assert store.runs.start_session(run)  # somebody resumes it, at a terminal for example


def test_a_run_that_cannot_begin_is_stopped(store: Store) -> None:
    add(store, state=RunState.QUEUED)
    reason = StopReason(code=StopCode.SETUP, sentence="A setting is wrong.", exit_code=2)
    store.runs.end_waiting(FIRST, reason)
    run = got(store)
    assert (run.state, run.exit_code) == (RunState.STOPPED, 2)
    assert run.reason is not None
    assert run.reason.sentence == "A setting is wrong."


def test_a_request_to_end_a_run_outlives_the_reason_why_it_waits(store: Store) -> None:
    add(store, state=RunState.QUEUED)
    store.runs.request_stop(FIRST, PAUSED)
    store.runs.set_waiting_reason(FIRST, INTERRUPTED)
    assert got(store).stop_requested == PAUSED


def test_a_reason_to_wait_is_not_set_for_a_run_that_another_process_sends(store: Store) -> None:
    add(store, state=RunState.QUEUED)
    store.runs.start_session(got(store))
    store.runs.set_waiting_reason(FIRST, INTERRUPTED)
    assert (got(store).state, got(store).reason) == (RunState.RUNNING, None)


def test_only_a_run_that_began_in_the_queue_keeps_its_place_there(store: Store) -> None:
    add(store)
    store.runs.enqueue(FIRST)
    store.runs.start_session(got(store))
    assert got(store).queued_at is not None
    store.runs.end_session(FIRST, RunState.PAUSED, PAUSED)
    store.runs.start_session(got(store))  # at a terminal
    assert got(store).queued_at is None


@pytest.mark.parametrize(
    ("state", "reason"),
    [(RunState.QUEUED, None), (RunState.QUEUED, INTERRUPTED), (RunState.STOPPED, KILLED)],
)
def test_a_process_that_was_taken_for_dead_sends_its_run_again(
    store: Store, state: RunState, reason: StopReason | None
) -> None:
    add(store)
    store.runs.start_session(got(store))
    if state is RunState.STOPPED:
        store.runs.end_session(FIRST, state, KILLED)
    else:
        store.runs.requeue(FIRST, starts=1)
    if reason is INTERRUPTED:
        store.runs.set_waiting_reason(FIRST, reason)
    assert store.runs.beat(FIRST, message="", snapshot=None, figures=figures_of(left=3)) is None
    run = got(store)
    assert (run.state, run.reason) == (RunState.RUNNING, None)


@pytest.mark.parametrize(
    ("state", "reason"), [(RunState.PAUSED, PAUSED), (RunState.SUPERSEDED, NEWER_RUN)]
)
def test_a_process_that_was_taken_for_dead_ends_when_its_run_was_ended(
    store: Store, state: RunState, reason: StopReason
) -> None:
    add(store)
    store.runs.start_session(got(store))
    store.runs.end_session(FIRST, state, reason)
    ended = store.runs.beat(FIRST, message="", snapshot=None, figures=figures_of(left=3))
    assert ended is not None
    assert (ended.code, ended.sentence, ended.exit_code) == (reason.code, reason.sentence, 6)
    assert got(store).state is state
