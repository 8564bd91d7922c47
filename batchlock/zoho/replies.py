"""The meaning of a response of Zoho: HTTP statuses, error codes and headers become a reply.

Errors come in two envelopes: the object at top level, or the first one in `data`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import orjson

from batchlock.core.reply import Lock, Reply, Verdict
from batchlock.core.rows import LockId, Update
from batchlock.zoho import error_codes
from batchlock.zoho.error_codes import BUSY, FAULT, LOCK_CODES, UNLOCK_CODES, Codes, ErrorCode
from batchlock.zoho.failures import TransportFailure, unexpected_response
from batchlock.zoho.org import modules_of, org_of, user_of

# Characters of a message that are kept: a cell and a line of the log stay readable.
_MAX_MESSAGE_LENGTH = 500
ID_PATTERN = re.compile(r"[0-9]+")
"""An id in an answer: only digits may be put into the address of the next call."""
# At most 18 digits, so that the number fits the journal's 64-bit column.
_CREDITS = re.compile(r"[0-9]{1,18}")
# `float` alone would take `nan`, `inf` and `1_0` as well; more than 12 digits are no wait.
_SECONDS = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]+)?")
# The keys of `details` whose values help a person; most replies have none of them.
_POINTERS = {"api_name", "json_path", "permissions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """What came back over HTTP."""

    status: int
    content: bytes | None  # None when the body was longer than any of Zoho's
    retry_after: str | None = None  # the header Retry-After: seconds or an HTTP date
    credits_remaining: str | None = None  # the header X-API-CREDITS-REMAINING
    received_at: float  # wall clock, seconds since 1970


class Envelope(NamedTuple):
    """The object in which Zoho says what became of a call."""

    code: str
    message: str
    details: Mapping[str, object]
    status: str
    in_data: bool  # it stands in `data`, as the result of an update does


ACCEPTED = ErrorCode(Verdict.ACCEPTED, "")
"""What a success means."""
_NO_CODES: Codes = {}


def interpret_update(response: RawResponse, lock_id: LockId) -> Reply:
    """Interpret the response to an update of `lock_id`; only Zoho's own SUCCESS is accepted."""
    return _interpret_change(response, lock_id, _NO_CODES)


def interpret_unlock(response: RawResponse, lock_id: LockId) -> Reply:
    """Interpret the response to the removal of `lock_id`; only Zoho's own SUCCESS is accepted."""
    return _interpret_change(response, lock_id, UNLOCK_CODES)


def interpret_lock(response: RawResponse, update: Update) -> Reply:
    """Interpret the response to the making of a lock; only a SUCCESS with its id is accepted."""
    envelope = envelope_of(parsed(response.content))
    if not (200 <= response.status < 300 and envelope and envelope.code == "SUCCESS"):
        return failure_of(response, envelope, LOCK_CODES)
    lock_id = envelope.details.get("id")
    is_made = envelope.in_data and envelope.status == "success"
    # Without its id, the lock could not be undone: the answer counts as lost, and a look shows it.
    if not is_made or not isinstance(lock_id, str) or not ID_PATTERN.fullmatch(lock_id):
        return lost_reply(response, unexpected_response(response.status, response.content))
    details = envelope.details
    lock = Lock(
        LockId(lock_id),
        update.reason,
        locked_by=_name(details.get("Created_By")),
        locked_at=_moment(details.get("Created_Time")),
    )
    return reply_of(response, envelope, ACCEPTED, lock=lock)


def _interpret_change(response: RawResponse, lock_id: LockId, codes: Codes) -> Reply:
    envelope = envelope_of(parsed(response.content))
    if not (200 <= response.status < 300 and envelope and envelope.code == "SUCCESS"):
        return failure_of(response, envelope, codes)
    if not (envelope.in_data and envelope.status == "success"):
        return lost_reply(response, unexpected_response(response.status, response.content))
    changed_id = envelope.details.get("id")
    if changed_id is not None and str(changed_id) != lock_id:
        return _wrong_target(response, "lock", changed_id)
    return reply_of(response, envelope, ACCEPTED)


def interpret_lookup(response: RawResponse, update: Update) -> Reply:
    """Interpret the response to a look-up.

    Where no lock is requested by its id (see `Update.requested_lock_id`), the record's first lock
    counts.
    """
    if response.status == 204:  # Zoho's answer when there is no lock
        return reply_of(response, None, ACCEPTED)
    body = parsed(response.content)
    locks = body.get("data") if isinstance(body, dict) else None
    envelope = envelope_of(body)
    if not 200 <= response.status < 300 or envelope is not None or not isinstance(locks, list):
        return failure_of(response, envelope)
    return _interpret_locks(response, locks, update)


def interpret_org(response: RawResponse) -> Reply:
    """Interpret the response to the question which org this sign-in belongs to."""
    body = parsed(response.content)
    org = org_of(body) if response.status == 200 else None
    if org is not None:
        return replace(reply_of(response, None, ACCEPTED), org=org)
    return _unanswered(response, body, scope="ZohoCRM.org.READ")


def interpret_modules(response: RawResponse) -> Reply:
    """Interpret the response to the question which modules can be locked."""
    if response.status == 204:  # Zoho's answer when there is nothing to list
        return replace(reply_of(response, None, ACCEPTED), modules=())
    body = parsed(response.content)
    modules = modules_of(body) if response.status == 200 else None
    if modules is not None:
        return replace(reply_of(response, None, ACCEPTED), modules=modules)
    return _unanswered(response, body, scope="ZohoCRM.settings.modules.READ")


def interpret_user(response: RawResponse) -> Reply:
    """Interpret the response to the question who has signed in."""
    body = parsed(response.content)
    user = user_of(body) if response.status == 200 else None
    if user is not None:
        return replace(reply_of(response, None, ACCEPTED), user=user)
    return _unanswered(response, body, scope="ZohoCRM.users.READ")


def _unanswered(response: RawResponse, body: object, *, scope: str) -> Reply:
    reply = failure_of(response, envelope_of(body))
    return replace(reply, missing_scope=scope) if reply.code == "OAUTH_SCOPE_MISMATCH" else reply


def _interpret_locks(response: RawResponse, locks: list[object], update: Update) -> Reply:
    if not locks:
        return reply_of(response, None, ACCEPTED)
    item = locks[0]
    lock_id = item.get("id") if isinstance(item, dict) else None
    if (
        not isinstance(item, dict)
        or not isinstance(lock_id, str)
        or not ID_PATTERN.fullmatch(lock_id)
    ):
        return lost_reply(response, unexpected_response(response.status, response.content))
    if update.requested_lock_id not in (None, lock_id):
        return _wrong_target(response, "lock", lock_id)
    record = item.get("Locked_For__s")
    record_id = record.get("id") if isinstance(record, dict) else None
    if record_id is not None and str(record_id) != update.record_id:
        return _wrong_target(response, "record", record_id)
    reason = item.get("Locked_Reason__s")
    lock = Lock(
        LockId(lock_id),
        reason if isinstance(reason, str) else None,
        _text(item.get("Lock_Source__s")),
        _name(item.get("Locked_By__s")),
        _moment(item.get("Locked_Time__s")),
        locked_by_id=_text(_get(item.get("Locked_By__s"), "id")),
        record_name=_name(record),
        rule=_text(item.get("Record_Locking_Rule_Id__s")),
    )
    return reply_of(response, None, ACCEPTED, lock=lock)


def interpret_failure(response: RawResponse) -> Reply:
    """Interpret a response from which no success can come."""
    return failure_of(response, envelope_of(parsed(response.content)))


def failure_of(response: RawResponse, envelope: Envelope | None, codes: Codes = _NO_CODES) -> Reply:
    """Interpret a response that is not the success that was expected.

    `codes` are those that mean something else for this kind of call.
    """
    status = response.status
    # These two statuses decide whatever the body says: it may be a page of a proxy.
    if status == 429:
        message = "Zoho asks to wait: too many calls (HTTP 429)."
        return reply_of(response, envelope, BUSY, message=message)
    if status >= 500:
        return reply_of(response, envelope, FAULT, message=f"Zoho had a fault (HTTP {status}).")
    # Without an envelope it is not Zoho's answer, so the row must not be counted as refused.
    if envelope is None or 300 <= status < 400 or envelope.code == "SUCCESS":
        return lost_reply(response, unexpected_response(status, response.content))
    error_code = error_codes.find(
        envelope.code, envelope.details, _permissions(envelope.details), codes
    )
    if error_code is None and status < 300 and envelope.status != "error":
        return lost_reply(response, unexpected_response(status, response.content))
    message = f"Zoho gave no reason (HTTP {status})."
    return reply_of(response, envelope, error_code or error_codes.unknown(status), message=message)


def parsed(content: bytes | None) -> object:
    """Return the JSON of a body; None when it is empty or no JSON."""
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return None


def envelope_of(body: object) -> Envelope | None:
    """Return the envelope, wherever it stands; None when there is none."""
    if not isinstance(body, dict):
        return None
    data = body.get("data")
    in_data = data[0] if isinstance(data, list) and data else None
    for candidate in (body, in_data):
        if isinstance(candidate, dict) and (code := _code(candidate)):
            details = candidate.get("details")
            return Envelope(
                code=code,
                message=_text(candidate.get("message") or candidate.get("error_info")),
                details=details if isinstance(details, dict) else {},
                status=_text(candidate.get("status")),
                in_data=candidate is in_data,
            )
    return None


def _code(envelope: Mapping[str, object]) -> str:
    # An older envelope has a number in `code` (429), and the code in `error`.
    code = envelope.get("code")
    return _text(code) or (_text(envelope.get("error")) if isinstance(code, int) else "")


def _text(value: object) -> str:
    """Return a text on one line, fit for a cell; an empty one for anything but a text."""
    if not isinstance(value, str):
        return ""
    if not value.isprintable():
        value = "".join(character if character.isprintable() else " " for character in value)
    return value.strip()[:_MAX_MESSAGE_LENGTH]


def _name(user: object) -> str:
    return _text(_get(user, "name"))


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _moment(text: object) -> datetime | None:
    """Return a time of Zoho's in UTC; None for anything else, or without an offset from UTC."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the second near the years 1 and 9999
        return None


def _permissions(details: Mapping[str, object]) -> list[str]:
    names = details.get("permissions")
    return [_text(name) for name in names] if isinstance(names, list) else []


def _pointers(details: Mapping[str, object]) -> str:
    """Return the fields and permissions that Zoho names, in brackets."""
    if _POINTERS.isdisjoint(details):
        return ""
    fields = [_text(details.get(key)) for key in ("api_name", "json_path")]
    names = [name for name in (*fields, *_permissions(details)) if name]
    return f" ({', '.join(names)})" if names else ""


def reply_of(
    response: RawResponse,
    envelope: Envelope | None,
    error_code: ErrorCode,
    *,
    message: str = "",
    lock: Lock | None = None,
) -> Reply:
    """Return a reply with Zoho's own message, or with `message` when Zoho gives none."""
    details: Mapping[str, object] = envelope.details if envelope else {}
    text = (envelope.message if envelope else "") or message
    return Reply(
        verdict=error_code.verdict,
        http_status=response.status,
        code=envelope.code if envelope else "",
        message=f"{text}{_pointers(details)}",
        remedy=error_code.remedy,
        about_setup=error_code.about_setup,
        about_state=error_code.about_state,
        retry_after=_retry_after(response, details),
        credits_remaining=_credits(response.credits_remaining),
        lock=lock,
    )


def lost_reply(response: RawResponse, failure: TransportFailure) -> Reply:
    """Return the reply to a response that says nothing about its call."""
    error_code = ErrorCode(Verdict.LOST, failure.remedy)
    return reply_of(response, None, error_code, message=failure.message)


def _wrong_target(response: RawResponse, kind: str, target_id: object) -> Reply:
    # LOST, not REFUSED: the row's own answer is unknown, so the row is tried again.
    message = f"Zoho answered for another {kind} ({target_id}), so this one's answer is not known."
    return reply_of(response, None, ErrorCode(Verdict.LOST, "Run the row again."), message=message)


def _retry_after(response: RawResponse, details: Mapping[str, object]) -> float | None:
    """Return the wait in seconds from the header, or else from the body; None without a usable one.

    Zoho documents neither of them.
    """
    for value in (response.retry_after, details.get("retry_after")):
        seconds = None if value is None else _seconds(str(value), response.received_at)
        if seconds is not None:
            return max(0.0, seconds)
    return None


def _seconds(text: str, now: float) -> float | None:
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # an HTTP date is in UTC
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now


def _credits(text: str | None) -> int | None:
    return int(text) if text is not None and _CREDITS.fullmatch(text) else None
