"""An access token, and the place where the processes that use it keep it."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, and the wall-clock time in seconds since 1970 until which to use it."""

    text: str = field(repr=False)
    use_until: float
    scopes: str = ""
    """What Zoho has said that it may do; empty when that is not known."""


class TokenCache(Protocol):
    """Keeps the access tokens of one org for all processes that call Zoho for it.

    An account is a hash that differs for each sign-in. `now` is the wall-clock time of this machine
    in seconds since 1970.
    """

    def locked(self, *, timeout_seconds: float) -> AbstractAsyncContextManager[None]:
        """Keep all other processes from requesting a token while the block runs.

        Raises Stopped when another process requests one for too long, and UsageError when the
        place cannot be used.
        """

    async def read(self, account: str, *, now: float) -> AccessToken | None:
        """Return the token of an account; None when there is none, or none that can be read."""

    async def write(self, account: str, token: AccessToken, *, now: float) -> None:
        """Keep the token of an account. Raises UsageError when that fails."""
