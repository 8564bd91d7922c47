"""The HTTP server of the simulator: for one org or for many, at the same URLs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from batchlock.simulator import answers, control
from batchlock.simulator.behaviour import Behaviour
from batchlock.simulator.call_log import Kind
from batchlock.simulator.calls import COMPOSITE_PLACES, Call, kind_of
from batchlock.simulator.delivery import Delivery, response_of
from batchlock.simulator.device import approval_page
from batchlock.simulator.identity import token_of
from batchlock.simulator.ledger import Ledger
from batchlock.simulator.orgs import Orgs, make_orgs
from batchlock.simulator.records import Inventory
from batchlock.simulator.simulator import REVOCATION_PATH, SIGN_IN_PATHS, Simulator, now_utc

# Calls that hang would delay the end of the server; for aiohttp, 0 means no limit.
_SHUTDOWN_SECONDS = 0.05
# An inventory of some 100,000 records; aiohttp's default is 1 MiB.
_MOST_BODY_BYTES = 64 * 1024 * 1024


class _OrgHandler:
    """Answers the requests to one org."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._ledger = simulator.ledger
        self._delivery = Delivery(simulator.ledger)

    async def answer_api_call(
        self, request: web.BaseRequest, path: list[str], token: str
    ) -> web.StreamResponse:
        """Answer a call whose access token is one of this org."""
        segments = tuple(path)
        kind = kind_of(request.method, segments)
        call = Call(kind, request.method, segments, request.query, token=token)
        port = _client_port(request)
        position = self._ledger.record_arrival(kind, call.subject, token=token, port=port)
        place = _Place(self._ledger, call, position)
        try:
            return await self._answer_counted_call(request, call, position, place)
        finally:
            place.leave()

    async def _answer_counted_call(
        self, request: web.BaseRequest, call: Call, position: int, place: "_Place"
    ) -> web.StreamResponse:
        """Answer a call that is in flight; `position` is that in the log."""
        simulator, behaviour = self._simulator, self._simulator.behaviour
        if (throttled := simulator.throttled(call)) is not None:
            return self._delivery.send(throttled, behaviour, position)
        host = request.host.partition(":")[0]
        refused = simulator.host_refusal(host) or simulator.sign_in.refusal_of(call.token)
        if refused is not None:
            await place.wait(self._latency_seconds())
            return self._delivery.send(refused, behaviour, position)
        scopes = simulator.sign_in.scopes_of(call.token)
        body = await request.read()
        # Before the delay: a client that is killed while it waits has made the change.
        answer = simulator.answer(replace(call, body=body, scopes=scopes))
        if answer.response.status != 429:  # a limit refuses at once
            await place.wait(self._latency_seconds())
        return await self._delivery.send_with(
            request, answer.response, answer.fault, behaviour, position
        )

    async def answer_sign_in(
        self, request: web.BaseRequest, path: str, form: dict[str, str]
    ) -> web.StreamResponse:
        """Answer a request for a token or a code with the client id of this org."""
        position = self._ledger.record_arrival(Kind.TOKEN, port=_client_port(request))
        answer = self._simulator.sign_in_answer(path, form)
        self._ledger.log.set_answer(position, str(answer.status))
        try:
            await asyncio.sleep(self._latency_seconds())
        finally:
            self._ledger.log.set_end(position)
        return response_of(answer)

    def _latency_seconds(self) -> float:
        return self._simulator.faults.delay_seconds(self._simulator.behaviour)


class _Place:
    """The place of a call among those in flight: one, or five of a composite call."""

    def __init__(self, ledger: Ledger, call: Call, position: int) -> None:
        """Take the place; `position` is that of the call in the log."""
        self._ledger = ledger
        self._call = call
        self._position = position
        self._places = COMPOSITE_PLACES if call.kind is Kind.COMPOSITE else 1
        self._loop = asyncio.get_running_loop()
        self._answer_at: float | None = None  # time of the loop, while the call waits
        ledger.start_call(self._places)
        ledger.heavy_in_flight += call.is_heavy

    async def wait(self, seconds: float) -> None:
        """Wait for the latency of the call."""
        self._answer_at = self._loop.time() + seconds
        await asyncio.sleep(seconds)
        self._answer_at = None

    def leave(self) -> None:
        """Leave the place, at once or, when the client did not wait so long, after the latency.

        Zoho counts a call until it has answered it, also when nobody waits for the answer.
        """
        if self._answer_at is None:
            self._end()
        else:
            self._loop.call_at(self._answer_at, self._end)

    def _end(self) -> None:
        self._ledger.log.set_end(self._position)
        self._ledger.in_flight -= self._places
        self._ledger.heavy_in_flight -= self._call.is_heavy


class _Handler:
    """Finds the org of each request."""

    def __init__(self, orgs: Orgs) -> None:
        self._orgs = orgs
        self._handlers = {org.identity.number: _OrgHandler(org) for org in orgs}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        # The raw path: a decoded one would hide a `%2F` in an id.
        path = request.raw_path.partition("?")[0].split("/")[1:]
        match path[0]:
            case "crm":
                return await self._answer_api_call(request, path)
            case "oauth":
                return await self._answer_sign_in(request, path)
            case "simulator":
                return response_of(await control.answer(request, path[1:], self._orgs))
            case _:
                return response_of(answers.WRONG_URL)

    async def _answer_api_call(
        self, request: web.BaseRequest, path: list[str]
    ) -> web.StreamResponse:
        token = token_of(request.headers.get("Authorization"))
        org = self._orgs.of_call(token)
        if org is None:
            self._orgs.unknown_tokens += 1
            return response_of(answers.INVALID_TOKEN if token else answers.NO_TOKEN)
        handler = self._handlers[org.identity.number]
        return await handler.answer_api_call(request, path, token)

    async def _answer_sign_in(
        self, request: web.BaseRequest, path: list[str]
    ) -> web.StreamResponse:
        below = "/".join(path[1:])
        if below == "v3/device":
            return response_of(await self._approval(request))
        if below not in SIGN_IN_PATHS or request.method != "POST":
            return response_of(answers.WRONG_URL)
        # A client may send the parameters in the query or in the body.
        form = await _form_of(request)
        if below == REVOCATION_PATH:
            org = self._orgs.of_token(form.get("token", ""))
            if org is None:
                return response_of(answers.INVALID_REVOCATION)
        else:
            org = self._orgs.of_sign_in(form.get("client_id", ""))
        if org is None:
            self._orgs.unknown_clients += 1
            return response_of(answers.sign_in_refusal("invalid_client"))
        return await self._handlers[org.identity.number].answer_sign_in(request, below, form)

    async def _approval(self, request: web.BaseRequest) -> answers.CannedResponse:
        """Answer a person who approves or denies the code of a device."""
        form = await _form_of(request)
        user_code = form.get("user_code", "").strip().upper()
        if request.method != "POST":
            return approval_page(user_code)
        is_approved = form.get("decision") == "approve"
        if any(
            org.sign_in.device_codes.decide(user_code, is_approved=is_approved)
            for org in self._orgs
        ):
            return approval_page("", "Accepted." if is_approved else "Rejected.")
        return approval_page(user_code, "There is no such code, or its time is over.")


async def _form_of(request: web.BaseRequest) -> dict[str, str]:
    fields = (*request.query.items(), *(await request.post()).items())
    return {name: value for name, value in fields if isinstance(value, str)}


def _client_port(request: web.BaseRequest) -> int:
    """Return the port of the client's end of the connection; 0: the connection is gone."""
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    return int(peer[1]) if peer else 0


def _large_request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: Any
) -> web.BaseRequest:
    """Make a request as aiohttp does, but with room for an inventory."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_MOST_BODY_BYTES
    )


@asynccontextmanager
async def serving_orgs(
    orgs: Orgs, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Orgs]:
    """Run a stand-in of these orgs while the block runs, on this port or, for 0, on a free one.

    Raises OSError if the port is in use.
    """
    # Cancelled handlers: a call that hangs is in flight until its client is gone.
    server = web.Server(
        _Handler(orgs).handle,
        request_factory=_large_request,
        access_log=None,
        handler_cancellation=True,
    )
    runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        orgs.set_url(f"http://{host}:{runner.addresses[0][1]}")
        yield orgs
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(
    behaviour: Behaviour | None = None,
    *,
    inventory: Inventory | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = now_utc,
) -> AsyncIterator[Simulator]:
    """Run a stand-in of one org, which takes every sign-in, while the block runs.

    The arguments are those of `make_orgs` and `serving_orgs`. Raises OSError if the port is in use.
    """
    orgs = make_orgs(1, behaviour, inventory_of=lambda _: inventory, clock=clock, now=now)
    async with serving_orgs(orgs, host=host, port=port):
        (simulator,) = orgs
        yield simulator
