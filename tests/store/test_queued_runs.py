"""Runs that start by themselves at a time, and the order of the runs that wait."""

from datetime import UTC, datetime, timedelta

import pytest
from support.run_info import run_info, run_record

from batchlock.core.org import StoredOrg
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopCode, StopReason
from batchlock.store.queued_runs import LATEST_START, MISSED_START, LaterStart
from batchlock.store.store import Store

FIRST, SECOND, THIRD = "20260314-020304-1f3a", "20260315-020304-1f3a", "20260316-020304-1f3a"
AT = datetime(2026, 3, 20, 22, tzinfo=UTC)
CHOSEN = StopReason(code=StopCode.PAUSED, sentence="It starts by itself.")
LATER = LaterStart(AT, CHOSEN)
ORGS = ("acme", "globex")


def add(store: Store, *run_ids: str, org: str = "acme") -> None:
    for run_id in run_ids:
        store.runs.add(run_record(run_info(run_id=run_id, identity=run_id, org=org)))


def got(store: Store, run_id: str = FIRST) -> Run:
    run = store.runs.get(run_id)
    assert run is not None
    return run


def line(store: Store) -> list[str]:
    return [run.run_id for run in store.runs.queue("acme")]


def test_a_run_waits_until_its_time(store: Store) -> None:
    add(store, FIRST)
    assert store.runs.enqueue(FIRST, options={"stop.until": "06:00"}, start=LATER)
    run = got(store)
    assert (run.state, run.start_at, run.reason) == (RunState.PAUSED, AT, CHOSEN)
    assert run.options == {"stop.until": "06:00"}
    assert store.runs.start_due(AT - timedelta(seconds=1), ORGS) == []
    assert line(store) == []
    assert store.runs.start_due(AT, ORGS) == ["acme"]
    run = got(store)
    assert (run.state, run.start_at, run.queued_at) == (RunState.QUEUED, None, AT)
    assert line(store) == [FIRST]
    assert store.runs.start_due(AT, ORGS) == []


def test_a_run_that_is_too_late_stays_paused(store: Store) -> None:
    add(store, FIRST)
    store.runs.enqueue(FIRST, start=LATER)
    assert store.runs.start_due(AT + LATEST_START, ORGS) == []
    run = got(store)
    assert (run.state, run.start_at, run.reason) == (RunState.PAUSED, None, MISSED_START)
    assert store.runs.enqueue(FIRST)
    assert line(store) == [FIRST]


@pytest.mark.parametrize("change", ["resumed", "stopped", "sent"])
def test_what_a_person_does_goes_before_the_time(store: Store, change: str) -> None:
    add(store, FIRST)
    store.runs.enqueue(FIRST, start=LATER)
    if change == "resumed":
        store.runs.enqueue(FIRST)
    elif change == "stopped":
        store.runs.end_session(FIRST, RunState.STOPPED, CHOSEN)
    else:
        store.runs.start_session(got(store))
    state = got(store).state
    assert got(store).start_at is None
    assert store.runs.start_due(AT, ORGS) == []
    assert got(store).state is state


def test_a_run_is_started_by_who_sends_the_runs_of_its_org(store: Store) -> None:
    add(store, FIRST)
    store.runs.enqueue(FIRST, start=LATER)
    assert store.runs.due_orgs(AT - timedelta(seconds=1)) == []
    assert store.runs.due_orgs(AT) == ["acme"]
    # The server of another org is at work, and that of this org is not, until it is too late.
    assert store.runs.start_due(AT, ["globex"]) == []
    assert got(store).state is RunState.PAUSED
    assert store.runs.start_due(AT + LATEST_START, ["acme"]) == []
    assert got(store).reason == MISSED_START


def test_a_run_of_a_disabled_org_does_not_start_when_the_org_is_enabled_much_later(
    store: Store,
) -> None:
    add(store, FIRST)
    store.runs.enqueue(FIRST, start=LATER)
    store.orgs.put(
        [StoredOrg(name="acme", data_center="eu", environment="production")], {"acme": {}}
    )
    assert store.orgs.set_disabled("acme", disabled=True)
    assert store.runs.start_due(AT, ORGS) == []
    store.orgs.set_disabled("acme", disabled=False)
    assert store.runs.start_due(AT + LATEST_START, ORGS) == []
    assert (got(store).state, got(store).reason) == (RunState.PAUSED, MISSED_START)


def test_each_org_with_a_run_that_is_due_is_named_once(store: Store) -> None:
    add(store, FIRST, SECOND)
    add(store, THIRD, org="globex")
    for run_id in (FIRST, SECOND, THIRD):
        store.runs.enqueue(run_id, start=LATER)
    assert sorted(store.runs.start_due(AT, ORGS)) == ["acme", "globex"]


def test_the_line_is_put_into_another_order(store: Store) -> None:
    add(store, FIRST, SECOND, THIRD)
    for run_id in (FIRST, SECOND, THIRD):
        store.runs.enqueue(run_id)
    assert store.runs.move_in_queue("acme", THIRD, to_front=False)
    assert line(store) == [FIRST, THIRD, SECOND]
    assert store.runs.move_in_queue("acme", SECOND, to_front=True)
    assert line(store) == [SECOND, FIRST, THIRD]
    assert not store.runs.move_in_queue("acme", SECOND, to_front=True)
    assert not store.runs.move_in_queue("globex", THIRD, to_front=True)
    store.runs.end_waiting(FIRST, CHOSEN)
    assert not store.runs.move_in_queue("acme", FIRST, to_front=True)
    assert line(store) == [SECOND, THIRD]


def test_a_run_has_the_note_that_was_set_last(store: Store) -> None:
    add(store, FIRST)
    assert got(store).note == ""
    store.runs.set_note(FIRST, "Ticket 4711 \ud800")
    assert got(store).note == "Ticket 4711 \ud800"
