"""Access tokens: one for all tasks and processes, for as long as it lives.

Zoho grants ten access tokens in ten minutes and keeps fifteen alive (the sixteenth ends the
oldest), so all calls share one token for its hour.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

import aiohttp

from batchlock.core.access_token import AccessToken, TokenCache
from batchlock.core.errors import SignInRefused, Stopped
from batchlock.zoho.oauth import OAuthClient, TemporarilyUnavailable, request_token

# Seconds for which Zoho documents an access token to live.
_LIFETIME = 3600.0
# A token is given up this many seconds before its end, so that no call that starts with it, and
# may take a whole timeout, arrives with an expired one.
_EXPIRY_MARGIN = 60.0
# Bounds of the wait between two requests to a busy endpoint, in seconds: doubled from the first
# to the last, with full jitter. Zoho counts tokens per ten minutes, so fast retries are useless.
_FIRST_WAIT_BOUND = 2.0
_LAST_WAIT_BOUND = 60.0

_log = logging.getLogger(__name__)


class Tokens:
    """The access token of one account, for all tasks of this process and all processes."""

    def __init__(
        self,
        oauth_client: OAuthClient,
        *,
        cache: TokenCache,
        session: aiohttp.ClientSession,
        max_wait: float,
        timeout: float,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Wait at most `max_wait` seconds for a busy endpoint; one request may take `timeout`."""
        self._oauth_client = oauth_client
        self._session = session
        self._max_wait = max_wait
        self._timeout = timeout
        self._wall_clock = wall_clock
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._current: AccessToken | None = None
        # A refusal is final for this process: every further request would be refused too.
        self._refusal = ""
        self._task_lock = asyncio.Lock()
        self._cache = cache

    async def token(self) -> str:
        """Return the access token: the one in memory, else the one in the cache, else a new one.

        Raises SignInRefused, Stopped when the endpoint gives no token for too long, and UsageError
        when the cache cannot be used.
        """
        if (token := self._usable(self._current)) is not None:
            return token.text
        return await self._load_or_request(None)

    async def refresh(self, rejected: str) -> str:
        """Return an access token other than `rejected`, which Zoho did not accept.

        A new token is requested only if no other task or process has done so already. Raises the
        exceptions of `token`.
        """
        if self._current is not None and self._current.text == rejected:
            self._current = None
        return await self._load_or_request(rejected)

    async def recent(self, *, max_age_seconds: float, or_older: bool) -> str:
        """Return an access token that Zoho granted in the last `max_age_seconds`, or a new one.

        So a sign-in that was revoked is refused now, and not when its access token ends. With
        `or_older`, an older token that can be used is returned while the endpoint gives no new one.
        Raises the exceptions of `token`.
        """
        return await self._load_or_request(None, max_age_seconds, or_older=or_older)

    @property
    def scopes(self) -> str:
        """What Zoho has said that the access token may do; empty when that is not known."""
        return "" if self._current is None else self._current.scopes

    def _usable(
        self, token: AccessToken | None, *, rejected: str | None = None
    ) -> AccessToken | None:
        """Return `token` if it has not expired and is not the rejected one."""
        if token is None or token.text == rejected or self._wall_clock() >= token.use_until:
            return None
        return token

    def _is_recent(self, token: AccessToken, max_age_seconds: float | None) -> bool:
        # A token of a shorter life counts as older than it is, and is replaced earlier.
        age = _LIFETIME - _EXPIRY_MARGIN - (token.use_until - self._wall_clock())
        return max_age_seconds is None or age < max_age_seconds

    async def _load_or_request(
        self,
        rejected: str | None,
        max_age_seconds: float | None = None,
        *,
        or_older: bool = False,
    ) -> str:
        async with self._task_lock:
            if self._refusal:
                raise SignInRefused(self._refusal)
            token = self._usable(self._current, rejected=rejected)
            if token is None or not self._is_recent(token, max_age_seconds):
                token = await self._load_or_request_locked(
                    rejected, max_age_seconds, or_older=or_older
                )
            self._current = token
            return token.text

    async def _load_or_request_locked(
        self, rejected: str | None, max_age_seconds: float | None, *, or_older: bool
    ) -> AccessToken:
        # The process that holds the lock may wait for the endpoint as long as this one would.
        async with self._cache.locked(timeout_seconds=self._max_wait + self._timeout):
            account = self._oauth_client.key
            stored = await self._cache.read(account, now=self._wall_clock())
            token = self._usable(stored, rejected=rejected)
            if token is not None and self._is_recent(token, max_age_seconds):
                return token
            try:
                token = await self._request_until_granted(token if or_older else None)
            except SignInRefused as refusal:
                self._refusal = str(refusal)
                raise
            await self._cache.write(account, token, now=self._wall_clock())
            return token

    async def _request_until_granted(self, older: AccessToken | None) -> AccessToken:
        """Return a new token; try again for `max_wait` seconds while the endpoint gives none.

        With an `older` token that can be used, that one is returned instead of another try.
        """
        deadline = self._clock() + self._max_wait
        wait_bound = _FIRST_WAIT_BOUND
        while True:
            try:
                granted = await request_token(
                    self._oauth_client,
                    self._oauth_client.token_form,
                    session=self._session,
                    timeout_seconds=self._timeout,
                )
            except TemporarilyUnavailable as why:
                if older is not None:
                    return older
                remaining = deadline - self._clock()
                if remaining <= 0:
                    raise Stopped(
                        f"No access token after {self._max_wait:g} s of trying. {why}"
                    ) from None
                if wait_bound == _FIRST_WAIT_BOUND:
                    _log.warning("%s Trying again for at most %.0f s.", why, remaining)
            else:
                scopes = granted.get("scope")
                return AccessToken(
                    str(granted["access_token"]),
                    self._wall_clock() + _usable_seconds(granted.get("expires_in")),
                    scopes if isinstance(scopes, str) else "",
                )
            await self._sleep(min(remaining, self._random() * wait_bound))
            wait_bound = min(2 * wait_bound, _LAST_WAIT_BOUND)


def _usable_seconds(expires_in: object) -> float:
    """Return for how many seconds to use a token whose answer says `expires_in`."""
    lifetime = _LIFETIME
    # Zoho's older answers have milliseconds in `expires_in`, so a life longer than the documented
    # one does not count.
    if isinstance(expires_in, (int, float)) and 0 < expires_in < _LIFETIME:
        lifetime = float(expires_in)
    return max(lifetime - _EXPIRY_MARGIN, lifetime / 2)
