"""One call to Zoho, which ends in a reply whatever happens on the way."""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from batchlock import __version__
from batchlock.core.reply import Reply, Verdict
from batchlock.core.rows import LockId, Update
from batchlock.zoho import lock_calls
from batchlock.zoho.composite import composite_body, interpret_composite
from batchlock.zoho.failures import call_limits, describe, read_at_most
from batchlock.zoho.lock_calls import LockCall
from batchlock.zoho.org import CURRENT_USER, LOCKABLE_MODULES
from batchlock.zoho.replies import RawResponse, interpret_modules, interpret_org, interpret_user

# Bytes. Zoho's answer about one record has a few thousand; a larger body is not Zoho's, and is
# not read to its end.
_MAX_RESPONSE_SIZE = 1024 * 1024
# Seconds that an idle connection stays open: twice aiohttp's default, so that connections outlive
# most waits (a hold, a back-off) and need no new TLS handshake.
_KEEPALIVE_SECONDS = 30


class TokenSource(Protocol):
    """The source of access tokens."""

    async def token(self) -> str:
        """Return the access token to use."""

    async def refresh(self, rejected: str) -> str:
        """Return an access token other than the rejected one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The API that calls go to."""

    api_url: str  # without a slash at the end
    version: str = "v7"
    timeout: float = 60.0  # seconds for one call from start to end


class CallGuard(Protocol):
    """Says whether a call may start, and is told of calls that were cut."""

    def check(self) -> None:
        """Raise when no call may start any more."""

    def note_cut_call(self) -> None:
        """Note that a call was cancelled before its answer: Zoho may still be at work on it."""


class _GuardedConnector(aiohttp.TCPConnector):
    """Checks once more when a call has its connection, right before the request is written.

    The process may have been suspended while a connection was opened. The signal
    `on_request_headers_sent` of aiohttp also comes before the first byte, but the signals cost a
    sixth of the CPU of a call, and this costs too little to measure.
    """

    def __init__(self, guard: CallGuard, **options: Any) -> None:
        super().__init__(**options)
        self._guard = guard

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        """Return a connection to write to. Raises what the guard raises."""
        connection = await super().connect(*arguments, **options)
        try:
            self._guard.check()
        except BaseException:
            connection.release()  # nothing was written to it
            raise
        return connection


def session(
    *,
    limit: int,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    guard: CallGuard | None = None,
) -> aiohttp.ClientSession:
    """Return a session with at most `limit` connections; 0 means no limit.

    It keeps no cookies, takes neither a proxy nor a password from the environment, and never
    repeats a request by itself. A request raises what the check of the `guard` raises; then
    nothing was sent.
    """
    options: dict[str, Any] = {
        "limit": limit,
        "keepalive_timeout": _KEEPALIVE_SECONDS,
        "ssl": ssl_context or True,
    }
    client_session = aiohttp.ClientSession(
        connector=(
            aiohttp.TCPConnector(**options)
            if guard is None
            else _GuardedConnector(guard, **options)
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"batchlock/{__version__}"},
        proxy=proxy,
    )
    # aiohttp repeats a PUT or GET when the connection closes, and does not report it: one call
    # would cost two credits. Also, a call that was sent, and whose repetition finds the server
    # closed, would look like one that was never sent. A middleware can prevent that too, but costs
    # a tenth of a whole run's time.
    client_session._retry_connection = False  # noqa: SLF001  there is no public option
    return client_session


class Client:
    """Calls of the record-locking API, each at most one request."""

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: TokenSource,
        session: aiohttp.ClientSession,
        *,
        wall_clock: Callable[[], float] = time.time,
        guard: CallGuard | None = None,
    ) -> None:
        """Call the endpoint; before each request the check of the `guard` raises if none may start.

        The session has the same guard.
        """
        self._root = f"{endpoint.api_url}/crm/{endpoint.version}"
        self._version = endpoint.version
        self._host = URL(endpoint.api_url).host or endpoint.api_url
        self._timeout = endpoint.timeout
        self._limits = call_limits(endpoint.timeout)
        self._tokens = tokens
        self._session = session
        self._wall_clock = wall_clock
        self._guard = guard
        self._has_answer = False
        """Whether any answer came, so that the way to Zoho is set up right."""

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        """Write the update's reason into the lock.

        A rejected token is replaced before this returns. Raises the exceptions of the token source.
        """
        return await self.send(lock_calls.put_reason(update, lock_id))

    async def lock(self, update: Update) -> Reply:
        """Lock the update's record with its reason; the reply has the new lock.

        Tokens: see `put_reason`.
        """
        return await self.send(lock_calls.lock(update))

    async def unlock(self, update: Update, lock_id: LockId) -> Reply:
        """Remove a lock of the update's record. Tokens: see `put_reason`."""
        return await self.send(lock_calls.unlock(update, lock_id))

    async def find_lock(self, update: Update) -> Reply:
        """Look up the lock that the update asks for (see `Update.requested_lock_id`).

        The reply is ACCEPTED without a lock when there is none. Tokens: see `put_reason`.
        """
        return await self.send(lock_calls.find_lock(update))

    async def send(self, call: LockCall) -> Reply:
        """Send one call on a lock. Tokens: see `put_reason`."""
        query = f"?{call.query}" if call.query else ""
        # The path is quoted already, so yarl must not parse and quote it again.
        url = URL(f"{self._root}{call.path}{query}", encoded=True)
        return await self._call(call.method, url, call.interpret, body=call.body)

    async def send_composite(self, calls: list[LockCall]) -> list[Reply | None]:
        """Send several calls as one composite call; see `interpret_composite`.

        Tokens: see `put_reason`.
        """
        replies: list[Reply | None] = []

        def interpret(response: RawResponse) -> Reply:
            replies.extend(interpret_composite(response, calls))
            # The verdict that all have in common decides about the token.
            return replies[0] or Reply(verdict=Verdict.REFUSED)

        url = URL(f"{self._root}/__composite_requests", encoded=True)
        reply = await self._call("POST", url, interpret, body=composite_body(self._version, calls))
        return replies or [reply] * len(calls)

    async def get_org(self) -> Reply:
        """Ask which org this sign-in belongs to; it is `Reply.org`. Tokens: see `put_reason`."""
        return await self._call("GET", URL(f"{self._root}/org", encoded=True), interpret_org)

    async def get_modules(self) -> Reply:
        """Ask which modules can be locked: `Reply.modules`. Tokens: see `put_reason`."""
        url = URL(f"{self._root}{LOCKABLE_MODULES}", encoded=True)
        return await self._call("GET", url, interpret_modules)

    async def get_user(self) -> Reply:
        """Ask who has signed in: `Reply.user`. Tokens: see `put_reason`."""
        return await self._call(
            "GET", URL(f"{self._root}{CURRENT_USER}", encoded=True), interpret_user
        )

    async def call(
        self,
        method: str,
        path: str,
        interpret: Callable[[RawResponse], Reply],
        *,
        body: bytes | None = None,
    ) -> Reply:
        """Make any call of the API; `path` is quoted, and follows the version in the address.

        Tokens: see `put_reason`.
        """
        return await self._call(
            method, URL(f"{self._root}{path}", encoded=True), interpret, body=body
        )

    async def _call(
        self,
        method: str,
        url: URL,
        interpret: Callable[[RawResponse], Reply],
        *,
        body: bytes | None = None,
    ) -> Reply:
        token = await self._tokens.token()
        headers = {"Authorization": f"Zoho-oauthtoken {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        # After the wait for a token, in which the process may have been suspended. The session
        # checks once more, when the call has its connection.
        if self._guard is not None:
            self._guard.check()
        try:
            # A redirect would send the token to an address that nobody has configured.
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, timeout=self._limits
            ) as response:
                # The body is read or its connection closed inside the block: an unread body
                # would block the connection for all later calls.
                content = await read_at_most(response, _MAX_RESPONSE_SIZE)
                self._has_answer = True
                raw_response = RawResponse(
                    status=response.status,
                    # A proxy for debugging may echo the request, and its token with it.
                    content=content and content.replace(token.encode(), b"..."),
                    retry_after=response.headers.get("Retry-After"),
                    credits_remaining=response.headers.get("X-API-CREDITS-REMAINING"),
                    received_at=self._wall_clock(),
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            return self._transport_failure(error)
        except asyncio.CancelledError:
            if self._guard is not None:
                self._guard.note_cut_call()
            raise
        reply = interpret(raw_response)
        if reply.verdict is Verdict.EXPIRED:
            await self._tokens.refresh(token)
        return reply

    def _transport_failure(self, error: Exception) -> Reply:
        failure = describe(error, host=self._host, timeout=self._timeout)
        verdict = Verdict.LOST if failure.sent else Verdict.UNREACHABLE
        if failure.is_permanent and not self._has_answer:
            verdict = Verdict.MISCONFIGURED
        return Reply(
            verdict=verdict,
            message=failure.message,
            remedy=failure.remedy,
        )
