"""The HTTP server of the simulator."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web

from batchlock.simulator import answers, org
from batchlock.simulator.answers import CannedResponse, json_answer
from batchlock.simulator.behaviour import Behaviour, Fault
from batchlock.simulator.ledger import Kind, Ledger
from batchlock.simulator.locks import Locks, is_id
from batchlock.simulator.magic import FAULT_ANSWERS, MAGIC_RECORDS, MagicRecord, Start
from batchlock.simulator.sign_in import Credentials

# The official pages describe the locking calls for these versions, alike in all of them.
VERSIONS = frozenset({"v3", "v4", "v5", "v6", "v7", "v8"})

_MAGIC = {magic.record_id: magic for magic in MAGIC_RECORDS if not isinstance(magic.effect, Start)}
_LOCKING = "Locking_Information__s"
# Calls that hang would delay the end of the server; for aiohttp, 0 means no limit.
_SHUTDOWN_SECONDS = 0.05


class Simulator:
    """One simulated org of Zoho CRM. `clock` returns seconds and is monotonic."""

    def __init__(self, behaviour: Behaviour, *, clock: Callable[[], float]) -> None:
        self.behaviour = behaviour
        self.url = ""
        """Its address, for both the API and the accounts URL."""
        self.locks = Locks()
        self.ledger = Ledger(clock=clock)
        self.sign_in = Credentials(lifetime=behaviour.token_lifetime, clock=clock)
        # Two sources, so that a jitter does not change which calls have a fault.
        self._chance = random.Random(behaviour.seed)  # noqa: S311 - faults are no secret
        self._jitter = random.Random(behaviour.seed)  # noqa: S311 - nor are delays
        self._magic_calls: dict[str, int] = {}
        self._accepted_puts = 0
        self._outage_calls = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        # The raw path: a decoded one would hide a `%2F` in an id.
        path = request.raw_path.partition("?")[0].split("/")[1:]
        match path[0]:
            case "crm":
                return await self._api(request, path)
            case "oauth":
                return await self._answer_token_request(request, path)
            case "simulator":
                return self._inspect(request, path)
            case _:
                return _response(answers.WRONG_URL)

    async def _api(self, request: web.BaseRequest, path: list[str]) -> web.StreamResponse:
        kind = _kind(request.method, path)
        self.ledger.record_arrival(kind)
        number = self.ledger.count(kind)
        self.ledger.start_call()
        try:
            if (throttled := self._throttled()) is not None:
                self.ledger.mark_throttled(kind, number)
                return self._send(throttled)
            refused = self.sign_in.refusal_of(request.headers.get("Authorization"))
            if refused is not None:
                await self._delay()
                return self._send(refused)
            # Here, because a call that a limit or the sign-in refuses costs no credit.
            self.ledger.credits_used += 1
            body = await request.read()
            # Before the delay: a client that is killed while it waits has made the change.
            answer, fault = self._answer(request, kind, path, body)
            if answer.status == 429:  # a limit refuses at once
                self.ledger.mark_throttled(kind, number)
            else:
                await self._delay()
            return await self._deliver(request, answer, fault)
        finally:
            self.ledger.in_flight -= 1

    def _throttled(self) -> CannedResponse | None:
        """Return the 429 of a call beyond the limits of the org; None within them."""
        behaviour, ledger = self.behaviour, self.ledger
        # This call is counted already, so the cap itself is still allowed.
        if behaviour.in_flight_cap is not None and ledger.in_flight > behaviour.in_flight_cap:
            return answers.TOO_MANY_CALLS
        if ledger.api_calls in behaviour.throttle_at:
            return answers.TOO_MANY_CALLS
        if behaviour.credits is not None and ledger.credits_used >= behaviour.credits:
            return answers.NO_CREDITS
        return None

    def _answer(
        self, request: web.BaseRequest, kind: Kind, path: list[str], body: bytes
    ) -> tuple[CannedResponse, Fault | None]:
        """Return the answer to an accepted call, and the fault with which it is sent."""
        if self._in_outage(kind):
            return answers.SERVER_ERROR, None
        effect = self._magic_effect(kind, path) or self._random_fault()
        if isinstance(effect, CannedResponse):
            return effect, None
        if effect in FAULT_ANSWERS:
            return FAULT_ANSWERS[effect], effect
        if effect is Fault.DROPPED_BEFORE:
            return answers.NO_CONTENT, effect
        return self._execute(request, kind, path, body), effect

    def _execute(
        self, request: web.BaseRequest, kind: Kind, path: list[str], body: bytes
    ) -> CannedResponse:
        """Execute a call without any fault."""
        if len(path) < 3 or path[1] not in VERSIONS:
            return answers.WRONG_URL
        if not _is_lock_call(path):
            if request.method != "GET":
                return answers.WRONG_METHOD
            return org.answer(path[2:], request.query)
        _, _, module, record_id, _, *rest = path
        if not is_id(record_id) or not all(map(is_id, rest)):
            return answers.WRONG_URL
        if (refused := org.refusal_of(module)) is not None:
            return refused
        return self._execute_lock_call(request, kind, (module, record_id), rest, body)

    def _execute_lock_call(
        self,
        request: web.BaseRequest,
        kind: Kind,
        record: tuple[str, str],
        rest: list[str],
        body: bytes,
    ) -> CannedResponse:
        match kind, rest:
            case Kind.PUT, [lock_id]:
                answer = self.locks.update(*record, lock_id, body)
                self.ledger.updates += answer.code == "SUCCESS"
                return answer
            case Kind.GET, [] | [_]:
                return self.locks.get(*record, *rest, fields=request.query.get("fields", ""))
            case Kind.POST, []:
                return self.locks.lock(*record, body)
            case Kind.DELETE, [lock_id]:
                return self.locks.unlock(*record, lock_id)
            case _:
                return answers.WRONG_METHOD

    def _in_outage(self, kind: Kind) -> bool:
        behaviour = self.behaviour
        self._accepted_puts += kind is Kind.PUT
        if behaviour.fail_from is None or self._accepted_puts < behaviour.fail_from:
            return False
        if behaviour.fail_calls is not None and self._outage_calls >= behaviour.fail_calls:
            return False
        self._outage_calls += 1
        return True

    def _magic_effect(self, kind: Kind, path: list[str]) -> CannedResponse | Fault | None:
        """Return the effect of a magic record id on this call; None for other ids."""
        magic = _MAGIC.get(path[3]) if kind is not Kind.OTHER else None
        if magic is None or kind not in magic.calls or self._is_exhausted(magic, path[2]):
            return None
        return magic.effect if not isinstance(magic.effect, Start) else None

    def _is_exhausted(self, magic: MagicRecord, module: str) -> bool:
        """Count a call on a magic record; return whether its effect is used up in this module."""
        if magic.times is None:
            return False
        key = f"{module}/{magic.record_id}"
        self._magic_calls[key] = self._magic_calls.get(key, 0) + 1
        return self._magic_calls[key] > magic.times

    def _random_fault(self) -> Fault | None:
        if not self.behaviour.faults:
            return None
        number = self._chance.random()
        for fault, share in self.behaviour.faults.items():
            if number < share:
                return fault
            number -= share
        return None

    async def _delay(self) -> None:
        behaviour = self.behaviour
        seconds = behaviour.latency
        if behaviour.jitter:
            seconds += self._jitter.uniform(-behaviour.jitter, behaviour.jitter)
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _deliver(
        self, request: web.BaseRequest, answer: CannedResponse, fault: Fault | None
    ) -> web.StreamResponse:
        match fault:
            case Fault.DROPPED_BEFORE | Fault.DROPPED_AFTER:
                self.ledger.answers["dropped"] += 1
                _abort(request)
                return web.Response()  # for aiohttp alone: the connection is gone
            case Fault.HANG:
                self.ledger.answers["hung"] += 1
                # Nobody resolves it: the handler is cancelled when the client disconnects.
                await asyncio.get_running_loop().create_future()
                raise AssertionError("the client closes the connection first")
            case Fault.CUT_CONNECTION:
                self.ledger.answers["cut"] += 1
                return await _send_half(request, answer)
            case Fault.CUT_BODY:
                return self._send(replace(answer, body=answer.body[: len(answer.body) // 2]))
            case _:
                return self._send(answer)

    def _send(self, answer: CannedResponse) -> web.Response:
        """Return the answer with the headers about credits and waiting."""
        self.ledger.answers[str(answer.status)] += 1
        behaviour, response = self.behaviour, _response(answer)
        # Zoho sends the header only once half of the credits are used.
        if behaviour.credits is not None and 2 * self.ledger.credits_used >= behaviour.credits:
            remaining = behaviour.credits - self.ledger.credits_used
            response.headers["X-API-CREDITS-REMAINING"] = str(remaining)
        if answer.status == 429 and behaviour.retry_after is not None:
            response.headers["Retry-After"] = f"{behaviour.retry_after:g}"
        return response

    async def _answer_token_request(
        self, request: web.BaseRequest, path: list[str]
    ) -> web.StreamResponse:
        if path != ["oauth", "v2", "token"] or request.method != "POST":
            return _response(answers.WRONG_URL)
        self.ledger.record_arrival(Kind.TOKEN)
        # A client may send the parameters in the query or in the body.
        fields = (*request.query.items(), *(await request.post()).items())
        form = {name: value for name, value in fields if isinstance(value, str)}
        answer = self.sign_in.answer(form, api_domain=self.url)
        await self._delay()
        return _response(answer)

    def _inspect(self, request: web.BaseRequest, path: list[str]) -> web.StreamResponse:
        """Answer with what the calls so far did, for tests in another process."""
        match path[1:]:
            case ["state"]:
                return _response(json_answer(self.state()))
            case ["locks"]:
                return _response(json_answer(self.locks.state()))
            case ["calls"]:
                kind = request.query.get("kind", Kind.PUT)
                if kind in list(Kind):
                    return _response(json_answer(self.ledger.calls(Kind(kind))))
                return _response(
                    json_answer({"error": f"kind is one of {', '.join(Kind)}"}, status=400)
                )
            case _:
                return _response(json_answer({"error": "state, locks or calls"}, status=404))

    def state(self) -> dict[str, object]:
        """Return every count of the ledger, and those of locks, tokens and credits."""
        budget = self.behaviour.credits
        return {
            "url": self.url,
            "locks": len(self.locks.by_record),
            **self.ledger.state(),
            "credits_left": None if budget is None else budget - self.ledger.credits_used,
            "tokens_issued": self.sign_in.tokens_issued,
        }


@asynccontextmanager
async def serving(
    behaviour: Behaviour | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Simulator]:
    """Run a simulator while the block runs, on this port or, for 0, on a free one.

    Raises OSError if the port is in use.
    """
    simulator = Simulator(behaviour or Behaviour(), clock=clock)
    # Cancelled handlers: a call whose client is gone is no longer in flight.
    server = web.Server(simulator.handle, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        simulator.url = f"http://{host}:{runner.addresses[0][1]}"
        yield simulator
    finally:
        await runner.cleanup()


def _kind(method: str, path: list[str]) -> Kind:
    if _is_lock_call(path) and method in ("PUT", "GET", "POST", "DELETE"):
        return Kind(method.lower())
    return Kind.OTHER


def _is_lock_call(path: list[str]) -> bool:
    return len(path) in (5, 6) and path[4] == _LOCKING


def _headers(answer: CannedResponse) -> dict[str, str]:
    headers = {"Content-Type": answer.content_type} if answer.body else {}
    if answer.location:
        headers["Location"] = answer.location
    return headers


def _response(answer: CannedResponse) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=_headers(answer))


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _send_half(request: web.BaseRequest, answer: CannedResponse) -> web.StreamResponse:
    """Send half of the body that the headers promise, then close the connection."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
