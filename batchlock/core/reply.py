"""The reply to one call to Zoho: a verdict, and what led to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from batchlock.core.org import OrgFacts, OrgModule
from batchlock.core.records import RecordPage, View
from batchlock.core.rows import LockId


class Verdict(StrEnum):
    """What a reply means, and therefore what happens next."""

    # Zoho did it.
    ACCEPTED = "accepted"
    # Zoho will not do it for this row, however often it is asked.
    REFUSED = "refused"
    # Too many calls: all calls wait, bounded by time.
    THROTTLED = "throttled"
    # No connection, so nothing was sent: all calls wait, one probes, bounded by time.
    UNREACHABLE = "unreachable"
    # Zoho failed (5xx): this row again, bounded by attempts.
    BROKEN = "broken"
    # Sent, but without a usable answer: this row again, bounded by attempts.
    LOST = "lost"
    # The token was rejected and a new one is ready: this row again, once.
    EXPIRED = "expired"
    # Sign-in or scopes, hence true for every row: the run ends, a person must act.
    DENIED = "denied"
    # This machine or the configuration, hence true for every row: the run ends.
    MISCONFIGURED = "misconfigured"
    # The edition of this org, hence true for every row: the run ends.
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of a record, as Zoho shows it."""

    lock_id: LockId
    reason: str | None  # None for an automatic lock
    source: str = ""  # `Manual`, `Automatic` or `Both`; empty when Zoho does not say it
    locked_by: str = ""  # the name of the person
    locked_at: datetime | None = None
    locked_by_id: str = ""
    record_name: str = ""
    rule: str = ""  # the id of the rule that locked the record; empty when Zoho does not say it

    @property
    def is_automatic(self) -> bool:
        """Whether a rule alone made it: it has no reason, and nobody can remove it by hand."""
        return self.source == "Automatic" or (not self.source and self.reason is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Zoho's answer to one call, or the lack of one, interpreted."""

    verdict: Verdict
    http_status: int | None = None  # None when no answer came
    code: str = ""
    message: str = ""
    remedy: str = ""  # what a person can do; empty when there is nothing to do
    about_setup: bool = False  # a refusal that is true of many rows: module, permission, settings
    about_state: bool = False  # a refusal that the lock's state may explain: look before it counts
    retry_after: float | None = None  # seconds that Zoho asks all calls to wait
    credits_remaining: int | None = None
    calls: int = 1  # calls over HTTP that it stands for; 0 for most replies of a composite call
    in_composite: bool = False  # the call was a part of a composite call
    lock: Lock | None = None
    """The lock that a look-up shows, or that was made; None also when the record has no lock."""
    org: OrgFacts | None = None  # the answer to the question about the org
    modules: tuple[OrgModule, ...] | None = None  # the answer to the question about its modules
    user: str | None = None  # the answer to the question who has signed in
    missing_scope: str = ""  # why a question about the org was refused, if it was for that
    page: RecordPage | None = None  # the result of a search for locked records
    views: tuple[View, ...] = ()  # the custom views of a module

    @property
    def explanation(self) -> str:
        """Message and remedy, in sentences."""
        return sentences(self.message, self.remedy)


def sentences(*parts: str) -> str:
    """Join the non-empty parts, each ended by one full stop."""
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)
