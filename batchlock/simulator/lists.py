"""Lists of records: `GET /{module}`, page by page."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer, refusal
from batchlock.simulator.fields import item_of
from batchlock.simulator.locks import Locks
from batchlock.simulator.records import Record
from batchlock.simulator.views import find_view, shows

# All four from Zoho's page on this call.
MOST_PER_PAGE = 200
MOST_WITHOUT_TOKEN = 2000
MOST_IDS = 100
TOKEN_LIFETIME = timedelta(hours=24)

_TOO_FAR = refusal(
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
    "You can only get the first 2000 records without using page_token param.",
    details={"limit": MOST_WITHOUT_TOKEN},
)
_PAGE_AND_TOKEN = refusal(
    "AMBIGUITY_DURING_PROCESSING",
    "You cannot use both page and page_token",
    details={"ambiguity_due_to": [{"param_name": "page"}, {"param_name": "page_token"}]},
)
_EXPIRED = refusal("EXPIRED_VALUE", "page_token has expired", details={"param_name": "page_token"})


class _RefusedError(Exception):
    """A parameter that is refused."""

    def __init__(self, answer: CannedResponse) -> None:
        super().__init__(answer.code)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class _Page:
    """The page that a call asks for."""

    start: int
    """How many records are before it."""
    size: int
    number: int


def answer(
    module: str,
    query: Mapping[str, str],
    locks: Locks,
    *,
    now: datetime,
    has_locked_view: bool,
    most_per_page: int = MOST_PER_PAGE,
) -> CannedResponse:
    """Answer a list call. Without `ids` it lists the records of the inventory only.

    The newest records come first, which are those with the greatest ids, as in Zoho.
    """
    fields = [name for name in query.get("fields", "").split(",") if name]
    if not fields:
        return refusal(
            "REQUIRED_PARAM_MISSING",
            "One of the expected parameter is missing",
            details={"param_name": "fields"},
        )
    try:
        records = _selected(module, query, locks, has_locked_view=has_locked_view)
        key = [module, query.get("cvid", ""), query.get("ids", "")]
        page = _page(query, key, now, most_per_page)
    except _RefusedError as refused:
        return refused.answer
    end = page.start + page.size
    rows = records[page.start : end]
    if not rows:
        return answers.NO_CONTENT
    has_more = end < len(records)
    expiry = now + TOKEN_LIFETIME
    info = {
        "per_page": page.size,
        "count": len(rows),
        "page": page.number,
        "sort_by": "id",
        "sort_order": "desc",
        "more_records": has_more,
        "next_page_token": _token(key, end, page.number + 1, expiry) if has_more else None,
        "page_token_expiry": expiry.isoformat(timespec="seconds") if has_more else None,
    }
    data = [item_of(module, record, fields) for record in rows]
    return json_answer({"data": data, "info": info})


def _selected(
    module: str, query: Mapping[str, str], locks: Locks, *, has_locked_view: bool
) -> list[Record]:
    if "ids" in query:
        ids = query["ids"].split(",")
        if len(ids) > MOST_IDS or not all(map(str.isdecimal, ids)):
            raise _RefusedError(_wrong("ids"))
        candidates = (locks.record_of(module, id_) for id_ in dict.fromkeys(ids))
        records = [record for record in candidates if record is not None]
    else:
        records = locks.inventory.records_of(module)
    if "cvid" in query:
        view = find_view(query["cvid"], has_locked_view=has_locked_view)
        if view is None:
            raise _RefusedError(_wrong("cvid"))
        records = [record for record in records if shows(view, record)]
    return sorted(records, key=lambda record: int(record.record_id), reverse=True)


def _page(query: Mapping[str, str], key: list[str], now: datetime, most: int) -> _Page:
    size = _number(query, "per_page", most)
    if size > most:
        raise _RefusedError(_wrong("per_page") if most == MOST_PER_PAGE else _over_limit(most))
    if "page_token" not in query:
        number = _number(query, "page", 1)
        if number * size > MOST_WITHOUT_TOKEN:
            raise _RefusedError(_TOO_FAR)
        return _Page((number - 1) * size, size, number)
    if "page" in query:
        raise _RefusedError(_PAGE_AND_TOKEN)
    try:
        *token_key, start, number, expiry = orjson.loads(
            base64.urlsafe_b64decode(query["page_token"])
        )
    except ValueError:
        raise _RefusedError(_wrong("page_token")) from None
    # Zoho binds a token to the list that it continues.
    if token_key != key:
        raise _RefusedError(_wrong("page_token"))
    if datetime.fromisoformat(expiry) <= now:
        raise _RefusedError(_EXPIRED)
    return _Page(start, size, number)


def _token(key: list[str], start: int, number: int, expiry: datetime) -> str:
    content = orjson.dumps([*key, start, number, expiry.isoformat()])
    return base64.urlsafe_b64encode(content).decode()


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise _RefusedError(_wrong(name))
    return int(text)


def _wrong(name: str) -> CannedResponse:
    return refusal("INVALID_DATA", "invalid data", details={"param_name": name})


def _over_limit(limit: int) -> CannedResponse:
    return refusal("LIMIT_EXCEEDED", "limit exceeded", details={"by": "per_page", "limit": limit})
