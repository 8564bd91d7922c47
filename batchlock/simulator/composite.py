"""Composite calls: `POST /__composite_requests`, up to five calls in one.

From Zoho's page on composite calls. Sub-requests are executed in their order, also those that
Zoho would execute in parallel. Whether Zoho takes calls on locks is not documented; `Composite` in
`behaviour` lists what the simulator can do.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import orjson

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer, refusal
from batchlock.simulator.api import Api, scope_refusal
from batchlock.simulator.behaviour import Behaviour, Composite, Fault
from batchlock.simulator.calls import Call
from batchlock.simulator.delivery import headers_of
from batchlock.simulator.faults import Faults
from batchlock.simulator.ledger import Kind, Ledger
from batchlock.simulator.locks import Locks, SavedLock
from batchlock.simulator.magic import FAULT_ANSWERS
from batchlock.simulator.references import InvalidReferenceError, resolved

MOST_SUB_REQUESTS = 5
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
RESTRICTED_HEADERS = ("authorization", "x-crm-org")

_KEY = "__composite_requests"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Both expressions are on Zoho's page.
_URI = re.compile(r"/crm(/.*)?/v[0-9]+([.][0-9]+)?/.*")
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_]*")
_ROLLED_BACK = (
    "the transaction was rolled back since another sub request in the same transaction failed."
)

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CompositeResult:
    """What a composite call did."""

    answer: CannedResponse
    credits: int = 1
    fault: Fault | None = None
    """How its connection ends early; None: the answer is sent."""


@dataclass(slots=True)
class _Transaction:
    """The sub-requests of one call that were executed so far."""

    items: list[Item] = field(default_factory=list)
    """Their answers, in order."""
    bodies: dict[str, object] = field(default_factory=dict)
    """The bodies of the answers, by sub-request id, for references."""
    saved: list[SavedLock] = field(default_factory=list)
    """The locks before each change, for a rollback."""
    fault: Fault | None = None


class CompositeCalls:
    """Executes composite calls."""

    def __init__(self, api: Api, faults: Faults, locks: Locks, ledger: Ledger) -> None:
        self._api = api
        self._faults = faults
        self._locks = locks
        self._ledger = ledger

    def execute(self, call: Call, behaviour: Behaviour) -> CompositeResult:
        """Execute a composite call."""
        content = _content(call.body)
        if isinstance(content, CannedResponse):
            return CompositeResult(content)
        sub_requests: Sequence[object] = content[_KEY]
        does_roll_back = content.get("rollback_on_fail") is True
        transaction = _Transaction()
        changes = self._ledger.changes.copy()
        lost_after = self._lost_after(behaviour)
        for index, sub_request in enumerate(sub_requests[:lost_after]):
            item = self._item(call, behaviour, sub_requests, sub_request, index, transaction)
            transaction.items.append(item)
            if does_roll_back and _has_failed(item):
                for saved in reversed(transaction.saved):
                    self._locks.restore(saved)
                self._ledger.changes = changes
                answer = _rolled_back(transaction.items, len(sub_requests))
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

    def _item(
        self,
        call: Call,
        behaviour: Behaviour,
        all_requests: Sequence[object],
        sub_request: object,
        index: int,
        transaction: _Transaction,
    ) -> Item:
        """Execute a sub-request, or refuse it, and return its part of the answer."""
        if (refused := _refusal(all_requests, sub_request, index)) is not None:
            return refused
        assert isinstance(sub_request, dict)
        try:
            sub_call = _sub_call(call, resolved(sub_request, transaction.bodies))
        except InvalidReferenceError as error:
            details = {**_place(index, error.name), "reference": error.reference}
            return _error("INVALID_REFERENCE", "invalid reference", details)
        if sub_call.path[1] > call.path[1]:
            details = {
                "sub_request_version": _version(sub_call),
                "composite_request_version": _version(call),
            }
            return _error("NOT_ALLOWED", "version of the sub request is not allowed", details)
        if _is_refused(sub_call, behaviour.composite, index):
            return _error(
                "NOT_SUPPORTED",
                "the given service is not supported in composite requests",
                {"allowed_services": list(ALLOWED_SERVICES)},
            )
        answer = self._execute(sub_call, behaviour, transaction)
        item = _executed(answer)
        id_ = sub_request.get("sub_request_id")
        transaction.bodies[id_ or str(index + 1)] = item["details"]["response"]["body"]
        return item

    def _execute(
        self, call: Call, behaviour: Behaviour, transaction: _Transaction
    ) -> CannedResponse:
        self._ledger.sub_requests[call.kind] += 1
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
        return self._api.execute(call, behaviour, in_composite=True)


def _content(body: bytes) -> dict[str, Any] | CannedResponse:
    """Return the content of a composite call, or the refusal of the whole call."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return answers.BAD_BODY
    if not isinstance(content, dict):
        return answers.BAD_BODY
    for name in ("rollback_on_fail", "parallel_execution"):
        if not isinstance(content.get(name), bool | None):
            return _invalid(name, expected_data_type="boolean")
    if content.get("rollback_on_fail") and content.get("parallel_execution"):
        names = ("rollback_on_fail", "parallel_execution")
        due_to = [{"api_name": name, "json_path": f"$.{name}"} for name in names]
        return refusal(
            "AMBIGUITY_DURING_PROCESSING",
            "rollback_on_fail and parallel_execution cannot both be true",
            details={"ambiguity_due_to": due_to},
        )
    sub_requests = content.get(_KEY)
    if not sub_requests:
        details = {"api_name": _KEY, "json_path": f"$.{_KEY}"}
        return refusal("MANDATORY_NOT_FOUND", "required field not found", details=details)
    if not isinstance(sub_requests, list):
        return _invalid(_KEY, expected_data_type="jsonarray")
    if len(sub_requests) > MOST_SUB_REQUESTS:
        return _invalid(_KEY, maximum_length=MOST_SUB_REQUESTS)
    return content


def _invalid(name: str, **details: object) -> CannedResponse:
    where = {"api_name": name, "json_path": f"$.{name}"}
    return refusal("INVALID_DATA", "invalid data", details={**where, **details})


def _refusal(all_requests: Sequence[object], sub_request: object, index: int) -> Item | None:
    """Return the refusal of a sub-request whose form is wrong, else None."""
    if not isinstance(sub_request, dict):
        place = {"api_name": _KEY, "json_path": f"$.{_KEY}[{index}]"}
        return _error("INVALID_DATA", "invalid data", place | {"expected_data_type": "jsonobject"})
    for name in ("method", "uri"):
        if not isinstance(sub_request.get(name), str):
            return _error("MANDATORY_NOT_FOUND", "required field not found", _place(index, name))
    if sub_request["method"] not in _METHODS:
        return _error("INVALID_DATA", "invalid data", _place(index, "method"))
    if not _URI.fullmatch(sub_request["uri"]):
        details = _place(index, "uri") | {"regex": _URI.pattern}
        return _error("INVALID_DATA", "invalid data", details)
    for name in ("headers", "params", "body"):
        if not isinstance(sub_request.get(name), dict | None):
            details = _place(index, name) | {"expected_data_type": "jsonobject"}
            return _error("INVALID_DATA", "invalid data", details)
    restricted = [
        name for name in sub_request.get("headers") or {} if name.lower() in RESTRICTED_HEADERS
    ]
    if restricted:
        details = _place(index, "headers") | {"restricted_headers": restricted}
        return _error("INVALID_DATA", "restricted headers are given", details)
    return _id_refusal(all_requests, sub_request.get("sub_request_id"), index)


def _id_refusal(all_requests: Sequence[object], id_: object, index: int) -> Item | None:
    if id_ is None:
        return None
    place = _place(index, "sub_request_id")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        return _error("INVALID_DATA", "invalid data", place | {"regex": _ID.pattern})
    same = [
        number
        for number, one in enumerate(all_requests)
        if isinstance(one, dict) and one.get("sub_request_id") == id_
    ]
    if len(same) > 1:
        return _error("DUPLICATE_DATA", "duplicate data", place | {"sub_request_indexes": same})
    return None


def _place(index: int, name: str) -> Item:
    return {"api_name": name, "json_path": f"$.{_KEY}[{index}].{name}"}


def _sub_call(call: Call, sub_request: Mapping[str, Any]) -> Call:
    path, _, query = sub_request["uri"].partition("?")
    params = {name: str(value) for name, value in (sub_request.get("params") or {}).items()}
    body = sub_request.get("body")
    return replace(
        call,
        method=sub_request["method"],
        path=tuple(path.split("/")[1:]),
        query=dict(parse_qsl(query, keep_blank_values=True)) | params,
        body=b"" if body is None else orjson.dumps(body),
    )


def _version(call: Call) -> int:
    return int(float(call.path[1].lstrip("v")))


def _is_refused(call: Call, mood: Composite, index: int) -> bool:
    if call.kind is Kind.COMPOSITE:
        return True
    match mood:
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


def _error(code: str, message: str, details: Mapping[str, object]) -> Item:
    return {"code": code, "details": details, "message": message, "status": "error"}


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
    return json_answer({_KEY: items}, status=status)


def _rolled_back(items: Sequence[Item], total: int) -> CannedResponse:
    """Return the answer to a call whose last executed sub-request failed."""
    *earlier, failed = items
    details = {"rollbacked_by_sub_request_index": len(earlier)}
    performed = _error("ROLLBACK_PERFORMED", _ROLLED_BACK, details)
    stopped = _error("PROCESSING_STOPPED", _ROLLED_BACK, details)
    undone = [performed] * len(earlier)
    rest = [stopped] * (total - len(items))
    return json_answer({_KEY: [*undone, failed, *rest]}, status=400)
