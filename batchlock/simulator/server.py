"""The HTTP server of the simulator."""

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
from batchlock.simulator.calls import COMPOSITE_PLACES, Call, kind_of
from batchlock.simulator.delivery import Delivery, response_of
from batchlock.simulator.ledger import Kind
from batchlock.simulator.records import Inventory
from batchlock.simulator.simulator import Simulator, now_utc

# Calls that hang would delay the end of the server; for aiohttp, 0 means no limit.
_SHUTDOWN_SECONDS = 0.05
# An inventory of some 100,000 records; aiohttp's default is 1 MiB.
_MOST_BODY_BYTES = 64 * 1024 * 1024


class _Handler:
    """Answers the requests to one simulated org."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._ledger = simulator.ledger
        self._delivery = Delivery(simulator.ledger)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        # The raw path: a decoded one would hide a `%2F` in an id.
        path = request.raw_path.partition("?")[0].split("/")[1:]
        match path[0]:
            case "crm":
                return await self._answer_api_call(request, path)
            case "oauth":
                return await self._answer_token_request(request, path)
            case "simulator":
                return response_of(await control.answer(request, path[1:], self._simulator))
            case _:
                return response_of(answers.WRONG_URL)

    async def _answer_api_call(
        self, request: web.BaseRequest, path: list[str]
    ) -> web.StreamResponse:
        segments = tuple(path)
        kind = kind_of(request.method, segments)
        call = Call(kind, request.method, segments, request.query)
        self._ledger.record_arrival(call.kind)
        number = self._ledger.count(call.kind)
        places = COMPOSITE_PLACES if call.kind is Kind.COMPOSITE else 1
        self._ledger.start_call(places)
        self._ledger.heavy_in_flight += call.is_heavy
        try:
            return await self._answer_counted_call(request, call, number)
        finally:
            self._ledger.in_flight -= places
            self._ledger.heavy_in_flight -= call.is_heavy

    async def _answer_counted_call(
        self, request: web.BaseRequest, call: Call, number: int
    ) -> web.StreamResponse:
        """Answer a call that is in flight; `number` counts the calls of its kind, from 1."""
        simulator, behaviour = self._simulator, self._simulator.behaviour
        if (throttled := simulator.throttled(call)) is not None:
            self._ledger.mark_throttled(call.kind, number)
            return self._delivery.send(throttled, behaviour)
        authorization = request.headers.get("Authorization")
        host = request.host.partition(":")[0]
        refused = simulator.host_refusal(host) or simulator.sign_in.refusal_of(authorization)
        if refused is not None:
            await self._delay()
            return self._delivery.send(refused, behaviour)
        scopes = simulator.sign_in.scopes_of(authorization)
        body = await request.read()
        # Before the delay: a client that is killed while it waits has made the change.
        answer = simulator.answer(replace(call, body=body, scopes=scopes))
        if answer.response.status == 429:  # a limit refuses at once
            self._ledger.mark_throttled(call.kind, number)
        else:
            await self._delay()
        return await self._delivery.send_with(request, answer.response, answer.fault, behaviour)

    async def _answer_token_request(
        self, request: web.BaseRequest, path: list[str]
    ) -> web.StreamResponse:
        if path != ["oauth", "v2", "token"] or request.method != "POST":
            return response_of(answers.WRONG_URL)
        self._ledger.record_arrival(Kind.TOKEN)
        # A client may send the parameters in the query or in the body.
        fields = (*request.query.items(), *(await request.post()).items())
        form = {name: value for name, value in fields if isinstance(value, str)}
        answer = self._simulator.token_answer(form)
        await self._delay()
        return response_of(answer)

    async def _delay(self) -> None:
        seconds = self._simulator.faults.delay_seconds(self._simulator.behaviour)
        if seconds > 0:
            await asyncio.sleep(seconds)


def _large_request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: Any
) -> web.BaseRequest:
    """Make a request as aiohttp does, but with room for an inventory."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_MOST_BODY_BYTES
    )


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
    """Run a simulator while the block runs, on this port or, for 0, on a free one.

    `clock` is monotonic and returns seconds; `now` returns the time that new locks get.
    Raises OSError if the port is in use.
    """
    simulator = Simulator(behaviour, inventory, clock=clock, now=now)
    # Cancelled handlers: a call whose client is gone is no longer in flight.
    server = web.Server(
        _Handler(simulator).handle,
        request_factory=_large_request,
        access_log=None,
        handler_cancellation=True,
    )
    runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        simulator.url = f"http://{host}:{runner.addresses[0][1]}"
        yield simulator
    finally:
        await runner.cleanup()
