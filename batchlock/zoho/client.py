"""One call to Zoho, which ends in a reply whatever happens on the way."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from batchlock import __version__
from batchlock.core.reply import Reply, Verdict
from batchlock.core.rows import LockId, Update
from batchlock.zoho.failures import call_limits, describe, read_at_most
from batchlock.zoho.replies import RawResponse, interpret_lookup, interpret_org, interpret_update

_LONGEST_ANSWER = 1024 * 1024
_LOOKUP = "?fields=Locked_For__s,Locked_Reason__s"


class TokenSource(Protocol):
    """Who has the access token."""

    async def token(self) -> str:
        """Return the access token to use."""

    async def refresh(self, rejected: str) -> str:
        """Return an access token other than the one that Zoho did not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the calls go."""

    api_url: str
    """Without a slash at the end."""
    version: str = "v7"
    timeout: float = 60.0
    """For one call from start to end."""


def session(
    *, limit: int, proxy: str | None = None, ssl_context: ssl.SSLContext | None = None
) -> aiohttp.ClientSession:
    """Return a session that holds at most `limit` connections open, and nothing else.

    It keeps no cookies, takes neither a proxy nor a password from the environment, and sends
    nothing a second time by itself.
    """
    made = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, keepalive_timeout=30, ssl=ssl_context or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"batchlock/{__version__}"},
        proxy=proxy,
    )
    # aiohttp would send a PUT or GET a second time when its connection closes, unseen: a call would
    # spend two credits, and one that was sent, and then again to a closed door, would look like one
    # that never left. A middleware can keep it from that, too, but costs a tenth of a whole run.
    made._retry_connection = False  # noqa: SLF001  for want of a public one
    return made


class Client:
    """Calls of the record-locking API, each at most one request."""

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: TokenSource,
        session: aiohttp.ClientSession,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = f"{endpoint.api_url}/crm/{endpoint.version}"
        self._host = URL(endpoint.api_url).host or endpoint.api_url
        self._timeout = endpoint.timeout
        self._limits = call_limits(endpoint.timeout)
        self._tokens = tokens
        self._session = session
        self._wall_clock = wall_clock

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        """Give the lock the update's reason.

        A token that was not taken is replaced before this returns. Raises what `tokens` raises.
        """
        body = orjson.dumps({"data": [{"Locked_Reason__s": update.reason}]})
        url = self._locks(update, f"/{lock_id}")
        return await self._call(
            "PUT", url, lambda answer: interpret_update(answer, lock_id), body=body
        )

    async def find_lock(self, update: Update) -> Reply:
        """Look up the update's lock, or without a lock id the one lock that its record can have.

        Accepted with no lock: there is none. Tokens: see `put_reason`.
        """
        which = f"/{update.lock_id}" if update.lock_id is not None else ""
        url = self._locks(update, f"{which}{_LOOKUP}")
        return await self._call("GET", url, lambda answer: interpret_lookup(answer, update))

    async def check_org(self, org_id: str) -> Reply:
        """Ask whether this sign-in is for the org `org_id`: accepted, or refused if it is not."""
        return await self._call(
            "GET",
            URL(f"{self._root}/org", encoded=True),
            lambda answer: interpret_org(answer, org_id),
        )

    def _locks(self, update: Update, rest: str) -> URL:
        module = quote(update.module, safe="")
        path = f"/{module}/{update.record_id}/Locking_Information__s{rest}"
        return URL(f"{self._root}{path}", encoded=True)

    async def _call(
        self,
        method: str,
        url: URL,
        judge: Callable[[RawResponse], Reply],
        *,
        body: bytes | None = None,
    ) -> Reply:
        token = await self._tokens.token()
        headers = {"Authorization": f"Zoho-oauthtoken {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, timeout=self._limits
            ) as response:
                content = await read_at_most(response, _LONGEST_ANSWER)
                answer = RawResponse(
                    status=response.status,
                    content=content and content.replace(token.encode(), b"..."),  # an echo
                    retry_after=response.headers.get("Retry-After"),
                    credits_remaining=response.headers.get("X-API-CREDITS-REMAINING"),
                    received_at=self._wall_clock(),
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            return self._without_answer(error)
        reply = judge(answer)
        if reply.verdict is Verdict.EXPIRED:
            await self._tokens.refresh(token)
        return reply

    def _without_answer(self, error: Exception) -> Reply:
        found = describe(error, host=self._host, timeout=self._timeout)
        return Reply(
            verdict=Verdict.LOST if found.sent else Verdict.UNREACHABLE,
            message=found.message,
            remedy=found.remedy,
        )
