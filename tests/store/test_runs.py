"""The records of the runs, and the queries that find them."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support.run_info import INTERRUPTED, figures_of, run_info, run_record

from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.results import Result
from batchlock.core.runs import CLOSED, Run, RunFigures, RunState, Totals
from batchlock.core.stop import COMPLETED, StopCode, StopReason
from batchlock.store.store import Store

IDENTITY, OTHER_IDENTITY = "ab" * 32, "cd" * 32
OTHER_CONTENT = "b" * 64
FIRST, SECOND, THIRD = "20260314-020304-1f3a", "20260315-020304-1f3a", "20260315-020304-2b00"
FOURTH = "20260317-000000-0000"
NEWER_RUN = StopReason(code=StopCode.SUPERSEDED, sentence="A new run was started.")
PAUSED = StopReason(code=StopCode.PAUSED, sentence="Paused by Anna.", exit_code=6)


def add(
    store: Store,
    run_id: str,
    *,
    state: RunState = RunState.PLANNED,
    figures: RunFigures | None = None,
    superseded: StopReason | None = None,
    parent: str | None = None,
    **info: Any,
) -> Run:
    """Add a run whose info has these changes, and return it."""
    run = run_record(
        run_info(**{"run_id": run_id, "identity": IDENTITY} | info), state=state, figures=figures
    )
    if parent is not None:
        run = replace(run, parent=parent)
    store.runs.add(run, superseded=superseded)
    return run


def retry(store: Store, run_id: str, *, of: str, **changes: Any) -> Run:
    changes = {"identity": f"retry {of}", "retry_of": of, "parent": FIRST} | changes
    return add(store, run_id, **changes)


def got(store: Store, run_id: str) -> Run:
    run = store.runs.get(run_id)
    assert run is not None
    return run


def unfinished(store: Store, org: str, identity: str | None = None) -> Run | None:
    """Return the newest run that can be resumed."""
    return next(iter(store.runs.all_unfinished(org, identity)), None)


def ids(runs: list[Run]) -> list[str]:
    return [run.run_id for run in runs]


def test_a_run_is_read_as_it_was_added(store: Store) -> None:
    info = run_info(
        file=os.fsdecode(b"/data/caf\xe9.csv"),
        sheet="a\ud800",
        output=os.fsdecode(b"/data/\xff.csv"),
        encoding="cp1252",
        delimiter=";",
        titles=("Module", "a\ud800"),
        strict=True,
        retry_of=SECOND,
        excludes_refused=True,
    )
    figures = RunFigures(
        counts=dict.fromkeys(Result, 2),
        settled=4,
        totals=Totals(requests=9, credits_used=8, in_flight_peak=4, seconds=1.5),
    )
    run = run_record(
        info,
        state=RunState.FINISHED,
        figures=figures,
        reason=replace(COMPLETED, sentence="Done.", exit_code=0),
        exit_code=3,
        finished_at=datetime(2026, 3, 14, 3, tzinfo=UTC),
        results=os.fsdecode(b"/data/\xff-results.csv"),
        requested_by="Anna",
        file_name="caf\ufffd.csv",
        upload="4f",
        queued_at=datetime(2026, 3, 14, 2, tzinfo=UTC),
        starts=2,
    )
    store.runs.add(run)
    assert got(store, info.run_id) == run
    assert store.runs.get(SECOND) is None


@pytest.mark.parametrize(
    ("beginning", "run_id"),
    [(FIRST, FIRST), ("20260314", FIRST), ("20260315-020304-2", THIRD), (SECOND, SECOND)],
)
def test_a_run_is_found_by_the_beginning_of_its_id(
    beginning: str, run_id: str, store: Store
) -> None:
    for each in (FIRST, SECOND, THIRD):
        add(store, each)
    assert store.runs.find(["acme"], beginning).run_id == run_id


def test_a_full_id_is_found_even_if_another_id_begins_with_it(store: Store) -> None:
    add(store, FIRST)
    add(store, f"{FIRST}b")
    assert store.runs.find(["acme"], FIRST).run_id == FIRST


def test_the_beginning_of_several_ids_names_them(store: Store) -> None:
    for each in (FIRST, SECOND, THIRD):
        add(store, each)
    with pytest.raises(UsageError) as error:
        store.runs.find(["acme"], "20260315")
    assert f"Several runs begin with 20260315: {THIRD}, {SECOND}." in str(error.value)


@pytest.mark.parametrize(
    "beginning", ["20270101", "", "../acme", "*", "%", "_", "1f3a", f"{FIRST}.journal"]
)
def test_the_beginning_of_no_id_is_refused_with_the_org(beginning: str, store: Store) -> None:
    add(store, FIRST)
    with pytest.raises(UsageError, match=r"No run of the org acme .*`batchlock runs`"):
        store.runs.find(["acme", "simulator"], beginning)


def test_runs_are_listed_by_org_and_the_newest_first(store: Store) -> None:
    for run_id in (SECOND, FIRST, THIRD):
        add(store, run_id)
    add(store, FOURTH, org="simulator")
    assert ids(store.runs.of_orgs(["acme", "simulator"])) == [THIRD, SECOND, FIRST, FOURTH]
    assert ids(store.runs.of_orgs(["simulator", "acme"])) == [FOURTH, THIRD, SECOND, FIRST]
    assert store.runs.of_orgs(["nowhere"]) == []
    with pytest.raises(UsageError):
        store.runs.find(["acme"], FOURTH)


def test_the_newest_run_that_is_not_closed_is_the_unfinished_one(store: Store) -> None:
    add(store, FIRST, state=RunState.STOPPED)
    add(store, SECOND)
    add(store, THIRD, identity=OTHER_IDENTITY, state=RunState.FINISHED)
    add(store, FOURTH, org="simulator")
    assert unfinished(store, "acme") == got(store, SECOND)
    assert ids(store.runs.all_unfinished("acme")) == [SECOND, FIRST]
    assert unfinished(store, "nowhere") is None


@pytest.mark.parametrize("state", list(RunState))
def test_a_run_is_resumed_only_for_its_own_identity(state: RunState, store: Store) -> None:
    add(store, FIRST, state=state)
    add(store, SECOND, identity=OTHER_IDENTITY, state=RunState.STOPPED)
    found = unfinished(store, "acme", IDENTITY)
    assert found == (None if state in CLOSED else got(store, FIRST))
    assert unfinished(store, "acme", "ef" * 32) is None


def test_runs_of_the_same_content_read_the_same_sheet_for_the_same_org(store: Store) -> None:
    info = run_info(run_id=FOURTH, identity="another identity", sheet="Locks")
    others: list[dict[str, Any]] = [
        {},
        {"identity": OTHER_IDENTITY},
        {"sheet": "Other"},
        {"sheet": None},
        {"sha256": OTHER_CONTENT},
        {"org": "other"},
        {"environment": "sandbox"},
        {"api_url": "https://www.zohoapis.eu"},
    ]
    for number, changes in enumerate(others):
        add(store, f"20260316-00000{number}-0000", **{"sheet": "Locks"} | changes)
    store.runs.add(run_record(info))
    assert ids(store.runs.same_content(info)) == ["20260316-000001-0000", "20260316-000000-0000"]


def test_csv_files_of_the_same_content_have_no_sheet(store: Store) -> None:
    add(store, FIRST)
    add(store, SECOND, sheet="Locks")
    assert ids(store.runs.same_content(run_info(run_id=THIRD))) == [FIRST]


def test_a_family_has_the_run_and_all_that_belong_to_it_oldest_first(store: Store) -> None:
    first = add(store, FIRST)
    add(store, FOURTH, sha256=OTHER_CONTENT)
    retry(store, THIRD, of=SECOND)
    second = retry(store, SECOND, of=FIRST)
    assert ids(store.runs.family(first)) == ids(store.runs.family(second)) == [FIRST, SECOND, THIRD]


def test_the_lineage_of_a_run_is_its_newest_retry(store: Store) -> None:
    first = add(store, FIRST)
    second = retry(store, SECOND, of=FIRST)
    third = retry(store, THIRD, of=SECOND)
    # A new run of the same content belongs to the family, and took no rows over.
    add(store, FOURTH, parent=FIRST)
    assert ids(store.runs.lineage(first)) == ids(store.runs.lineage(third)) == [THIRD]
    assert ids(store.runs.lineage(second)) == [THIRD]


def test_a_lineage_goes_back_to_the_runs_that_keep_refused_rows(store: Store) -> None:
    first = add(store, FIRST)
    retry(store, SECOND, of=FIRST, excludes_refused=True)
    retry(store, THIRD, of=SECOND, excludes_refused=True)
    assert ids(store.runs.lineage(first)) == [THIRD, SECOND, FIRST]


def test_a_lineage_ends_where_a_run_was_removed(store: Store) -> None:
    add(store, FIRST)
    second = retry(store, SECOND, of=FIRST, excludes_refused=True)
    store.runs.remove(FIRST)
    assert ids(store.runs.lineage(second)) == [SECOND]


def test_a_new_run_ends_the_runs_of_its_content_that_have_rows_left(store: Store) -> None:
    for run_id, sha256 in ((FIRST, run_info().sha256), (SECOND, OTHER_CONTENT)):
        add(store, run_id, sha256=sha256, state=RunState.STOPPED, identity=OTHER_IDENTITY)
    add(store, THIRD, superseded=NEWER_RUN)
    first = got(store, FIRST)
    assert (first.state, first.reason) == (RunState.SUPERSEDED, NEWER_RUN)
    assert first.finished_at is not None  # so that it can be pruned
    assert got(store, SECOND).state is RunState.STOPPED
    assert got(store, THIRD).state is RunState.PLANNED
    assert unfinished(store, "acme", OTHER_IDENTITY) == got(store, SECOND)


@pytest.mark.parametrize("state", [RunState.FINISHED, RunState.REFUSED])
def test_a_new_run_leaves_runs_alone_that_are_closed(state: RunState, store: Store) -> None:
    add(store, FIRST, state=state)
    add(store, THIRD, superseded=NEWER_RUN)
    assert got(store, FIRST).state is state


def test_a_run_without_rows_left_is_finished_when_a_new_run_takes_its_place(store: Store) -> None:
    # It was killed while it wrote its results.
    add(store, FIRST, state=RunState.STOPPED, figures=figures_of(updated=3))
    add(store, THIRD, superseded=NEWER_RUN)
    first = got(store, FIRST)
    assert (first.state, first.reason) == (RunState.FINISHED, COMPLETED)
    assert first.finished_at is not None


def test_rows_in_doubt_are_rows_left(store: Store) -> None:
    add(store, FIRST, state=RunState.STOPPED, figures=figures_of(updated=3, in_doubt=1))
    add(store, THIRD, superseded=NEWER_RUN)
    assert got(store, FIRST).state is RunState.SUPERSEDED


def test_a_retry_ends_the_run_that_it_retries_and_no_other(store: Store) -> None:
    add(store, FIRST, state=RunState.STOPPED)
    add(store, SECOND, state=RunState.STOPPED)
    retry(store, THIRD, of=FIRST, superseded=NEWER_RUN)
    assert got(store, FIRST).state is RunState.SUPERSEDED
    assert got(store, SECOND).state is RunState.STOPPED
    assert unfinished(store, "acme") == got(store, THIRD)


def test_the_older_of_two_runs_of_one_identity_is_never_resumed(store: Store) -> None:
    add(store, FIRST, state=RunState.STOPPED)
    add(store, THIRD, superseded=NEWER_RUN)
    assert unfinished(store, "acme", IDENTITY) == got(store, THIRD)
    store.runs.end_session(THIRD, RunState.FINISHED, COMPLETED)
    assert unfinished(store, "acme", IDENTITY) is None
    assert unfinished(store, "acme") is None


def test_a_run_that_cannot_be_added_ends_no_other_run(store: Store) -> None:
    add(store, FIRST, state=RunState.STOPPED, identity=OTHER_IDENTITY)
    add(store, THIRD, sha256=OTHER_CONTENT)
    with pytest.raises(UsageError):
        add(store, THIRD, superseded=NEWER_RUN)  # the id is taken
    assert got(store, FIRST).state is RunState.STOPPED


def test_a_session_starts_without_the_end_of_the_one_before(store: Store) -> None:
    add(store, FIRST)
    snapshot = LimiterSnapshot(in_flight=1, window=5, reason="", seconds=0.0)
    store.runs.beat(FIRST, message="Sending.", snapshot=snapshot, figures=figures_of(left=3))
    store.runs.end_session(FIRST, RunState.STOPPED, INTERRUPTED, exit_code=130, results="/out.csv")
    assert store.runs.start_session(got(store, FIRST))
    run = got(store, FIRST)
    assert (run.state, run.reason, run.message, run.snapshot) == (RunState.RUNNING, None, "", None)
    assert (run.exit_code, run.finished_at, run.results) == (None, None, None)
    assert run.process == os.getpid()
    assert run.is_alive


@pytest.mark.parametrize("state", sorted(CLOSED))
def test_a_closed_run_is_not_started(state: RunState, store: Store) -> None:
    before = add(store, FIRST, state=state)
    assert not store.runs.start_session(got(store, FIRST))
    assert got(store, FIRST) == before


def test_a_heartbeat_records_how_far_a_run_has_come(store: Store) -> None:
    add(store, FIRST)
    before = datetime.now(UTC)
    snapshot = LimiterSnapshot(
        in_flight=2, window=5, reason="too many calls", seconds=1.5, credits_left=900
    )
    figures = figures_of(updated=2, left=1)
    request = store.runs.beat(FIRST, message="Sending.", snapshot=snapshot, figures=figures)
    run = got(store, FIRST)
    assert (run.message, run.snapshot, run.figures) == ("Sending.", snapshot, figures)
    assert run.heartbeat_at is not None
    assert before <= run.heartbeat_at <= datetime.now(UTC)
    assert request is None


def test_a_request_to_end_a_run_is_returned_by_its_heartbeats(store: Store) -> None:
    add(store, FIRST, state=RunState.QUEUED)
    store.runs.request_stop(FIRST, PAUSED)
    # The request was made while the process was starting.
    store.runs.start_session(got(store, FIRST))
    assert got(store, FIRST).stop_requested == PAUSED
    for _ in range(2):
        assert store.runs.beat(FIRST, message="", snapshot=None, figures=figures_of()) == PAUSED


def test_a_heartbeat_of_a_run_that_was_removed_is_ignored(store: Store) -> None:
    assert store.runs.beat(FIRST, message="", snapshot=None, figures=figures_of()) is None
    assert store.runs.get(FIRST) is None


def test_the_end_of_a_session_is_recorded_and_answers_the_request(store: Store) -> None:
    add(store, FIRST)
    store.runs.start_session(got(store, FIRST))
    store.runs.request_stop(FIRST, PAUSED)
    before, figures = datetime.now(UTC), figures_of(updated=1, left=2)
    store.runs.end_session(
        FIRST, RunState.PAUSED, PAUSED, exit_code=6, results="/out.csv", figures=figures
    )
    run = got(store, FIRST)
    assert (run.state, run.exit_code, run.results) == (RunState.PAUSED, 6, "/out.csv")
    assert run.reason is not None
    assert (run.reason.code, run.reason.sentence) == (PAUSED.code, PAUSED.sentence)
    assert run.stop_requested is None
    assert run.figures == figures
    assert run.finished_at is not None
    assert before <= run.finished_at <= datetime.now(UTC)


def test_the_end_of_a_session_keeps_what_it_does_not_know(store: Store) -> None:
    add(store, FIRST)
    figures = figures_of(updated=1, left=2)
    store.runs.end_session(
        FIRST, RunState.STOPPED, INTERRUPTED, exit_code=130, results="/out.csv", figures=figures
    )
    store.runs.end_session(FIRST, RunState.STOPPED, NEWER_RUN)
    run = got(store, FIRST)
    assert (run.exit_code, run.results, run.figures) == (130, "/out.csv", figures)


def test_the_queue_is_in_the_order_of_the_requests(store: Store) -> None:
    for run_id in (FIRST, SECOND, THIRD):
        add(store, run_id)
    add(store, FOURTH, org="other", state=RunState.QUEUED)
    for run_id in (SECOND, THIRD, FIRST):
        store.runs.enqueue(run_id)
    assert ids(store.runs.queue("acme")) == [SECOND, THIRD, FIRST]
    store.runs.start_session(got(store, SECOND))
    assert ids(store.runs.queue("acme")) == [THIRD, FIRST]
    store.runs.requeue(SECOND, starts=1)  # its worker did not send it, so it keeps its place
    assert ids(store.runs.queue("acme")) == [SECOND, THIRD, FIRST]
    store.runs.end_session(SECOND, RunState.PAUSED, PAUSED)
    store.runs.enqueue(SECOND)  # a person resumed it, so it goes to the end
    assert ids(store.runs.queue("acme")) == [THIRD, FIRST, SECOND]


def test_a_request_of_a_person_counts_the_starts_anew_and_forgets_the_reason(store: Store) -> None:
    add(store, FIRST)
    store.runs.enqueue(FIRST)
    store.runs.requeue(FIRST, starts=3)
    store.runs.set_waiting_reason(FIRST, INTERRUPTED)
    run = got(store, FIRST)
    assert (run.state, run.starts) == (RunState.QUEUED, 3)
    assert run.reason is not None
    assert run.reason.sentence == INTERRUPTED.sentence
    store.runs.request_stop(FIRST, PAUSED)
    store.runs.enqueue(FIRST)
    run = got(store, FIRST)
    assert (run.starts, run.reason, run.stop_requested) == (0, None, None)


def test_a_run_keeps_the_person_who_requested_it_first(store: Store) -> None:
    add(store, FIRST)
    store.runs.enqueue(FIRST, requested_by="Anna", file_name="May.csv", upload="4f")
    store.runs.enqueue(FIRST, requested_by="Ben", file_name="June.csv", upload="5a")
    run = got(store, FIRST)
    assert (run.requested_by, run.file_name, run.upload) == ("Anna", "May.csv", "4f")


def test_a_run_of_the_command_line_keeps_its_file_when_a_person_resumes_it(store: Store) -> None:
    add(store, FIRST, file="/data/locks.xlsx")
    store.runs.enqueue(FIRST, requested_by="Anna")
    run = got(store, FIRST)
    assert (run.requested_by, run.file_name, run.upload) == ("Anna", "locks.xlsx", None)


def test_runs_are_found_by_their_state(store: Store) -> None:
    states = [RunState.RUNNING, RunState.PAUSED, RunState.FINISHED]
    for run_id, state in zip((FIRST, SECOND, THIRD), states, strict=True):
        add(store, run_id, state=state)
    add(store, FOURTH, org="other", state=RunState.RUNNING)
    assert ids(store.runs.in_state("acme", RunState.RUNNING)) == [FIRST]
    assert ids(store.runs.in_state("acme", RunState.RUNNING, RunState.PAUSED)) == [SECOND, FIRST]


def test_the_requested_path_of_the_results_can_change(store: Store) -> None:
    add(store, FIRST)
    store.runs.set_output(FIRST, "/out.csv")
    assert got(store, FIRST).info.output == "/out.csv"
    store.runs.set_output(FIRST, None)
    assert got(store, FIRST).info.output is None


def test_the_store_keeps_its_runs_after_it_was_closed(store: Store) -> None:
    run = add(store, FIRST)
    store.close()
    with Store(store.state, store.database_url) as again:
        assert again.runs.get(FIRST) == run


def test_the_end_of_a_session_does_not_reopen_a_run_that_was_superseded(store: Store) -> None:
    add(store, FIRST)
    add(store, SECOND, superseded=NEWER_RUN)
    store.runs.end_session(FIRST, RunState.STOPPED, INTERRUPTED, exit_code=130, results="/r.csv")
    run = got(store, FIRST)
    assert (run.state, run.reason) == (RunState.SUPERSEDED, NEWER_RUN)
    assert (run.exit_code, run.results) == (130, "/r.csv")


def test_a_second_retry_of_a_run_is_not_added_while_the_first_is_open(store: Store) -> None:
    add(store, FIRST, state=RunState.FINISHED)
    first = retry(store, SECOND, of=FIRST, superseded=NEWER_RUN)
    second = run_record(run_info(run_id=THIRD, retry_of=FIRST, identity=f"retry {FIRST}"))
    assert store.runs.add(second, superseded=NEWER_RUN) == first
    assert store.runs.get(THIRD) is None


def test_a_run_that_is_being_sent_is_not_superseded(store: Store) -> None:
    add(store, FIRST)
    assert store.runs.start_session(got(store, FIRST))
    with pytest.raises(AlreadyRunning, match=f"Run {FIRST} of the same file is being sent"):
        add(store, SECOND, superseded=NEWER_RUN)
    assert got(store, FIRST).state is RunState.RUNNING
    assert store.runs.get(SECOND) is None


def test_a_request_to_end_a_run_that_has_ended_does_not_end_its_next_session(store: Store) -> None:
    add(store, FIRST)
    store.runs.end_session(FIRST, RunState.STOPPED, INTERRUPTED)
    store.runs.request_stop(FIRST, PAUSED)
    assert store.runs.start_session(got(store, FIRST))
    reason = store.runs.beat(FIRST, message="", snapshot=None, figures=figures_of(left=3))
    assert reason is None


def test_a_closed_run_is_not_queued(store: Store) -> None:
    add(store, FIRST, state=RunState.SUPERSEDED)
    assert not store.runs.enqueue(FIRST, requested_by="Anna")
    assert got(store, FIRST).state is RunState.SUPERSEDED


def test_a_closed_run_does_not_wait_again_when_its_worker_has_ended(store: Store) -> None:
    add(store, FIRST, state=RunState.SUPERSEDED)
    add(store, SECOND, state=RunState.PAUSED, identity=OTHER_IDENTITY)
    for run_id in (FIRST, SECOND):
        store.runs.requeue(run_id, starts=1)
    assert got(store, FIRST).state is RunState.SUPERSEDED
    assert got(store, SECOND).state is RunState.PAUSED
