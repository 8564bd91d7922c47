"""Composite calls: `POST /__composite_requests`, up to five calls in one.

From Zoho's page on composite calls. Sub-requests are executed in their order, also those that
Zoho would execute in parallel. Whether Zoho takes calls on locks is not documented; `Composite` in
`behaviour` lists what the simulator can do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer
from batchlock.simulator.api import Api, scope_refusal
from batchlock.simulator.behaviour import Behaviour, Composite, Fault
from batchlock.simulator.call_log import Kind
from batchlock.simulator.calls import Call, kind_of
from batchlock.simulator.composite_form import KEY, Item, content_of, error, place_of, refusal_of
from batchlock.simulator.delivery import headers_of
from batchlock.simulator.faults import Faults
from batchlock.simulator.ledger import Ledger
from batchlock.simulator.locks import Locks, SavedLock
from batchlock.simulator.magic import FAULT_ANSWERS
from batchlock.simulator.references import InvalidReferenceError, resolved

ALLOWED_SERVICES = (
    "Get Org",
    "Get Metadata",
    "Update Related Records",
    "Delink Related Records",
    "Get Records",
    "Get Related Records",
    "Get Records through COQL",
)
"""The services that a refusal names; a part of Zoho's list."""

_ROLLED_BACK = (
    "the transaction was rolled back since another sub request in the same transaction failed."
)


@dataclass(frozen=True, slots=True)
class CompositeResult:
    """What a composite call did."""

    answer: CannedResponse
    credits: int = 1
    fault: Fault | None = None
    """How its connection ends early; None: the answer is sent."""


@dataclass(slots=True)
class _Transaction:
    """One composite call, and what was executed of it so far."""

    call: Call
    behaviour: Behaviour
    sub_requests: Sequence[object]
    items: list[Item] = field(default_factory=list)
    """The answers to its sub-requests, in order."""
    bodies: dict[str, object] = field(default_factory=dict)
    """The bodies of these answers, by sub-request id, for references."""
    saved: list[SavedLock] = field(default_factory=list)
    """The locks before each change, for a rollback."""
    fault: Fault | None = None
    """What a magic record id does to the connection."""


class CompositeCalls:
    """Executes composite calls."""

    def __init__(self, api: Api, faults: Faults, locks: Locks, ledger: Ledger) -> None:
        self._api = api
        self._faults = faults
        self._locks = locks
        self._ledger = ledger

    def execute(self, call: Call, behaviour: Behaviour) -> CompositeResult:
        """Execute a composite call."""
        content = content_of(call.body)
        if isinstance(content, CannedResponse):
            return CompositeResult(content)
        transaction = _Transaction(call, behaviour, content[KEY])
        does_roll_back = content.get("rollback_on_fail") is True
        changes = self._ledger.changes.copy()
        lost_after = self._lost_after(behaviour)
        for index in range(len(transaction.sub_requests))[:lost_after]:
            transaction.items.append(self._item(transaction, index))
            if does_roll_back and _has_failed(transaction.items[-1]):
                for saved in reversed(transaction.saved):
                    self._locks.restore(saved)
                self._ledger.changes = changes
                answer = _rolled_back(transaction.items, len(transaction.sub_requests))
                return CompositeResult(answer, fault=transaction.fault)
        answer = _answer(transaction.items)
        fault = transaction.fault if lost_after is None else Fault.DROPPED_AFTER
        return CompositeResult(answer, 2 if does_roll_back else 1, fault)

    def _lost_after(self, behaviour: Behaviour) -> int | None:
        """Return after how many sub-requests the connection closes; None: it does not."""
        number = self._ledger.count(Kind.COMPOSITE)
        if behaviour.composite_lost_at and number not in behaviour.composite_lost_at:
            return None
        return behaviour.composite_lost_after

    def _item(self, transaction: _Transaction, index: int) -> Item:
        """Execute a sub-request, or refuse it, and return its part of the answer."""
        if (refused := refusal_of(transaction.sub_requests, index)) is not None:
            return refused
        sub_request = transaction.sub_requests[index]
        assert isinstance(sub_request, dict)
        try:
            call = _sub_call(transaction.call, resolved(sub_request, transaction.bodies))
        except InvalidReferenceError as invalid:
            details = place_of(index, invalid.name) | {"reference": invalid.reference}
            return error("INVALID_REFERENCE", "invalid reference", details)
        if _version(call) > _version(transaction.call):
            details = {
                "sub_request_version": _version(call),
                "composite_request_version": _version(transaction.call),
            }
            return error("NOT_ALLOWED", "version of the sub request is not allowed", details)
        if _is_refused(call, transaction.behaviour.composite, index):
            return error(
                "NOT_SUPPORTED",
                "the given service is not supported in composite requests",
                {"allowed_services": list(ALLOWED_SERVICES)},
            )
        item = _executed(self._execute(call, transaction))
        id_ = sub_request.get("sub_request_id") or str(index + 1)
        transaction.bodies[id_] = item["details"]["response"]["body"]
        return item

    def _execute(self, call: Call, transaction: _Transaction) -> CannedResponse:
        position = self._ledger.record_sub_request(call.kind, call.subject, token=call.token)
        answer = self._answer_to(call, transaction)
        self._ledger.log.set_answer(position, str(answer.status))
        self._ledger.log.set_end(position)
        return answer

    def _answer_to(self, call: Call, transaction: _Transaction) -> CannedResponse:
        self._faults.count(call.kind)
        if (refused := scope_refusal(call)) is not None:
            return refused
        effect = self._faults.magic_effect(call)
        if isinstance(effect, CannedResponse):
            return effect
        if effect in FAULT_ANSWERS:
            return FAULT_ANSWERS[effect]
        transaction.fault = transaction.fault or effect
        if effect is Fault.DROPPED_BEFORE:
            return answers.NO_CONTENT
        if call.is_lock_call:
            transaction.saved.append(self._locks.save(*call.record))
        return self._api.execute(call, transaction.behaviour, in_composite=True)


def _sub_call(call: Call, sub_request: Mapping[str, Any]) -> Call:
    path, _, query = sub_request["uri"].partition("?")
    params = {name: str(value) for name, value in (sub_request.get("params") or {}).items()}
    body = sub_request.get("body")
    segments = tuple(path.split("/")[1:])
    return Call(
        kind_of(sub_request["method"], segments),
        sub_request["method"],
        segments,
        dict(parse_qsl(query, keep_blank_values=True)) | params,
        b"" if body is None else orjson.dumps(body),
        call.scopes,
        call.token,
    )


def _version(call: Call) -> int:
    """Return the version in a path; 0 where there is none, which is a wrong URL."""
    text = call.path[1].removeprefix("v")
    return int(text) if text.isdecimal() else 0


def _is_refused(call: Call, mode: Composite, index: int) -> bool:
    if call.kind is Kind.COMPOSITE:
        return True
    match mode:
        case Composite.NO_LOCKS:
            return call.is_lock_call
        case Composite.NO_POST:
            return call.is_lock_call and call.method == "POST"
        case Composite.MIXED:
            return index % 2 == 1
        case Composite.ALL:
            return False


def _executed(answer: CannedResponse) -> Item:
    try:
        body = orjson.loads(answer.body) if answer.body else None
    except orjson.JSONDecodeError:
        body = answer.body.decode()
    response = {"status_code": answer.status, "headers": headers_of(answer), "body": body}
    return {
        "code": "SUCCESS",
        "details": {"response": response},
        "message": "composite sub request executed successfully",
        "status": "success",
    }


def _is_executed(item: Item) -> bool:
    return "response" in item["details"]


def _has_failed(item: Item) -> bool:
    return not _is_executed(item) or item["details"]["response"]["status_code"] >= 400


def _answer(items: Sequence[Item]) -> CannedResponse:
    """Return the answer to a call that was not rolled back.

    Its status says how many sub-requests were executed, whether or not they succeeded.
    """
    executed = sum(map(_is_executed, items))
    status = 200 if executed == len(items) else 207 if executed else 400
    return json_answer({KEY: items}, status=status)


def _rolled_back(items: Sequence[Item], total: int) -> CannedResponse:
    """Return the answer to a call whose last executed sub-request failed."""
    *earlier, failed = items
    details = {"rollbacked_by_sub_request_index": len(earlier)}
    performed = error("ROLLBACK_PERFORMED", _ROLLED_BACK, details)
    stopped = error("PROCESSING_STOPPED", _ROLLED_BACK, details)
    undone = [performed] * len(earlier)
    rest = [stopped] * (total - len(items))
    return json_answer({KEY: [*undone, failed, *rest]}, status=400)
