"""The form of a composite call: what is refused before anything is executed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, refusal

MOST_SUB_REQUESTS = 5
RESTRICTED_HEADERS = ("authorization", "x-crm-org")
KEY = "__composite_requests"

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Both expressions are on Zoho's page.
_URI = re.compile(r"/crm(/.*)?/v[0-9]+([.][0-9]+)?/.*")
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_]*")

Item = dict[str, Any]
"""The part of an answer that belongs to one sub-request."""


def error(code: str, message: str, details: Mapping[str, object]) -> Item:
    """Return the answer to a sub-request that is not executed."""
    return {"code": code, "details": details, "message": message, "status": "error"}


def content_of(body: bytes) -> dict[str, Any] | CannedResponse:
    """Return the content of a composite call, or the refusal of the whole call."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return answers.BAD_BODY
    if not isinstance(content, dict):
        return answers.BAD_BODY
    for name in ("rollback_on_fail", "parallel_execution"):
        if not isinstance(content.get(name), bool | None):
            return _invalid(name, expected_data_type="boolean")
    if content.get("rollback_on_fail") and content.get("parallel_execution"):
        names = ("rollback_on_fail", "parallel_execution")
        due_to = [{"api_name": name, "json_path": f"$.{name}"} for name in names]
        return refusal(
            "AMBIGUITY_DURING_PROCESSING",
            "rollback_on_fail and parallel_execution cannot both be true",
            details={"ambiguity_due_to": due_to},
        )
    sub_requests = content.get(KEY)
    if not sub_requests:
        details = {"api_name": KEY, "json_path": f"$.{KEY}"}
        return refusal("MANDATORY_NOT_FOUND", "required field not found", details=details)
    if not isinstance(sub_requests, list):
        return _invalid(KEY, expected_data_type="jsonarray")
    if len(sub_requests) > MOST_SUB_REQUESTS:
        return _invalid(KEY, maximum_length=MOST_SUB_REQUESTS)
    return content


def _invalid(name: str, **details: object) -> CannedResponse:
    where = {"api_name": name, "json_path": f"$.{name}"}
    return refusal("INVALID_DATA", "invalid data", details={**where, **details})


def refusal_of(sub_requests: Sequence[object], index: int) -> Item | None:
    """Return the refusal of a sub-request whose form is wrong, else None."""
    sub_request = sub_requests[index]
    if not isinstance(sub_request, dict):
        place = {"api_name": KEY, "json_path": f"$.{KEY}[{index}]"}
        return error("INVALID_DATA", "invalid data", place | {"expected_data_type": "jsonobject"})
    for name in ("method", "uri"):
        if not isinstance(sub_request.get(name), str):
            return error("MANDATORY_NOT_FOUND", "required field not found", place_of(index, name))
    if sub_request["method"] not in _METHODS:
        return error("INVALID_DATA", "invalid data", place_of(index, "method"))
    if not _URI.fullmatch(sub_request["uri"]):
        details = place_of(index, "uri") | {"regex": _URI.pattern}
        return error("INVALID_DATA", "invalid data", details)
    for name in ("headers", "params", "body"):
        if not isinstance(sub_request.get(name), dict | None):
            details = place_of(index, name) | {"expected_data_type": "jsonobject"}
            return error("INVALID_DATA", "invalid data", details)
    restricted = [
        name for name in sub_request.get("headers") or {} if name.lower() in RESTRICTED_HEADERS
    ]
    if restricted:
        details = place_of(index, "headers") | {"restricted_headers": restricted}
        return error("INVALID_DATA", "restricted headers are given", details)
    return _id_refusal(sub_requests, sub_request.get("sub_request_id"), index)


def _id_refusal(sub_requests: Sequence[object], id_: object, index: int) -> Item | None:
    if id_ is None:
        return None
    place = place_of(index, "sub_request_id")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        return error("INVALID_DATA", "invalid data", place | {"regex": _ID.pattern})
    same = [
        number
        for number, one in enumerate(sub_requests)
        if isinstance(one, dict) and one.get("sub_request_id") == id_
    ]
    if len(same) > 1:
        return error("DUPLICATE_DATA", "duplicate data", place | {"sub_request_indexes": same})
    return None


def place_of(index: int, name: str) -> Item:
    """Return the details that name a part of a sub-request."""
    return {"api_name": name, "json_path": f"$.{KEY}[{index}].{name}"}
