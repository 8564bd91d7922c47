"""The stand-in on a local port."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web

from batchlock.simulator import answers, org
from batchlock.simulator.answers import Answer, said
from batchlock.simulator.behaviour import Behaviour, Fault
from batchlock.simulator.ledger import Kind, Ledger
from batchlock.simulator.locks import Locks, well_formed
from batchlock.simulator.magic import FAULT_ANSWERS, MAGIC_RECORDS, MagicRecord, Start
from batchlock.simulator.sign_in import Credentials

VERSIONS = frozenset({"v3", "v4", "v5", "v6", "v7", "v8"})

_MAGIC = {magic.record_id: magic for magic in MAGIC_RECORDS if not isinstance(magic.does, Start)}
_LOCKING = "Locking_Information__s"
_GOODBYE = 0.05
"""Seconds that calls in flight are given when the stand-in stops; 0 would be no limit."""


class Simulator:
    """A stand-in for one org of Zoho CRM, its limits and its faults."""

    def __init__(self, behaviour: Behaviour, *, clock: Callable[[], float]) -> None:
        self.behaviour = behaviour
        self.url = ""
        """Where it listens, for both the API and the accounts URL."""
        self.locks = Locks()
        self.ledger = Ledger(clock=clock)
        self.sign_in = Credentials(lifetime=behaviour.token_lifetime, clock=clock)
        self._chance = random.Random(behaviour.seed)  # noqa: S311 - faults are no secret
        self._jitter = random.Random(behaviour.seed)  # noqa: S311 - nor are delays
        self._struck: dict[str, int] = {}
        self._puts_let_in = 0
        self._failed = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        path = request.raw_path.partition("?")[0].split("/")[1:]
        match path[0]:
            case "crm":
                return await self._api(request, path)
            case "oauth":
                return await self._token(request, path)
            case "simulator":
                return self._inspect(request, path)
            case _:
                return _response(answers.WRONG_URL)

    async def _api(self, request: web.BaseRequest, path: list[str]) -> web.StreamResponse:
        kind = _kind(request.method, path)
        self.ledger.arrive(kind)
        number = self.ledger.count(kind)
        self.ledger.enter()
        try:
            if (throttled := self._throttled()) is not None:
                self.ledger.throttle(kind, number)
                return self._send(throttled)
            refused = self.sign_in.refusal_of(request.headers.get("Authorization"))
            if refused is not None:
                await self._wait()
                return self._send(refused)
            self.ledger.credits_used += 1
            body = await request.read()
            answer, fault = self._answer(request, kind, path, body)
            if answer.status == 429:
                self.ledger.throttle(kind, number)
            else:
                await self._wait()
            return await self._deliver(request, answer, fault)
        finally:
            self.ledger.in_flight -= 1

    def _throttled(self) -> Answer | None:
        """Return the 429 of a call that the org's limits do not let in."""
        behaviour, ledger = self.behaviour, self.ledger
        if behaviour.in_flight_cap is not None and ledger.in_flight > behaviour.in_flight_cap:
            return answers.TOO_MANY_CALLS
        if ledger.api_calls in behaviour.throttle_at:
            return answers.TOO_MANY_CALLS
        if behaviour.credits is not None and ledger.credits_used >= behaviour.credits:
            return answers.NO_CREDITS
        return None

    def _answer(
        self, request: web.BaseRequest, kind: Kind, path: list[str], body: bytes
    ) -> tuple[Answer, Fault | None]:
        """Return the answer to a call that was let in, and what goes wrong with it."""
        if self._in_outage(kind):
            return answers.SERVER_ERROR, None
        does = self._strike(kind, path) or self._draw()
        if isinstance(does, Answer):
            return does, None
        if does in FAULT_ANSWERS:
            return FAULT_ANSWERS[does], does
        if does is Fault.DROPPED_BEFORE:
            return answers.NOTHING, does
        return self._obey(request, kind, path, body), does

    def _obey(self, request: web.BaseRequest, kind: Kind, path: list[str], body: bytes) -> Answer:
        """Do what a call asks for."""
        if len(path) < 3 or path[1] not in VERSIONS:
            return answers.WRONG_URL
        if not _is_about_locks(path):
            if request.method != "GET":
                return answers.WRONG_METHOD
            return org.answer(path[2:], request.query)
        _, _, module, record_id, _, *rest = path
        if not well_formed(record_id) or not all(map(well_formed, rest)):
            return answers.WRONG_URL
        if (refused := org.refusal_of(module)) is not None:
            return refused
        return self._obey_about_a_lock(request, kind, (module, record_id), rest, body)

    def _obey_about_a_lock(
        self,
        request: web.BaseRequest,
        kind: Kind,
        record: tuple[str, str],
        rest: list[str],
        body: bytes,
    ) -> Answer:
        match kind, rest:
            case Kind.PUT, [lock_id]:
                answer = self.locks.update(*record, lock_id, body)
                self.ledger.updates += answer.code == "SUCCESS"
                return answer
            case Kind.GET, [] | [_]:
                return self.locks.look(*record, *rest, fields=request.query.get("fields", ""))
            case Kind.POST, []:
                return self.locks.lock(*record, body)
            case Kind.DELETE, [lock_id]:
                return self.locks.unlock(*record, lock_id)
            case _:
                return answers.WRONG_METHOD

    def _in_outage(self, kind: Kind) -> bool:
        behaviour = self.behaviour
        self._puts_let_in += kind is Kind.PUT
        if behaviour.fail_from is None or self._puts_let_in < behaviour.fail_from:
            return False
        if behaviour.fail_calls is not None and self._failed >= behaviour.fail_calls:
            return False
        self._failed += 1
        return True

    def _strike(self, kind: Kind, path: list[str]) -> Answer | Fault | None:
        """Return what the record id, if it is a magic one, does to this call."""
        magic = _MAGIC.get(path[3]) if kind is not Kind.OTHER else None
        if magic is None or kind not in magic.calls or self._is_over(magic, path[2]):
            return None
        return magic.does if not isinstance(magic.does, Start) else None

    def _is_over(self, magic: MagicRecord, module: str) -> bool:
        """Tell whether the record in this module has done its trick as often as it does."""
        if magic.times is None:
            return False
        key = f"{module}/{magic.record_id}"
        self._struck[key] = self._struck.get(key, 0) + 1
        return self._struck[key] > magic.times

    def _draw(self) -> Fault | None:
        if not self.behaviour.faults:
            return None
        drawn = self._chance.random()
        for fault, share in self.behaviour.faults.items():
            if drawn < share:
                return fault
            drawn -= share
        return None

    async def _wait(self) -> None:
        behaviour = self.behaviour
        seconds = behaviour.latency
        if behaviour.jitter:
            seconds += self._jitter.uniform(-behaviour.jitter, behaviour.jitter)
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _deliver(
        self, request: web.BaseRequest, answer: Answer, fault: Fault | None
    ) -> web.StreamResponse:
        match fault:
            case Fault.DROPPED_BEFORE | Fault.DROPPED_AFTER:
                self.ledger.answers["dropped"] += 1
                _hang_up(request)
                return web.Response()
            case Fault.HANG:
                self.ledger.answers["hung"] += 1
                await asyncio.get_running_loop().create_future()
                raise AssertionError("the caller gives up first")
            case Fault.CUT_CONNECTION:
                self.ledger.answers["cut"] += 1
                return await _break_off(request, answer)
            case Fault.CUT_BODY:
                return self._send(replace(answer, body=answer.body[: len(answer.body) // 2]))
            case _:
                return self._send(answer)

    def _send(self, answer: Answer) -> web.Response:
        """Return the answer with the headers that the org's limits add to it."""
        self.ledger.answers[str(answer.status)] += 1
        behaviour, response = self.behaviour, _response(answer)
        if behaviour.credits is not None and 2 * self.ledger.credits_used >= behaviour.credits:
            left = behaviour.credits - self.ledger.credits_used
            response.headers["X-API-CREDITS-REMAINING"] = str(left)
        if answer.status == 429 and behaviour.retry_after is not None:
            response.headers["Retry-After"] = f"{behaviour.retry_after:g}"
        return response

    async def _token(self, request: web.BaseRequest, path: list[str]) -> web.StreamResponse:
        if path != ["oauth", "v2", "token"] or request.method != "POST":
            return _response(answers.WRONG_URL)
        self.ledger.arrive(Kind.TOKEN)
        fields = (*request.query.items(), *(await request.post()).items())
        form = {name: value for name, value in fields if isinstance(value, str)}
        answer = self.sign_in.answer(form, api_domain=self.url)
        await self._wait()
        return _response(answer)

    def _inspect(self, request: web.BaseRequest, path: list[str]) -> web.StreamResponse:
        """Show what became of the calls so far, for tests in another process."""
        match path[1:]:
            case ["state"]:
                return _response(said(self.state()))
            case ["locks"]:
                return _response(said(self.locks.state()))
            case ["calls"]:
                kind = request.query.get("kind", Kind.PUT)
                if kind in list(Kind):
                    return _response(said(self.ledger.calls(Kind(kind))))
                return _response(said({"error": f"kind is one of {', '.join(Kind)}"}, status=400))
            case _:
                return _response(said({"error": "state, locks or calls"}, status=404))

    def state(self) -> dict[str, object]:
        """Return every count of the ledger, and those of locks, tokens and credits."""
        budget = self.behaviour.credits
        return {
            "url": self.url,
            "locks": len(self.locks.known),
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
    """Run a stand-in while the block runs, on this port or, for 0, on a free one.

    Raises OSError when the port is taken.
    """
    simulator = Simulator(behaviour or Behaviour(), clock=clock)
    server = web.Server(simulator.handle, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=_GOODBYE)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        simulator.url = f"http://{host}:{runner.addresses[0][1]}"
        yield simulator
    finally:
        await runner.cleanup()


def _kind(method: str, path: list[str]) -> Kind:
    if _is_about_locks(path) and method in ("PUT", "GET", "POST", "DELETE"):
        return Kind(method.lower())
    return Kind.OTHER


def _is_about_locks(path: list[str]) -> bool:
    return len(path) in (5, 6) and path[4] == _LOCKING


def _headers(answer: Answer) -> dict[str, str]:
    headers = {"Content-Type": answer.content_type} if answer.body else {}
    if answer.location:
        headers["Location"] = answer.location
    return headers


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=_headers(answer))


def _hang_up(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _break_off(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send half of the body that the headers promise, then close the connection."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
