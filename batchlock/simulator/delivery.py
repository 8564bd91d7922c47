"""How an answer reaches the client: whole, cut, or not at all."""

import asyncio
from dataclasses import replace

from aiohttp import web

from batchlock.simulator.answers import CannedResponse
from batchlock.simulator.behaviour import Behaviour, Fault
from batchlock.simulator.ledger import Ledger


class Delivery:
    """Sends the answers to API calls, and counts them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def send_with(
        self,
        request: web.BaseRequest,
        answer: CannedResponse,
        fault: Fault | None,
        behaviour: Behaviour,
        position: int,
    ) -> web.StreamResponse:
        """Send an answer with a fault of the connection, if there is one.

        `position` is that of the call in the log.
        """
        match fault:
            case Fault.DROPPED_BEFORE | Fault.DROPPED_AFTER:
                self._ledger.record_answer(position, "dropped")
                _abort(request)
                return web.Response()  # for aiohttp alone: the connection is gone
            case Fault.HANG:
                self._ledger.record_answer(position, "hung")
                # Nobody resolves it: the handler is cancelled when the client disconnects.
                await asyncio.get_running_loop().create_future()
                raise AssertionError("the client closes the connection first")
            case Fault.CUT_CONNECTION:
                self._ledger.record_answer(position, "cut")
                return await _send_half(request, answer)
            case Fault.CUT_BODY:
                half = replace(answer, body=answer.body[: len(answer.body) // 2])
                return self.send(half, behaviour, position)
            case _:
                return self.send(answer, behaviour, position)

    def send(self, answer: CannedResponse, behaviour: Behaviour, position: int) -> web.Response:
        """Return the answer with the headers about credits and waiting."""
        self._ledger.record_answer(position, str(answer.status))
        response = response_of(answer)
        limit, used = behaviour.credit_limit, self._ledger.credits_used
        # Zoho sends the header only once half of the credits are used.
        if limit is not None and 2 * used >= limit:
            response.headers["X-API-CREDITS-REMAINING"] = str(max(0, limit - used))
        if answer.status == 429 and behaviour.retry_after is not None:
            response.headers["Retry-After"] = f"{behaviour.retry_after:g}"
        return response


def response_of(answer: CannedResponse) -> web.Response:
    """Return an answer as aiohttp sends it."""
    return web.Response(status=answer.status, body=answer.body, headers=headers_of(answer))


def headers_of(answer: CannedResponse) -> dict[str, str]:
    """Return the headers of an answer that do not depend on the state of the org."""
    headers = {"Content-Type": answer.content_type} if answer.body else {}
    if answer.location:
        headers["Location"] = answer.location
    return headers


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _send_half(request: web.BaseRequest, answer: CannedResponse) -> web.StreamResponse:
    """Send half of the body that the headers promise, then close the connection."""
    response = web.StreamResponse(status=answer.status, headers=headers_of(answer))
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
