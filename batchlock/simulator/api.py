"""Which part of the simulator answers which API call."""

from collections.abc import Callable
from datetime import datetime

from batchlock.simulator import answers, coql, lists, org
from batchlock.simulator.answers import CannedResponse
from batchlock.simulator.behaviour import Behaviour
from batchlock.simulator.call_log import Kind
from batchlock.simulator.calls import Call
from batchlock.simulator.ledger import Ledger
from batchlock.simulator.locks import Locks, is_id
from batchlock.simulator.scopes import allows

# The official pages describe the locking calls for these versions, alike in all of them.
VERSIONS = frozenset({"v3", "v4", "v5", "v6", "v7", "v8"})
# From Zoho's page on composite calls: what a sub-request may list.
_MOST_IN_COMPOSITE = 25
# The credits of a list that a custom view selects, from a sister product's page.
_VIEW_CREDITS = 3


def scope_refusal(call: Call) -> CannedResponse | None:
    """Return the refusal of a call that the token's scopes do not allow."""
    path = call.path[2:]
    if not allows(call.scopes, call.method, path):
        return answers.SCOPE_MISSING
    if call.kind is Kind.COQL and (module := coql.module_of(call.body)) is not None:
        return None if allows(call.scopes, "GET", (module,)) else answers.SCOPE_MISSING
    return None


def credits_of(call: Call) -> int:
    """Return the credits that a call costs."""
    match call.kind:
        case Kind.COQL:
            return coql.credits_of(call.body)
        case Kind.LIST if "cvid" in call.query:
            return _VIEW_CREDITS
        case _:
            return 1


class Api:
    """Executes calls, without any fault. `now` returns the current time."""

    def __init__(
        self,
        locks: Locks,
        ledger: Ledger,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._locks = locks
        self._ledger = ledger
        self._now = now

    def execute(
        self, call: Call, behaviour: Behaviour, *, in_composite: bool = False
    ) -> CannedResponse:
        """Execute a call that is no composite call."""
        if len(call.path) < 3 or call.path[1] not in VERSIONS:
            return answers.WRONG_URL
        if call.is_lock_call:
            return self._execute_lock_call(call)
        most_rows = _MOST_IN_COMPOSITE if in_composite else coql.MOST_ROWS
        if call.kind is Kind.COQL:
            return self._query(call, behaviour, most_rows)
        if call.method != "GET":
            return answers.WRONG_METHOD
        if call.kind is Kind.LIST:
            return self._list(call, behaviour, min(most_rows, lists.MOST_PER_PAGE))
        return org.answer(call.path[2:], call.query, behaviour, self._locks.inventory)

    def composite_refusal(self, call: Call) -> CannedResponse | None:
        """Return the refusal of a composite call whose path or method is wrong, else None."""
        if call.path[1] not in VERSIONS:
            return answers.WRONG_URL
        return None if call.method == "POST" else answers.WRONG_METHOD

    def _execute_lock_call(self, call: Call) -> CannedResponse:
        module, record_id = call.record
        rest = call.path[5:]
        if not is_id(record_id) or not all(map(is_id, rest)):
            return answers.WRONG_URL
        if (refused := org.refusal_of(module)) is not None:
            return refused
        match call.kind, rest:
            case Kind.PUT, [lock_id]:
                answer = self._locks.update(module, record_id, lock_id, call.body)
            case Kind.POST, []:
                answer = self._locks.lock(module, record_id, call.body)
            case Kind.DELETE, [lock_id]:
                answer = self._locks.unlock(module, record_id, lock_id)
            case Kind.GET, [] | [_]:
                fields = call.query.get("fields", "")
                return self._locks.get(module, record_id, *rest, fields=fields)
            case _:
                return answers.WRONG_METHOD
        self._ledger.changes[call.kind] += answer.code == "SUCCESS"
        return answer

    def _query(self, call: Call, behaviour: Behaviour, most_rows: int) -> CannedResponse:
        if call.method != "POST":
            return answers.WRONG_METHOD
        return coql.answer(
            call.body,
            self._locks.inventory,
            is_module=lambda module: org.refusal_of(module) is not answers.INVALID_MODULE,
            knows_locked=behaviour.coql_locked,
            most_rows=most_rows,
        )

    def _list(self, call: Call, behaviour: Behaviour, most_per_page: int) -> CannedResponse:
        module = call.path[2]
        if org.refusal_of(module) is answers.INVALID_MODULE:
            return answers.INVALID_MODULE
        return lists.answer(
            module,
            call.query,
            self._locks,
            now=self._now(),
            has_locked_view=behaviour.locked_view,
            most_per_page=most_per_page,
        )
