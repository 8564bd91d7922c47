from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from batchlock.core.preview import ModuleRows
from batchlock.store.approvals import Approval, ApprovalState
from batchlock.store.store import Store

AT = datetime(2026, 3, 14, 2, 3, tzinfo=UTC)


def approval(number: int, subject: str = "files/f1", **values: object) -> Approval:
    return Approval(
        **{
            "id": f"a{number}",
            "org": "acme",
            "subject": subject,
            "title": "a\ud800.csv",  # a name that is no UTF-8
            "start": "new",
            "digest": "0",
            "counts": (ModuleRows(module="Leads", action="update", rows=3),),
            "excluded": frozenset({"Pia", "Ute"}),
            "requested_by": "Pia",
            "requested_at": AT + timedelta(minutes=number),
            "comment": "why",
            **values,
        }  # type: ignore[arg-type]
    )


def test_a_request_is_read_as_it_was_made(store: Store) -> None:
    store.approvals.add(approval(1))
    assert store.approvals.get("acme", "a1") == approval(1)
    assert store.approvals.get("other", "a1") is None
    assert store.approvals.waiting("acme") == [approval(1)]
    assert not approval(1).may_be_decided_by("Ute")
    assert approval(1).may_be_decided_by("Sam")


def test_a_new_request_takes_the_place_of_the_one_that_waits(store: Store) -> None:
    for one in (approval(1), approval(2, "runs/r1"), approval(3)):
        store.approvals.add(one)
    assert store.approvals.waiting("acme") == [approval(2, "runs/r1"), approval(3)]
    newest = store.approvals.of_uploads("acme", ["f1", "none"])
    assert newest == {"f1": approval(3)}
    assert store.approvals.newest("acme", "files/f1") == approval(3)


def test_a_request_is_decided_once(store: Store) -> None:
    store.approvals.add(approval(1))
    assert store.approvals.decide("a1", ApprovalState.APPROVED, "Sam", "good")
    assert not store.approvals.decide("a1", ApprovalState.RETURNED, "Sue")
    assert store.approvals.of_run("r1") is None
    store.approvals.set_run("a1", "r1")
    approved = store.approvals.of_run("r1")
    assert approved is not None
    assert (approved.decided_by, approved.answer) == ("Sam", "good")
    assert not approved.may_be_decided_by("Sam")


def test_a_request_waits_again_when_nothing_could_be_started(store: Store) -> None:
    store.approvals.add(approval(1))
    store.approvals.decide("a1", ApprovalState.APPROVED, "Sam", "good")
    store.approvals.reopen("a1")
    assert store.approvals.waiting("acme") == [approval(1)]


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_change_or_the_removal_of_an_upload_withdraws(store: Store, *, is_removed: bool) -> None:
    store.uploads.add("f1", "acme", "a.csv", "Pia")
    store.approvals.add(approval(1))
    if is_removed:
        store.uploads.remove("f1")
    else:
        assert store.approvals.record_change("acme", "f1", "Sam")
        assert not store.approvals.record_change("acme", "f1", "Sam")
    assert store.approvals.editors("f1") == ([] if is_removed else ["Sam"])
    withdrawn = store.approvals.get("acme", "a1")
    assert withdrawn is not None
    assert withdrawn.state is ApprovalState.WITHDRAWN


def test_the_request_about_a_removed_run_does_not_wait_for_ever(store: Store) -> None:
    store.approvals.add(approval(1, "runs/r1"))
    store.approvals.add(approval(2, "runs/r2"))
    store.runs.remove("r1")
    assert store.approvals.waiting("acme") == [approval(2, "runs/r2")]


def test_one_request_about_a_subject_waits(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store.approvals.add, map(approval, range(12))))
    [waiting] = store.approvals.waiting("acme")
    # An approval that fails lets the request wait again, unless there is a newer one.
    assert store.approvals.decide(waiting.id, ApprovalState.APPROVED, "Sam")
    store.approvals.add(approval(20))
    store.approvals.reopen(waiting.id)
    assert store.approvals.waiting("acme") == [approval(20)]
    assert store.approvals.decide("a20", ApprovalState.APPROVED, "Sam")
    store.approvals.reopen("a20")
    assert store.approvals.waiting("acme") == [approval(20)]
