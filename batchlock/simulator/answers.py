"""The answers of the simulator, in the words of Zoho."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

# Characters of a reason, as Zoho's page on record locking documents: 1 to 3,000.
MAX_REASON = 3000

JSON = "application/json;charset=UTF-8"
HTML = "text/html;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class CannedResponse:
    """An answer before it is sent, which may still be cut or dropped."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    code: str = ""
    """Zoho's code in the body; empty when there is none."""
    location: str = ""
    """Where a redirect points."""


def json_answer(content: object, *, status: int = 200, code: str = "") -> CannedResponse:
    """Return an answer whose body is `content` as JSON."""
    return CannedResponse(status, orjson.dumps(content), code=code)


def success(message: str, details: Mapping[str, Any], *, status: int = 200) -> CannedResponse:
    """Return the answer to a call that changed a lock."""
    item = {"code": "SUCCESS", "details": details, "message": message, "status": "success"}
    return json_answer({"data": [item]}, status=status, code="SUCCESS")


def refusal(
    code: str,
    message: str,
    *,
    status: int = 400,
    details: Mapping[str, Any] | None = None,
    in_data: bool = False,
) -> CannedResponse:
    """Return a refusal: at the top level of the body, or inside `data` (Zoho uses both)."""
    item = {"code": code, "details": details or {}, "message": message, "status": "error"}
    return json_answer({"data": [item]} if in_data else item, status=status, code=code)


def sign_in_refusal(error: str) -> CannedResponse:
    """Return a refusal of the token endpoint, which has HTTP status 200 all the same."""
    return json_answer({"error": error}, code=error)


def html_page(status: int, title: str) -> CannedResponse:
    """Return an HTML page, as a proxy or a load balancer sends it."""
    text = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return CannedResponse(status, text.encode(), HTML)


# To a GET: the record is not locked, or has another lock.
NO_CONTENT = CannedResponse(204)

# `resource_path_index` counts parts of the path: 0 is the module, 1 the record id, 2 the word
# Locking_Information__s, 3 the lock id.

INVALID_MODULE = refusal(
    "INVALID_MODULE",
    "the module name given seems to be invalid",
    details={"resource_path_index": 0},
)
WRONG_RECORD = refusal(
    "INVALID_DATA", "the related id given seems to be invalid", details={"resource_path_index": 1}
)
WRONG_LOCK = refusal(
    "INVALID_DATA",
    "the id given seems to be invalid",
    details={"resource_path_index": 3},
    in_data=True,
)
NO_RELATION = refusal("INVALID_DATA", "relation not found", in_data=True)
NOT_CONFIGURED = refusal(
    "NOT_ALLOWED",
    "Required Record Locking Configuration is not present",
    details={"resource_path_index": 2},
)
ALREADY_LOCKED = refusal(
    "NOT_ALLOWED", "record is already locked", status=403, details={"resource_path_index": 1}
)
ONLY_AUTOMATIC = refusal(
    "NOT_ALLOWED",
    "only automatic locking is configured",
    status=403,
    details={"resource_path_index": 1},
    in_data=True,
)
CANNOT_LOCK = refusal(
    "NOT_ALLOWED",
    "record cannot be locked, only automatic locking is configured",
    status=403,
    in_data=True,
)
MAY_NOT_LOCK = refusal(
    "NO_PERMISSION",
    "You do not have permission to lock this record",
    status=403,
    in_data=True,
)
NO_LOCK_TO_REMOVE = refusal(
    "INVALID_DATA", "relation not found", details={"resource_path_index": 3}, in_data=True
)
AUTOMATICALLY_LOCKED = refusal(
    "NOT_ALLOWED",
    "Automatically locked records can not be unlocked manually",
    status=403,
    in_data=True,
)
MAY_NOT_UNLOCK = refusal(
    "NO_PERMISSION",
    "You do not have permission to unlock this record",
    status=403,
    in_data=True,
)
NO_REASON = refusal(
    "MANDATORY_NOT_FOUND",
    "required field not found",
    details={"api_name": "Locked_Reason__s", "json_path": "$.data[0].Locked_Reason__s"},
    in_data=True,
)
REASON_TOO_LONG = refusal(
    "INVALID_DATA",
    "the value given exceeds the maximum length",
    details={
        "api_name": "Locked_Reason__s",
        "json_path": "$.data[0].Locked_Reason__s",
        "maximum_length": MAX_REASON,
    },
    in_data=True,
)
BAD_BODY = refusal("INVALID_DATA", "body", details={"expected_data_type": "jsonobject"})
NO_DATA = refusal(
    "MANDATORY_NOT_FOUND",
    "required field not found",
    details={"api_name": "data", "json_path": "$.data"},
)
NOT_ONE_ITEM = refusal(
    "INVALID_DATA",
    "exactly one item is expected",
    details={"api_name": "data", "json_path": "$.data", "maximum_length": 1},
)
WRONG_METHOD = refusal(
    "INVALID_REQUEST_METHOD", "The http request method type is not a valid one", status=403
)
WRONG_URL = refusal(
    "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one", status=404
)
NO_MODULE_PARAMETER = refusal(
    "REQUIRED_PARAM_MISSING",
    "One of the expected parameter is missing",
    details={"param_name": "module"},
)
INVALID_TOKEN = refusal("INVALID_TOKEN", "invalid oauth token", status=401)
NO_TOKEN = refusal("AUTHENTICATION_FAILURE", "Authentication failed", status=401)
SCOPE_MISSING = refusal(
    "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL", status=401
)
INVALID_HOST = refusal("INVALID_HOST", "the host given seems to be invalid")
NO_API_ACCESS = refusal(
    "NO_PERMISSION",
    "permission denied",
    status=403,
    details={"permissions": ["Crm_Implied_Api_Access"]},
)
WRONG_EDITION = refusal(
    "FEATURE_NOT_SUPPORTED", "the feature is not supported in this edition", in_data=True
)
TOO_MANY_CALLS = refusal(
    "TOO_MANY_REQUESTS", "too many requests. please try again after some time", status=429
)
# The older envelope: `code` is a number, and the code stands in `error`.
NO_CREDITS = json_answer(
    {
        "code": 429,
        "error": "TOO_MANY_REQUESTS",
        "error_info": "Many requests fired than the allowed limit for the past 24 hours.",
        "details": [],
    },
    status=429,
    code="TOO_MANY_REQUESTS",
)
SERVER_ERROR = refusal("INTERNAL_ERROR", "Internal Server Error", status=500)
# These two do not come from Zoho, so they are not JSON.
BAD_GATEWAY = html_page(502, "502 Bad Gateway")
PROXY_PAGE = html_page(403, "Access to this site is blocked")

_TOO_MANY_SIGN_INS = {
    "error": "Access Denied",
    "error_description": "You have made too many requests continuously. "
    "Please try again after some time.",
    "status": "failure",
}
INVALID_REVOCATION = json_answer({"error": "invalid_token"}, status=400, code="invalid_token")
# To a request to revoke a token that is none; Zoho documents the status, and no body.
SIGN_IN_THROTTLED = json_answer(_TOO_MANY_SIGN_INS, code="Access Denied")
TOO_MANY_SIGN_INS = json_answer(_TOO_MANY_SIGN_INS, status=400, code="Access Denied")
# The same words with another HTTP status; Zoho uses both.
