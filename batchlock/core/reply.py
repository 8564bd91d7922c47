"""What Zoho answered to one call, and what that means."""

from dataclasses import dataclass
from enum import StrEnum

from batchlock.core.rows import LockId


class Verdict(StrEnum):
    """What a reply means, and so what happens next."""

    ACCEPTED = "accepted"
    """Zoho did it."""
    REFUSED = "refused"
    """Zoho will not do it for this row, however often it is asked."""
    THROTTLED = "throttled"
    """Too many calls: everyone waits, bounded by time."""
    UNREACHABLE = "unreachable"
    """No connection, so nothing was sent: everyone waits, one probes, bounded by time."""
    BROKEN = "broken"
    """Zoho failed (5xx): this row again, bounded by attempts."""
    LOST = "lost"
    """Sent, but no usable answer came back: this row again, bounded by attempts."""
    EXPIRED = "expired"
    """The token was not taken; a new one is ready: this row again, once."""
    DENIED = "denied"
    """The sign-in or its scopes, so true for every row: the run ends, a person must act."""
    UNSUPPORTED = "unsupported"
    """The edition of this org, so true for every row: the run ends."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A record's lock, as Zoho shows it."""

    lock_id: LockId
    reason: str | None
    """None for an automatic lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of Zoho, or the lack of one, already judged."""

    verdict: Verdict
    http_status: int | None = None
    code: str = ""
    message: str = ""
    remedy: str = ""
    """What a person can do about it; empty when there is nothing to do."""
    retry_after: float | None = None
    """Seconds that Zoho asks everyone to wait."""
    credits_remaining: int | None = None
    lock: Lock | None = None
    """The lock that a look-up found; None also when the record has none."""

    @property
    def told(self) -> str:
        """Message and remedy, in sentences."""
        return sentences(self.message, self.remedy)


def sentences(*parts: str) -> str:
    """Join the parts that are not empty, each ended with one full stop."""
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)
