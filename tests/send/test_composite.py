import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from support.delivery import (
    ACCEPTED,
    BROKEN,
    HAS_OTHER_REASON,
    LOST,
    OUR_REASON,
    journal_of,
    send,
    update_of,
    updates_of,
)
from support.over_http import reason_at, send_over_http

from batchlock.core.reply import Reply, Verdict
from batchlock.core.results import Result
from batchlock.core.rows import CHANGES, Action, LockId, Update
from batchlock.send.composite import CompositeApi, Support
from batchlock.send.composite_memory import load_support, save_support
from batchlock.send.org_memory import JsonFile
from batchlock.simulator import Behaviour, Composite, Fault, Kind, Simulator
from batchlock.zoho import lock_calls
from batchlock.zoho.composite import composite_body, interpret_composite
from batchlock.zoho.lock_calls import LockCall
from batchlock.zoho.replies import RawResponse

NOW = datetime(2026, 3, 14, tzinfo=UTC)
LOCK_ID = LockId("5843104000000804005")


def changes_of(simulator: Simulator) -> Counter[int]:
    """Count the records by how often their locks were changed."""
    return Counter(
        lock.updates + lock.locks + lock.unlocks for lock in simulator.locks.by_record.values()
    )


@pytest.mark.parametrize(("lock_id", "composites"), [("in file", 20), (None, 40)])
def test_five_rows_share_a_call_and_a_credit(
    tmp_path: Path, lock_id: str | None, composites: int
) -> None:
    updates = updates_of(100, lock_id=lock_id)
    delivery, simulator = send_over_http(
        journal_of(tmp_path / "j", updates),
        Behaviour(composite=Composite.ALL),
        window=20,
        support=Support({"PUT": True, "GET": True}),
    )
    assert delivery.results == [Result.UPDATED] * 100
    assert {reason_at(simulator, update) for update in updates} == {OUR_REASON}
    ledger = simulator.ledger
    # Rows that were looked up wait for a commit, so a batch may miss them on a busy machine.
    loose = 0 if lock_id else 4
    assert ledger.count(Kind.COMPOSITE) >= composites - 1 - loose
    assert ledger.api_calls <= composites + 4 * (1 + loose)
    assert ledger.in_flight_peak <= 20
    assert (delivery.totals.requests, delivery.totals.credits_used) == (
        ledger.api_calls,
        ledger.credits_used,
    )
    assert changes_of(simulator) == {1: 100}


@pytest.mark.parametrize(
    ("composite", "known"),
    [
        (Composite.ALL, {"PUT": True}),
        (Composite.NO_LOCKS, {"PUT": False}),
        (Composite.NO_POST, {"PUT": True}),
        (Composite.MIXED, {"PUT": False}),
    ],
)
def test_a_trial_shows_what_an_org_takes(
    tmp_path: Path, composite: Composite, known: dict[str, bool]
) -> None:
    support = Support()
    updates = updates_of(100)
    delivery, simulator = send_over_http(
        journal_of(tmp_path / "j", updates), Behaviour(composite=composite), support=support
    )
    assert delivery.results == [Result.UPDATED] * 100
    assert support.methods == known
    assert changes_of(simulator) == {1: 100}
    assert delivery.totals.requests == simulator.ledger.api_calls
    assert delivery.totals.credits_used == simulator.ledger.credits_used
    # One sentence says which of the two it was.
    assert len(delivery.observer.messages) == 1
    if known["PUT"] is False:
        assert simulator.ledger.count(Kind.COMPOSITE) == 1


def test_without_the_scope_of_composite_calls_each_row_is_a_call(tmp_path: Path) -> None:
    delivery, simulator = send_over_http(
        journal_of(tmp_path / "j", updates_of(100)),
        Behaviour(scopes=frozenset({"ZohoCRM.modules.ALL"})),
        support=(support := Support()),
    )
    assert delivery.results == [Result.UPDATED] * 100
    assert support.methods == {"PUT": False}
    assert simulator.ledger.count(Kind.PUT) == 100


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("executed", [0, 2, 5])
def test_a_lost_composite_call_is_settled_by_looks_before_anything_is_sent_again(
    tmp_path: Path, action: Action, executed: int
) -> None:
    lock_id = None if action is Action.LOCK else "in file"
    updates = [replace(update, action=action) for update in updates_of(40, lock_id=lock_id)]
    behaviour = Behaviour(
        composite=Composite.ALL,
        composite_lost_after=executed,
        composite_lost_at=frozenset({2, 3}),
    )
    delivery, simulator = send_over_http(
        journal_of(tmp_path / "j", updates),
        behaviour,
        window=10,
        support=Support({"PUT": True, "POST": True, "DELETE": True, "GET": True}),
        unlocked=[update.record_id for update in updates] if action is Action.LOCK else (),
    )
    done = {
        Action.UPDATE: Result.UPDATED,
        Action.LOCK: Result.LOCKED,
        Action.UNLOCK: Result.UNLOCKED,
    }[action]
    assert delivery.results == [done] * 40
    assert changes_of(simulator) == {1: 40}


def test_composite_calls_that_are_always_lost_end_in_calls_of_their_own(tmp_path: Path) -> None:
    delivery, simulator = send_over_http(
        journal_of(tmp_path / "j", updates_of(60)),
        Behaviour(composite=Composite.ALL, composite_lost_after=0),
        support=Support({"PUT": True, "GET": True}),
    )
    assert delivery.results == [Result.UPDATED] * 60
    assert changes_of(simulator) == {1: 60}


def test_composite_calls_at_an_org_with_many_faults_leave_true_results(tmp_path: Path) -> None:
    updates = updates_of(150, lock_id=None)
    faults = dict.fromkeys(
        (Fault.SERVER_ERROR, Fault.BAD_GATEWAY, Fault.DROPPED_BEFORE, Fault.DROPPED_AFTER), 0.05
    )
    behaviour = Behaviour(composite=Composite.ALL, faults=faults, seed=7)
    delivery, simulator = send_over_http(
        journal_of(tmp_path / "j", updates), behaviour, support=Support()
    )
    assert set(delivery.results) <= {Result.UPDATED, Result.FAILED}
    assert delivery.results.count(Result.UPDATED) > 140
    for update in updates:
        if delivery.lines[update.row].result is Result.UPDATED:
            assert reason_at(simulator, update) == OUR_REASON


@dataclass(slots=True)
class RecordingSender:
    """Accepts every call, and records which went out alone and which together."""

    composite_reply: Reply = ACCEPTED
    alone: list[str] = field(default_factory=list)
    composites: list[list[str]] = field(default_factory=list)

    async def send(self, call: LockCall) -> Reply:
        self.alone.append(call.path)
        await asyncio.sleep(0.1)
        return HAS_OTHER_REASON if call.method == "GET" else ACCEPTED

    async def send_composite(self, calls: list[LockCall]) -> list[Reply | None]:
        self.composites.append([call.path for call in calls])
        await asyncio.sleep(0.1)
        return [self.composite_reply] * len(calls)


def deliver_recorded(
    path: Path, rows: int, support: Support, window: int = 25, reply: Reply = ACCEPTED
) -> RecordingSender:
    """Deliver some rows in simulated time, in a window of calls."""
    sender, in_flight = RecordingSender(composite_reply=reply), 0

    class CountingApi(CompositeApi):
        async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
            nonlocal in_flight
            in_flight += 1
            try:
                return await super().put_reason(update, lock_id)
            finally:
                in_flight -= 1

    api = CountingApi(
        sender,
        support,
        in_flight=lambda: in_flight,
        window=lambda: window,
        on_learned=lambda _: None,
        rows=rows,
    )
    delivery = send(journal_of(path, updates_of(rows)), api, window=window)
    assert delivery.results == [Result.UPDATED] * rows
    return sender


def test_the_last_rows_do_not_wait_for_others_for_ever(tmp_path: Path) -> None:
    sender = deliver_recorded(tmp_path / "j", 13, Support({"PUT": True}))
    assert [len(paths) for paths in sender.composites] == [5, 5]
    assert len(sender.alone) == 3


@pytest.mark.parametrize("window", [1, 4])
def test_without_five_places_each_row_is_a_call_at_once(tmp_path: Path, window: int) -> None:
    sender = deliver_recorded(tmp_path / "j", 13, Support({"PUT": True}), window)
    assert (len(sender.composites), len(sender.alone)) == (0, 13)


def test_a_few_rows_are_not_worth_a_trial(tmp_path: Path) -> None:
    sender = deliver_recorded(tmp_path / "j", 20, Support())
    assert (len(sender.composites), len(sender.alone)) == (0, 20)


@pytest.mark.parametrize("reply", [BROKEN, LOST])
def test_two_composite_calls_without_an_answer_are_enough(tmp_path: Path, reply: Reply) -> None:
    support = Support()
    sender = deliver_recorded(tmp_path / "j", 600, support, reply=reply)
    assert len(sender.composites) == 2
    # The next run does not wait for them again.
    assert False in support.methods.values()


def response(content: object, status: int = 200) -> RawResponse:
    return RawResponse(
        status=status,
        content=content if isinstance(content, bytes) else orjson.dumps(content),
        received_at=0.0,
        retry_after=None,
        credits_remaining=None,
    )


CALLS = [lock_calls.put_reason(update_of(row), LOCK_ID) for row in (2, 3)]
DONE = {
    "code": "SUCCESS",
    "details": {
        "response": {
            "status_code": 200,
            "headers": {},
            "body": {
                "data": [{"code": "SUCCESS", "details": {}, "message": "m", "status": "success"}]
            },
        }
    },
}
NOT_SUPPORTED = {"code": "NOT_SUPPORTED", "details": {}, "message": "no", "status": "error"}


@pytest.mark.parametrize(
    ("content", "status", "verdicts"),
    [
        ({"__composite_requests": [DONE, NOT_SUPPORTED]}, 207, [Verdict.ACCEPTED, None]),
        ({"__composite_requests": [DONE, {"details": {"response": {}}}]}, 200,
         [Verdict.ACCEPTED, Verdict.LOST]),
        ({"__composite_requests": [DONE, 7]}, 200, [Verdict.ACCEPTED, Verdict.LOST]),
        ({"__composite_requests": [DONE]}, 200, [Verdict.LOST] * 2),
        ({"__composite_requests": [DONE, {"code": "SUCCESS", "details": {}}]}, 200,
         [Verdict.ACCEPTED, Verdict.LOST]),
        ({"__composite_requests": [NOT_SUPPORTED | {"sub_request_id": "2"},
                                   DONE | {"sub_request_id": "1"}]}, 207,
         [Verdict.ACCEPTED, None]),
        ({"__composite_requests": [DONE | {"sub_request_id": "1"},
                                   DONE | {"sub_request_id": "1"}]}, 200, [Verdict.LOST] * 2),
        ({"access_token": "x"}, 200, [None, None]),
        (b"<html>", 200, [Verdict.LOST] * 2),
        (b"<html>", 403, [Verdict.LOST] * 2),
        (b"<html>", 404, [None, None]),
        (b"", 502, [Verdict.BROKEN] * 2),
        ({"code": "TOO_MANY_REQUESTS"}, 429, [Verdict.THROTTLED] * 2),
        ({"code": "OAUTH_SCOPE_MISMATCH", "status": "error"}, 401, [None, None]),
        ({"code": "INVALID_TOKEN", "status": "error"}, 401, [Verdict.EXPIRED] * 2),
        ({"code": "INVALID_DATA", "status": "error", "details": {}}, 400, [None, None]),
    ],
)  # fmt: skip
def test_every_response_to_a_composite_call_says_what_became_of_each_call(
    content: object, status: int, verdicts: list[Verdict | None]
) -> None:
    replies = interpret_composite(response(content, status), CALLS)
    assert [reply and reply.verdict for reply in replies] == verdicts


def test_the_body_of_a_composite_call_has_the_calls_in_order() -> None:
    body = orjson.loads(composite_body("v7", [CALLS[0], lock_calls.find_lock(update_of(2))]))
    put, get = body["__composite_requests"]
    assert (body["rollback_on_fail"], body["parallel_execution"]) == (False, True)
    assert put["uri"].startswith("/crm/v7/Leads/")
    assert put["body"] == {"data": [{"Locked_Reason__s": OUR_REASON}]}
    assert get["method"] == "GET"
    assert get["params"]["fields"].startswith("Locked_For__s")
    assert "body" not in get


def test_what_an_org_takes_is_known_for_a_week(tmp_path: Path) -> None:
    path = tmp_path / "composite" / "acme.json"
    found = Support({"PUT": True, "POST": False})
    save_support(JsonFile(path), before=Support(), support=found, now=NOW)
    assert load_support(JsonFile(path), NOW + timedelta(days=6)) == found
    later = Support({**found.methods, "GET": True})
    save_support(JsonFile(path), before=found, support=later, now=NOW + timedelta(days=6))
    assert load_support(JsonFile(path), NOW + timedelta(days=8)).methods == {"GET": True}
    path.write_text("damaged")
    assert load_support(JsonFile(path), NOW) == Support()
