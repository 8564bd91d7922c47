"""Composite calls: up to five calls on locks in one, for one credit.

From Zoho's page on composite calls. Whether Zoho takes the calls on locks in a composite is not
documented. So a refusal of a sub-request is a value here, and the caller makes that call on its
own.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import orjson

from batchlock.core.reply import Reply, Verdict
from batchlock.zoho.lock_calls import LockCall
from batchlock.zoho.replies import RawResponse, interpret_failure, parsed

LARGEST_COMPOSITE = 5
"""Sub-requests. Zoho refuses more with INVALID_DATA and `maximum_length`."""
_KEY = "__composite_requests"
# Verdicts on the whole call that say nothing about composite calls: each of its calls has them too.
_COMMON = (
    Verdict.THROTTLED,
    Verdict.EXPIRED,
    Verdict.BROKEN,
    Verdict.LOST,
    Verdict.UNREACHABLE,
    Verdict.MISCONFIGURED,
)

# HTTP statuses of a server that has no such address or method.
_NO_SUCH_SERVICE = (404, 405, 501)


def composite_body(version: str, calls: Sequence[LockCall]) -> bytes:
    """Return the body of a composite call of at most LARGEST_COMPOSITE calls, in their order."""
    requests: list[dict[str, Any]] = []
    for number, call in enumerate(calls, 1):
        request: dict[str, Any] = {
            "sub_request_id": str(number),
            "method": call.method,
            "uri": f"/crm/{version}{call.path}",
            "params": dict(parse_qsl(call.query)),
        }
        if call.body is not None:
            request["body"] = orjson.loads(call.body)
        requests.append(request)
    return orjson.dumps({"rollback_on_fail": False, "parallel_execution": True, _KEY: requests})


def interpret_composite(response: RawResponse, calls: Sequence[LockCall]) -> list[Reply | None]:
    """Interpret the response to a composite call: a reply for each call, in their order.

    None: Zoho has not executed this call, because it takes no such call in a composite, or no
    composite at all. Where the response does not say what became of the calls, all are LOST.
    """
    body = parsed(response.content)
    if isinstance(body, dict) and _KEY in body:
        items = _in_order(body[_KEY], len(calls))
        return [
            _interpret_item(response, item, call) for item, call in zip(items, calls, strict=True)
        ]
    # A server that knows no composite calls has executed none.
    if response.status in _NO_SUCH_SERVICE or (response.status == 200 and isinstance(body, dict)):
        return [None] * len(calls)
    reply = interpret_failure(response)
    return [reply if reply.verdict in _COMMON else None] * len(calls)


def _in_order(items: object, count: int) -> list[object]:
    """Return the items in the order of the calls; None for each when that is not certain.

    Zoho's page shows them in order. Where they name the ids of their sub-requests, these decide.
    """
    if not isinstance(items, list) or len(items) != count:
        return [None] * count
    ids = [item.get("sub_request_id") if isinstance(item, dict) else None for item in items]
    if not any(ids):
        return items
    by_id = dict(zip(map(str, ids), items, strict=True))
    expected = [str(number) for number in range(1, count + 1)]
    if by_id.keys() != set(expected):
        return [None] * count
    return [by_id[one] for one in expected]


def _interpret_item(response: RawResponse, item: object, call: LockCall) -> Reply | None:
    details = item.get("details") if isinstance(item, dict) else None
    answer = details.get("response") if isinstance(details, dict) else None
    if not isinstance(answer, dict):
        # Without a response the call was not executed, as long as Zoho says why.
        code = item.get("code") if isinstance(item, dict) else None
        is_refusal = isinstance(code, str) and code != "SUCCESS"
        return None if is_refusal else interpret_failure(replace(response, content=None))
    status, content = answer.get("status_code"), answer.get("body")
    headers = answer.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    if not isinstance(status, int):
        return interpret_failure(replace(response, content=None))
    return call.interpret(
        RawResponse(
            status=status,
            content=b"" if content is None else orjson.dumps(content),
            retry_after=_header(headers, "retry-after"),
            credits_remaining=response.credits_remaining,
            received_at=response.received_at,
        )
    )


def _header(headers: dict[str, Any], name: str) -> str | None:
    return next((str(value) for key, value in headers.items() if key.lower() == name), None)
