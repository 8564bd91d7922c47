"""One simulated org: its records, its limits, its tokens, and what every call did to it.

Everything here belongs to this org alone. What the orgs of one stand-in share is in `orgs`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse
from batchlock.simulator.api import Api, credits_of, scope_refusal
from batchlock.simulator.behaviour import Behaviour, Fault
from batchlock.simulator.call_log import Kind, Timeline
from batchlock.simulator.calls import MOST_HEAVY_CALLS, Call
from batchlock.simulator.composite import CompositeCalls
from batchlock.simulator.faults import Faults
from batchlock.simulator.identity import Identity
from batchlock.simulator.ledger import Ledger
from batchlock.simulator.locks import Locks
from batchlock.simulator.magic import FAULT_ANSWERS
from batchlock.simulator.records import Inventory
from batchlock.simulator.sign_in import Credentials, Grant

REVOCATION_PATH = "v2/token/revoke"
SIGN_IN_PATHS = ("v2/token", "v3/device/code", "v3/device/token", REVOCATION_PATH)
"""Where clients get tokens and revoke them, below `/oauth/`."""


def now_utc() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the fault with which it is sent."""

    response: CannedResponse
    fault: Fault | None = None


class Simulator:
    """One simulated org of Zoho CRM: the only one of a stand-in, unless `identity` says otherwise.

    All orgs of a stand-in have the same `timeline`.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        inventory: Inventory | None = None,
        *,
        identity: Identity | None = None,
        timeline: Timeline | None = None,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.url = ""
        """Its address, for both the API and the accounts URL."""
        self.identity = identity or Identity()
        timeline = timeline or Timeline()
        self.locks = Locks(
            inventory,
            identity=self.identity,
            unlisted=lambda: self.behaviour.unlisted,
            now=now,
        )
        self.ledger = Ledger(timeline)
        self.sign_in = Credentials(self.identity, clock=timeline.clock)
        self.faults = Faults(self.behaviour.seed)
        self._api = Api(self.locks, self.ledger, now=now)
        self._composite = CompositeCalls(self._api, self.faults, self.locks, self.ledger)

    def throttled(self, call: Call) -> CannedResponse | None:
        """Return the 429 of the call that has just arrived, if it is beyond the org's limits."""
        behaviour, ledger = self.behaviour, self.ledger
        # The call is counted already, so the cap itself is still allowed.
        cap = behaviour.most_in_flight
        if cap is not None and (
            ledger.in_flight > cap or (call.is_heavy and ledger.heavy_in_flight > MOST_HEAVY_CALLS)
        ):
            ledger.over_cap += 1
            return answers.TOO_MANY_CALLS
        if ledger.api_calls in behaviour.throttle_at:
            return answers.TOO_MANY_CALLS
        return answers.NO_CREDITS if self.is_out_of_credits else None

    @property
    def is_out_of_credits(self) -> bool:
        """Whether the org has spent all its credits."""
        limit = self.behaviour.credit_limit
        return limit is not None and self.ledger.credits_used >= limit

    def host_refusal(self, host: str) -> CannedResponse | None:
        """Return the refusal of a call to this host name; None if the org has it."""
        configured = self.behaviour.api_host
        return answers.INVALID_HOST if configured not in (None, host) else None

    def answer(self, call: Call) -> Answer:
        """Answer a call that the limits and the sign-in have accepted."""
        if (refused := scope_refusal(call)) is not None:
            return Answer(refused)
        if self.is_out_of_credits:
            return Answer(answers.NO_CREDITS)
        self.ledger.credits[call.kind] += credits_of(call)
        effect = self.faults.effect(call, self.behaviour)
        if isinstance(effect, CannedResponse):
            return Answer(effect)
        if effect in FAULT_ANSWERS:
            return Answer(FAULT_ANSWERS[effect], effect)
        if effect is Fault.DROPPED_BEFORE:
            return Answer(answers.NO_CONTENT, effect)
        return self._execute(call, effect)

    def sign_in_answer(self, path: str, form: dict[str, str]) -> CannedResponse:
        """Answer a request to one of SIGN_IN_PATHS."""
        behaviour = self.behaviour
        grant = Grant(self.url, behaviour.token_lifetime, behaviour.scopes, behaviour.org_id)
        match path:
            case "v2/token":
                return self.sign_in.answer(form, grant)
            case "v3/device/code":
                return self.sign_in.device_code_answer(form, grant)
            case _ if path == REVOCATION_PATH:
                return self.sign_in.revocation_answer(form)
            case _:
                return self.sign_in.device_token_answer(form, grant)

    def change_behaviour(self, behaviour: Behaviour) -> None:
        """Set the behaviour of the calls from now on. Another seed starts its faults again."""
        if behaviour.seed != self.behaviour.seed:
            self.faults.reseed(behaviour.seed)
        self.behaviour = behaviour

    def state(self) -> dict[str, object]:
        """Return every count of the ledger, and those of locks, tokens and credits."""
        limit = self.behaviour.credit_limit
        return {
            "url": self.url,
            "records": len(self.locks.inventory),
            "locks": len(self.locks.by_record),
            **self.ledger.state(),
            "credits_left": None if limit is None else max(0, limit - self.ledger.credits_used),
            "tokens_issued": self.sign_in.tokens_issued,
        }

    def _execute(self, call: Call, fault: Fault | None) -> Answer:
        if call.kind is not Kind.COMPOSITE:
            return Answer(self._api.execute(call, self.behaviour), fault)
        if (refused := self._api.composite_refusal(call)) is not None:
            return Answer(refused, fault)
        result = self._composite.execute(call, self.behaviour)
        # One credit is counted already.
        self.ledger.credits[call.kind] += result.credits - 1
        return Answer(result.answer, fault or result.fault)
