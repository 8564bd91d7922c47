"""The file that keeps access tokens, and the lock between the processes that use it.

The content is JSON: `{account: {"access_token": …, "use_until": …, "scopes": …}}`. The account is a
hash, and `use_until` is a wall-clock time in seconds since 1970; `scopes` may be missing.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import orjson
from filelock import AsyncFileLock, Timeout

from batchlock.core.access_token import AccessToken
from batchlock.core.errors import Stopped, UsageError
from batchlock.core.paths import make_private_folder
from batchlock.core.private_files import NewFile, write_files
from batchlock.zoho.oauth import TOKEN

# Bytes. One token takes about 200; a larger file is not ours, and is not worth reading.
_MAX_FILE_SIZE = 64 * 1024


class TokenFile:
    """A token file at `path`, which is created when the first token is written; a `TokenCache`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = AsyncFileLock(path.with_name(f"{path.name}.lock"), mode=0o600)

    @contextlib.asynccontextmanager
    async def locked(self, *, timeout_seconds: float) -> AsyncIterator[None]:
        """Keep all other processes from the file while the block runs; see `TokenCache`."""
        try:
            make_private_folder(self._path.parent)
            await self._lock.acquire(timeout=timeout_seconds)
        except Timeout:
            raise Stopped(
                f"Another batchlock has been signing in for {timeout_seconds:g} s. See what it "
                "waits for, then run the same command again."
            ) from None
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            yield
        finally:
            await self._lock.release()

    async def read(self, account: str, *, now: float) -> AccessToken | None:  # noqa: ARG002
        """Return the token of an account; an unreadable file or a file of others holds none."""
        return self._read().get(account)

    async def write(self, account: str, token: AccessToken, *, now: float) -> None:
        """Keep the token of an account beside those of others that are still alive.

        So two configurations of one org do not take turns in requesting. A reader sees the old
        content or the new one, never a part. Raises UsageError when the file cannot be written.
        """
        live = {name: old for name, old in self._read().items() if old.use_until > now}
        self._write({**live, account: token})

    async def remove(self, account: str, *, now: float) -> None:
        """Remove the token of an account. Raises UsageError when the file cannot be written."""
        tokens = self._read()
        if tokens.pop(account, None) is not None:
            self._write({name: old for name, old in tokens.items() if old.use_until > now})

    def _read(self) -> dict[str, AccessToken]:
        try:
            with self._path.open("rb") as file:
                content = orjson.loads(file.read(_MAX_FILE_SIZE))
        except (OSError, orjson.JSONDecodeError):
            return {}
        tokens = {}
        for account, entry in content.items() if isinstance(content, dict) else ():
            match entry:
                case {"access_token": str(text), "use_until": float(until)} if TOKEN.fullmatch(
                    text
                ):
                    scopes = entry.get("scopes", "")
                    tokens[account] = AccessToken(
                        text, until, scopes if isinstance(scopes, str) else ""
                    )
        return tokens

    def _write(self, tokens: Mapping[str, AccessToken]) -> None:
        content = orjson.dumps(
            {
                account: {
                    "access_token": token.text,
                    "use_until": token.use_until,
                    "scopes": token.scopes,
                }
                for account, token in tokens.items()
            }
        )
        try:
            write_files([NewFile(self._path, content)])
        except OSError as error:
            raise self._not_writable(error) from error

    def _not_writable(self, error: OSError) -> UsageError:
        return UsageError(
            f"{self._path}: the access token cannot be kept there ({error.strerror or error}). "
            "Make the folder writable, or name another one with state_directory in the "
            "configuration."
        )
