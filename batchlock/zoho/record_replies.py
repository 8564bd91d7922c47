"""The meaning of the responses to queries, lists of records and lists of custom views."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from batchlock.core.records import RecordPage, View
from batchlock.core.reply import Reply, Verdict
from batchlock.core.rows import RecordId
from batchlock.zoho.error_codes import ErrorCode
from batchlock.zoho.failures import unexpected_response
from batchlock.zoho.replies import (
    ACCEPTED,
    ID_PATTERN,
    RawResponse,
    envelope_of,
    failure_of,
    lost_reply,
    parsed,
    reply_of,
)

# Refusals of one way to find records, after which another way may work. The sign-in may lack the
# scope of queries or views only, and Zoho does not document for which modules a query may name
# Locked__s.
_SCOPE = "OAUTH_SCOPE_MISMATCH"
_OTHER_WAY = frozenset(
    {
        *("INVALID_QUERY", "SYNTAX_ERROR", "NOT_SUPPORTED", "NO_PERMISSION", "LIMIT_EXCEEDED"),
        *("FEATURE_NOT_SUPPORTED", "INVALID_REQUEST_METHOD"),
    }
)
_REFUSED = ErrorCode(Verdict.REFUSED, "")


def interpret_query(response: RawResponse, after: str | None) -> Reply:
    """Interpret the response to a query for the locked records with ids above `after`."""
    reply = _page_of(response, {*_OTHER_WAY, _SCOPE})
    if isinstance(reply, Reply):
        return reply
    items, has_more = reply
    record_ids = [RecordId(str(item["id"])) for item in items]
    last = max(map(int, record_ids), default=0)
    # Without progress, the same page would come again for ever.
    if record_ids and last <= int(after or 0):
        return lost_reply(response, unexpected_response(response.status, response.content))
    cursor = str(last) if has_more and record_ids else None
    return _with_page(response, RecordPage(tuple(record_ids), cursor))


def interpret_list(response: RawResponse, *, is_view: bool) -> Reply:
    """Interpret the response to a list of records, of a view or of all."""
    # Every list needs the scope of the records themselves, so no other way works without it.
    reply = _page_of(response, _OTHER_WAY)
    if isinstance(reply, Reply):
        return reply
    items, has_more = reply
    # A view of locked records needs no such field; of all records, nothing else tells them apart.
    if not is_view and any(not isinstance(item.get("Locked__s"), bool) for item in items):
        message = "Zoho does not say which records are locked."
        return reply_of(response, None, _REFUSED, message=message)
    record_ids = tuple(
        RecordId(str(item["id"])) for item in items if item.get("Locked__s") is not False
    )
    token = _info(response).get("next_page_token")
    if has_more and not isinstance(token, str):
        return lost_reply(response, unexpected_response(response.status, response.content))
    return _with_page(response, RecordPage(record_ids, str(token) if has_more else None))


def interpret_views(response: RawResponse) -> Reply:
    """Interpret the response to a list of custom views."""
    if response.status == 204:
        return reply_of(response, None, ACCEPTED)
    body = parsed(response.content)
    items = body.get("custom_views") if isinstance(body, dict) else None
    if response.status != 200 or not isinstance(items, list):
        return _failure(response, {*_OTHER_WAY, _SCOPE})
    views = tuple(
        View(str(item["id"]), str(item.get("name") or ""), str(item.get("system_name") or ""))
        for item in items
        if isinstance(item, dict) and ID_PATTERN.fullmatch(str(item.get("id")))
    )
    return replace(reply_of(response, None, ACCEPTED), views=views)


def _page_of(
    response: RawResponse, refusals: Collection[str]
) -> tuple[list[Mapping[str, object]], bool] | Reply:
    """Return the records of a page and whether there are more; a reply when it is no page."""
    if response.status == 204:  # no such records
        return [], False
    body = parsed(response.content)
    items = body.get("data") if isinstance(body, dict) else None
    if response.status != 200 or envelope_of(body) is not None or not isinstance(items, list):
        return _failure(response, refusals)
    if not all(
        isinstance(item, dict) and ID_PATTERN.fullmatch(str(item.get("id"))) for item in items
    ):
        return lost_reply(response, unexpected_response(response.status, response.content))
    return items, _info(response).get("more_records") is True


def _info(response: RawResponse) -> Mapping[str, object]:
    body = parsed(response.content)
    info = body.get("info") if isinstance(body, dict) else None
    return info if isinstance(info, dict) else {}


def _with_page(response: RawResponse, page: RecordPage) -> Reply:
    return replace(reply_of(response, None, ACCEPTED), page=page)


def _failure(response: RawResponse, refusals: Collection[str]) -> Reply:
    """Interpret an error: one of `refusals` is REFUSED, whatever it means for a lock."""
    envelope = envelope_of(parsed(response.content))
    is_refusal = envelope is not None and 400 <= response.status < 500 and response.status != 429
    if is_refusal and envelope is not None and envelope.code in refusals:
        return reply_of(response, envelope, _REFUSED)
    return failure_of(response, envelope)
