"""What an answer of Zoho means: HTTP statuses, codes and headers, judged.

Errors come in two envelopes: the object at top level, or the first in `data`. Their
`details.resource_path_index` counts the parts of the address: 0 module, 1 record id, 3 lock id.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import orjson

from batchlock.core.reply import Lock, Reply, Verdict
from batchlock.core.rows import LockId, Update
from batchlock.zoho.error_codes import BUSY, FAULT, ErrorCode, meaning, unknown
from batchlock.zoho.failures import TransportFailure, unexpected_response

_LONGEST_MESSAGE = 500
_ID = re.compile(r"[0-9]+")
_COUNT = re.compile(r"[0-9]{1,18}")
_POINTERS = {"api_name", "json_path", "permissions"}
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """What came back over HTTP."""

    status: int
    content: bytes | None
    """None when it was too long to be Zoho's."""
    retry_after: str | None = None
    """The header of this name, seconds or an HTTP date."""
    credits_remaining: str | None = None
    """The header X-API-CREDITS-REMAINING."""
    received_at: float
    """Wall clock, seconds since 1970."""


class Envelope(NamedTuple):
    """Zoho's word on a call: what an envelope holds."""

    code: str
    message: str
    details: Mapping[str, object]
    status: str
    of_row: bool
    """Whether it stands in `data`, as the word on an update does."""


_OTHER_ORG = ErrorCode(
    Verdict.REFUSED,
    "Nothing was sent. Sign in to the right org with `batchlock login`, or correct "
    "zoho.organization_id.",
)


def interpret_update(answer: RawResponse, lock_id: LockId) -> Reply:
    """Say what the answer to an update of `lock_id` means; only Zoho's own SUCCESS is accepted."""
    body = _read(answer.content)
    word = _word(body)
    if not (200 <= answer.status < 300 and word and word.code == "SUCCESS"):
        return _interpret_failure(answer, word)
    if not (word.of_row and word.status == "success"):
        return _lost(answer, unexpected_response(answer.status, answer.content))
    changed = word.details.get("id")
    if changed is not None and str(changed) != lock_id:
        return _answered_for_another(answer, "lock", changed)
    return _reply(answer, word, ErrorCode(Verdict.ACCEPTED, ""))


def interpret_lookup(answer: RawResponse, update: Update) -> Reply:
    """Say what the answer to a look-up means; without a lock id the record's first lock counts."""
    if answer.status == 204:
        return _reply(answer, None, ErrorCode(Verdict.ACCEPTED, ""))
    body = _read(answer.content)
    items = body.get("data") if isinstance(body, dict) else None
    word = _word(body)
    if not 200 <= answer.status < 300 or word is not None or not isinstance(items, list):
        return _interpret_failure(answer, word)
    return _found(answer, items, update)


def interpret_org(answer: RawResponse, org_id: str) -> Reply:
    """Say whether the answer about the org of this sign-in names the org `org_id`."""
    body = _read(answer.content)
    items = body.get("org") if isinstance(body, dict) else None
    if answer.status != 200 or not (
        isinstance(items, list) and items and isinstance(items[0], dict)
    ):
        return _interpret_failure(answer, _word(body))
    ids = [str(items[0][name]) for name in ("id", "zgid") if items[0].get(name)]
    if org_id in ids:
        return _reply(answer, None, ErrorCode(Verdict.ACCEPTED, ""))
    told = f"This sign-in is for the org {' or '.join(ids)}, not for {org_id}."
    return _reply(answer, None, _OTHER_ORG, message=told)


def _found(answer: RawResponse, items: list[object], update: Update) -> Reply:
    if not items:
        return _reply(answer, None, ErrorCode(Verdict.ACCEPTED, ""))
    item = items[0]
    lock_id = item.get("id") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(lock_id, str) or not _ID.fullmatch(lock_id):
        return _lost(answer, unexpected_response(answer.status, answer.content))
    if update.lock_id is not None and lock_id != update.lock_id:
        return _answered_for_another(answer, "lock", lock_id)
    record = item.get("Locked_For__s")
    record_id = record.get("id") if isinstance(record, dict) else None
    if record_id is not None and str(record_id) != update.record_id:
        return _answered_for_another(answer, "record", record_id)
    reason = item.get("Locked_Reason__s")
    lock = Lock(LockId(lock_id), reason if isinstance(reason, str) else None)
    return _reply(answer, None, ErrorCode(Verdict.ACCEPTED, ""), lock=lock)


def _interpret_failure(answer: RawResponse, word: Envelope | None) -> Reply:
    """Say what an answer other than the wished one means."""
    status = answer.status
    if status == 429:
        return _reply(answer, word, BUSY, message="Zoho asks to wait: too many calls (HTTP 429).")
    if status >= 500:
        return _reply(answer, word, FAULT, message=f"Zoho had a fault (HTTP {status}).")
    if word is None or 300 <= status < 400 or word.code == "SUCCESS":
        return _lost(answer, unexpected_response(status, answer.content))
    known = meaning(word.code, word.details, _permissions(word.details))
    if known is None and status < 300 and word.status != "error":
        return _lost(answer, unexpected_response(status, answer.content))
    told = f"Zoho gave no reason (HTTP {status})."
    return _reply(answer, word, known or unknown(status), message=told)


def _read(content: bytes | None) -> object:
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return None


def _word(body: object) -> Envelope | None:
    """Return Zoho's word from either envelope; None when the body holds neither."""
    if not isinstance(body, dict):
        return None
    data = body.get("data")
    row = data[0] if isinstance(data, list) and data else None
    for envelope in (body, row):
        if isinstance(envelope, dict) and (code := _code(envelope)):
            details = envelope.get("details")
            return Envelope(
                code=code,
                message=_text(envelope.get("message") or envelope.get("error_info")),
                details=details if isinstance(details, dict) else {},
                status=_text(envelope.get("status")),
                of_row=envelope is row,
            )
    return None


def _code(envelope: Mapping[str, object]) -> str:
    """Return the envelope's code; an older one has a number there and the code in `error`."""
    code = envelope.get("code")
    return _text(code) or (_text(envelope.get("error")) if isinstance(code, int) else "")


def _text(value: object) -> str:
    """Return a text of Zoho's fit for one cell or line; anything but a text is an empty one."""
    if not isinstance(value, str):
        return ""
    if not value.isprintable():
        value = "".join(character if character.isprintable() else " " for character in value)
    return value.strip()[:_LONGEST_MESSAGE]


def _permissions(details: Mapping[str, object]) -> list[str]:
    found = details.get("permissions")
    return [_text(name) for name in found] if isinstance(found, list) else []


def _pointed_at(details: Mapping[str, object]) -> str:
    """Return the fields and permissions that Zoho names, in brackets."""
    if _POINTERS.isdisjoint(details):
        return ""
    fields = [_text(details.get(key)) for key in ("api_name", "json_path")]
    named = [name for name in (*fields, *_permissions(details)) if name]
    return f" ({', '.join(named)})" if named else ""


def _reply(
    answer: RawResponse,
    word: Envelope | None,
    found: ErrorCode,
    *,
    message: str = "",
    lock: Lock | None = None,
) -> Reply:
    """Return the reply with Zoho's own message, or with `message` when there is none."""
    details: Mapping[str, object] = word.details if word else {}
    told = (word.message if word else "") or message
    return Reply(
        verdict=found.verdict,
        http_status=answer.status,
        code=word.code if word else "",
        message=f"{told}{_pointed_at(details)}",
        remedy=found.remedy,
        retry_after=_retry_after(answer, details),
        credits_remaining=_credits(answer.credits_remaining),
        lock=lock,
    )


def _lost(answer: RawResponse, found: TransportFailure) -> Reply:
    return _reply(answer, None, ErrorCode(Verdict.LOST, found.remedy), message=found.message)


def _answered_for_another(answer: RawResponse, what: str, given: object) -> Reply:
    message = f"Zoho answered for another {what} ({given}), so this one's answer is not known."
    return _reply(answer, None, ErrorCode(Verdict.LOST, "Run the row again."), message=message)


def _retry_after(answer: RawResponse, details: Mapping[str, object]) -> float | None:
    """Return the seconds to wait that the header, or else the body, names; nonsense is none."""
    for given in (answer.retry_after, details.get("retry_after")):
        if given is not None and (seconds := _seconds(str(given), answer.received_at)) is not None:
            return max(0.0, seconds)
    return None


def _seconds(given: str, now: float) -> float | None:
    given = given.strip()
    if _NUMBER.fullmatch(given):
        return float(given)
    try:
        moment = parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now


def _credits(given: str | None) -> int | None:
    return int(given) if given is not None and _COUNT.fullmatch(given) else None
