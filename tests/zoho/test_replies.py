import orjson
import pytest
from support.http_server import HTML, answer_with, http_response
from support.zoho_calls import LOCK, envelope, put_against, success

from batchlock.core.reply import Verdict
from batchlock.zoho.scopes import SCOPES

ERRORS = [
    (400, "MANDATORY_NOT_FOUND", {"api_name": "Locked_Reason__s"}, "refused", "reason"),
    (400, "INVALID_MODULE", {"resource_path_index": 0}, "refused", "API name"),
    (400, "INVALID_DATA", {"resource_path_index": 0}, "refused", "API name"),
    (400, "INVALID_DATA", {"resource_path_index": 1}, "refused", "no record with this id"),
    (400, "INVALID_DATA", {"resource_path_index": 3}, "refused", "no lock with this id"),
    (400, "INVALID_DATA", {"api_name": "Locked_Reason__s"}, "refused", "length"),
    (400, "INVALID_DATA", {}, "refused", "not locked any more"),
    (400, "INVALID_DATA", {"resource_path_index": []}, "refused", "not locked any more"),
    (400, "NOT_ALLOWED", {"resource_path_index": 2}, "refused", "not set up for this module"),
    (403, "NOT_ALLOWED", {"resource_path_index": 1}, "refused", "cannot be changed by hand"),
    (403, "INVALID_REQUEST_METHOD", {}, "refused", "zoho.api_url"),
    (400, "INVALID_REQUEST_METHOD", {}, "refused", "proxy"),
    (403, "NO_PERMISSION", {}, "refused", "permission"),
    (403, "NO_PERMISSION", {"permissions": ["Crm_Implied_Edit_Leads"]}, "refused", "permission"),
    (403, "NO_PERMISSION", {"permissions": ["Crm_Implied_Api_Access"]}, "denied", "API Access"),
    (400, "RECORD_LOCKED", {}, "refused", "release"),
    (400, "LIMIT_EXCEEDED", {}, "refused", "limit"),
    (400, "REQUIRED_PARAM_MISSING", {}, "refused", "part of the call"),
    (400, "FEATURE_NOT_SUPPORTED", {}, "unsupported", "edition"),
    (400, "AUTHORIZATION_FAILED", {}, "refused", "access"),
    (404, "INVALID_URL_PATTERN", {}, "refused", "record id and lock id"),
    (401, "INVALID_TOKEN", {}, "expired", "zoho.data_center"),
    (401, "INVALID_OAUTHTOKEN", {}, "expired", "zoho.environment"),
    (401, "AUTHENTICATION_FAILURE", {}, "denied", SCOPES[0]),
    (401, "OAUTH_SCOPE_MISMATCH", {}, "denied", ",".join(SCOPES)),
    (401, "SOMETHING_NEW", {}, "denied", "batchlock login"),
    (400, "SOMETHING_NEW", {}, "refused", "administrator"),
    (429, "TOO_MANY_REQUESTS", {}, "throttled", "limits.max_in_flight"),
    (400, "RATE_LIMIT_EXCEEDED", {}, "throttled", "limits.max_in_flight"),
    (429, "INVALID_DATA", {}, "throttled", "limits.max_in_flight"),
    (500, "INTERNAL_ERROR", {}, "broken", "support"),
    (500, "INTERNAL_SERVER_ERROR", {}, "broken", "support"),
    (503, "INVALID_DATA", {}, "broken", "support"),
    (200, "INVALID_MODULE", {}, "refused", "API name"),
    (200, "SOMETHING_NEW", {}, "refused", "administrator"),
    (207, "INTERNAL_ERROR", {}, "broken", "support"),
]


@pytest.mark.parametrize("wrapped", [False, True], ids=["top level", "in data"])
@pytest.mark.parametrize(("status", "code", "details", "verdict", "remedy"), ERRORS)
def test_each_error_of_zoho_is_interpreted_in_both_envelopes(
    status: int, code: str, details: dict[str, object], verdict: str, remedy: str, wrapped: bool
) -> None:
    error = envelope(code, **details)
    body = orjson.dumps({"data": [error]} if wrapped else error)
    reply, requests = put_against(answer_with(http_response(status, body)))
    assert (reply.verdict, reply.http_status, reply.code) == (Verdict(verdict), status, code)
    assert reply.message.startswith("message of Zoho")
    assert remedy in reply.remedy
    assert len(requests) == 1


def test_the_message_names_the_field_and_the_permission() -> None:
    details = {"api_name": "Locked_Reason__s", "json_path": "$.data[0].Locked_Reason__s"}
    error = orjson.dumps(envelope("MANDATORY_NOT_FOUND", "required field not found", **details))
    reply, _ = put_against(answer_with(http_response(400, error)))
    expected = "required field not found (Locked_Reason__s, $.data[0].Locked_Reason__s)"
    assert reply.message == expected
    denied = orjson.dumps(envelope("NO_PERMISSION", permissions=["Crm_Implied_Edit_Leads", 7]))
    reply, _ = put_against(answer_with(http_response(403, denied)))
    assert reply.message == "message of Zoho (Crm_Implied_Edit_Leads)"


def test_an_older_envelope_with_a_number_as_code_is_interpreted() -> None:
    body = {"code": 429, "error": "TOO_MANY_REQUESTS", "error_info": "Many", "details": []}
    reply, _ = put_against(answer_with(http_response(400, orjson.dumps(body))))
    assert (reply.verdict, reply.code) == (Verdict.THROTTLED, "TOO_MANY_REQUESTS")
    assert reply.message == "Many"


def test_a_message_of_zoho_is_cut_to_one_line() -> None:
    body = orjson.dumps(envelope("NEW", "two\nlines\x00" + "x" * 5000))
    reply, _ = put_against(answer_with(http_response(400, body)))
    assert reply.message.startswith("two lines x")
    assert len(reply.message) == 500
    reply, _ = put_against(
        answer_with(http_response(400, b'{"code":"NEW","message":["odd"],"details":null}'))
    )
    assert reply.message == "Zoho gave no reason (HTTP 400)."


@pytest.mark.parametrize("body", [b"", b"slow down", HTML, b'{"code":7}', b"[]"])
def test_a_429_is_throttled_whatever_the_body(body: bytes) -> None:
    reply, _ = put_against(answer_with(http_response(429, body)))
    assert (reply.verdict, reply.code) == (Verdict.THROTTLED, "")
    assert "429" in reply.message


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize("body", [b"", HTML, b'{"da'])
def test_a_5xx_is_broken_whatever_the_body(status: int, body: bytes) -> None:
    reply, _ = put_against(answer_with(http_response(status, body)))
    assert (reply.verdict, reply.http_status) == (Verdict.BROKEN, status)
    assert str(status) in reply.message


NOT_ZOHO = [
    (403, HTML, "A web page came back instead of Zoho's answer (HTTP 403)"),
    (404, b"\n " + HTML, "A web page came back"),
    (407, HTML, "A proxy asks for a sign-in of its own (HTTP 407)"),
    (401, HTML, "A web page came back"),
    (401, b"", "An empty answer came back (HTTP 401)"),
    (302, HTML, "sent on to another address (HTTP 302)"),
    (304, b"", "sent on to another address"),
    (302, orjson.dumps(envelope("INVALID_DATA")), "sent on to another address"),
    (408, b'{"error":"slow"}', "Something other than Zoho's answer"),
    (200, b"", "An empty answer came back (HTTP 200)"),
    (204, b"", "An empty answer came back (HTTP 204)"),
    (200, b" \r\n", "An empty answer came back"),
    (200, orjson.dumps(success())[:-9], "or only a part of it (HTTP 200)"),
    (200, HTML, "A web page came back"),
    (200, b'"SUCCESS"', "Something other"),
    (200, b"\xff\xfe", "Something other"),
    (200, b"[" * 3000, "Something other"),
    (200, b'{"data":[]}', "Something other"),
    (200, b'{"data":{"code":"SUCCESS"}}', "Something other"),
    (200, b'{"data":[null]}', "Something other"),
    (200, b'{"code":true}', "Something other"),
    (400, orjson.dumps(success()), "Something other"),
    (200, orjson.dumps(success(status="error")), "Something other"),
    (200, orjson.dumps(success(status=None)), "Something other"),
    (200, orjson.dumps(success(code="DONE")), "Something other"),
    (200, orjson.dumps(envelope("SUCCESS") | {"status": "success"}), "Something other"),
    (200, orjson.dumps(success("77")), "Zoho answered for another lock (77)"),
]


@pytest.mark.parametrize(("status", "body", "message"), NOT_ZOHO)
def test_a_response_that_is_not_zohos_is_lost(status: int, body: bytes, message: str) -> None:
    reply, requests = put_against(answer_with(http_response(status, body)))
    assert (reply.verdict, reply.http_status) == (Verdict.LOST, status)
    assert message in reply.message
    assert reply.remedy
    assert len(requests) == 1


def test_a_success_without_an_id_or_with_a_number_as_id_is_accepted() -> None:
    for details in ({}, {"id": int(LOCK)}):
        body = orjson.dumps(success(details=details))
        assert put_against(answer_with(http_response(200, body)))[0].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        (["Retry-After: 17"], {}, 17.0),
        (["retry-after: 1.5"], {}, 1.5),
        (["Retry-After: -5"], {}, 0.0),
        (["Retry-After: Tue, 14 Nov 2023 22:13:50 GMT"], {}, 30.0),
        (["Retry-After: Tue, 14 Nov 2023 22:13:50"], {}, 30.0),
        (["Retry-After: Tue, 14 Nov 2023 22:00:00 GMT"], {}, 0.0),
        (["Retry-After: soon"], {}, None),
        (["Retry-After: nan"], {}, None),
        (["Retry-After: inf"], {}, None),
        (["Retry-After: 1_0"], {}, None),
        (["Retry-After: " + "9" * 400], {}, None),
        (["Retry-After: Tue, 99 Nov 2023 22:13:50 GMT"], {}, None),
        (["Retry-After:"], {}, None),
        (["Retry-After: soon"], {"retry_after": 9}, 9.0),
        ([], {"retry_after": "8"}, 8.0),
        ([], {"retry_after": {"odd": 1}}, None),
        ([], {}, None),
    ],
)
def test_retry_after_is_read_from_the_header_or_the_body(
    headers: list[str], details: dict[str, object], seconds: float | None
) -> None:
    body = orjson.dumps(envelope("TOO_MANY_REQUESTS", **details))
    reply, _ = put_against(answer_with(http_response(429, body, *headers)))
    assert reply.retry_after == seconds


@pytest.mark.parametrize(
    ("header", "remaining"),
    [
        ("X-API-CREDITS-REMAINING: 4711", 4711),
        ("x-api-credits-remaining: 0", 0),
        ("X-Api-Credits-Remaining: -1", None),
        ("X-API-CREDITS-REMAINING: many", None),
        ("X-API-CREDITS-REMAINING: " + "9" * 5000, None),
        ("X-Other: 1", None),
    ],
)
def test_the_remaining_credits_are_read_from_the_header(header: str, remaining: int | None) -> None:
    reply, _ = put_against(answer_with(http_response(200, orjson.dumps(success()), header)))
    assert (reply.verdict, reply.credits_remaining) == (Verdict.ACCEPTED, remaining)
