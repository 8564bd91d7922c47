"""Access tokens: one refresh for all workers and processes, kept on disk.

Zoho gives ten access tokens in ten minutes and lets fifteen live, so one is shared by everyone
for its hour. The file is JSON, `{account: {"access_token": …, "use_until": …}}`: the account as a
hash, the time in seconds since 1970. A lock beside it is held from looking to writing.
"""

import asyncio
import contextlib
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
from filelock import AsyncFileLock, Timeout

from batchlock.core.errors import SignInRefused, Stopped, UsageError
from batchlock.zoho.oauth import USABLE, OAuthClient, TemporarilyUnavailable, ask

_LONGEST_FILE = 64 * 1024
_LIFETIME = 3600.0
_MARGIN = 60.0
_FIRST_CEILING = 2.0
_LAST_CEILING = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    use_until: float


class Tokens:
    """The account's access token, for all tasks of this process and all processes with `path`."""

    def __init__(
        self,
        account: OAuthClient,
        *,
        path: Path,
        session: aiohttp.ClientSession,
        max_wait: float,
        timeout: float,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Wait at most `patience` seconds for a busy endpoint; a request may take `timeout`."""
        self._account = account
        self._path = path
        self._session = session
        self._max_wait = max_wait
        self._timeout = timeout
        self._wall_clock = wall_clock
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._held: _Token | None = None
        self._refused = ""
        self._gate = asyncio.Lock()
        self._lock = AsyncFileLock(path.with_name(f"{path.name}.lock"), mode=0o600)

    async def token(self) -> str:
        """Return the access token: the one in memory, else in the file, else a new one.

        Raises SignInRefused, Stopped when the endpoint gives none for too long, and UsageError when
        the file cannot be written.
        """
        if (token := self._usable(self._held)) is not None:
            return token.text
        return await self._obtain(None)

    async def refresh(self, rejected: str) -> str:
        """Return an access token other than `rejected`, which Zoho did not take.

        It is asked for only if nobody has done so since. Raises what `current` raises.
        """
        if self._held is not None and self._held.text == rejected:
            self._held = None
        return await self._obtain(rejected)

    def _usable(self, token: _Token | None, *, but: str | None = None) -> _Token | None:
        """Return `token` if it can be used and is not the one `but`."""
        if token is None or token.text == but or self._wall_clock() >= token.use_until:
            return None
        return token

    async def _obtain(self, rejected: str | None) -> str:
        async with self._gate:
            if self._refused:
                raise SignInRefused(self._refused)
            token = self._usable(self._held, but=rejected)
            if token is None:
                async with self._alone():
                    stored = self._read()
                    token = self._usable(stored.get(self._account.key), but=rejected)
                    if token is None:
                        token = await self._refresh()
                        self._write({**stored, self._account.key: token})
            self._held = token
            return token.text

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Keep all other processes from the token file and from asking for a token."""
        # Another process may itself be waiting for as long as we would.
        longest = self._max_wait + self._timeout
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._lock.acquire(timeout=longest)
        except Timeout:
            raise Stopped(
                f"Another batchlock has been signing in for {longest:g} s. See what it waits for, "
                "then run the same command again."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            await self._lock.release()

    def _read(self) -> dict[str, _Token]:
        """Return the tokens in the file by account; a file that is not ours holds none."""
        try:
            with self._path.open("rb") as file:
                content = orjson.loads(file.read(_LONGEST_FILE))
        except (OSError, orjson.JSONDecodeError):
            return {}
        stored = {}
        for account, entry in content.items() if isinstance(content, dict) else ():
            match entry:
                case {"access_token": str(text), "use_until": float(until)} if USABLE.fullmatch(
                    text
                ):
                    stored[account] = _Token(text, until)
        return stored

    def _write(self, tokens: Mapping[str, _Token]) -> None:
        now = self._wall_clock()
        content = orjson.dumps(
            {
                account: {"access_token": token.text, "use_until": token.use_until}
                for account, token in tokens.items()
                if token.use_until > now
            }
        )
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            beside.unlink(missing_ok=True)
            # Never readable by others, not even between creating it and a chmod.
            with os.fdopen(
                os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as file:
                file.write(content)
            beside.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(
            f"{self._path}: the access token cannot be kept there ({error.strerror or error}). "
            "Make the folder writable, or name another one with state_directory in the "
            "configuration."
        )

    async def _refresh(self) -> _Token:
        """Return a new token; wait as long as `patience` lets us while the endpoint gives none."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._account.refresh_token.get_secret_value(),
        }
        until = self._clock() + self._max_wait
        ceiling = _FIRST_CEILING
        while True:
            try:
                granted = await ask(
                    self._account, form, session=self._session, longest=self._timeout
                )
            except SignInRefused as refusal:
                self._refused = str(refusal)
                raise
            except TemporarilyUnavailable as why:
                left = until - self._clock()
                if left <= 0:
                    raise Stopped(
                        f"No access token after {self._max_wait:g} s of trying. {why}"
                    ) from None
                if ceiling == _FIRST_CEILING:
                    _log.warning("%s Trying again for at most %.0f s.", why, left)
            else:
                return _Token(
                    str(granted["access_token"]),
                    self._wall_clock() + _use(granted.get("expires_in")),
                )
            await self._sleep(min(left, self._random() * ceiling))
            ceiling = min(2 * ceiling, _LAST_CEILING)


def _use(expires_in: object) -> float:
    """Return for how many seconds to use a token that expires in so many."""
    lifetime = _LIFETIME
    if isinstance(expires_in, (int, float)) and 0 < expires_in < _LIFETIME:
        lifetime = float(expires_in)
    return max(lifetime - _MARGIN, lifetime / 2)
