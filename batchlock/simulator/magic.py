"""Magic values: the record ids, modules and sign-ins that always get the same answer.

A test holds that docs/simulator.md shows these tables.
"""

from dataclasses import dataclass
from enum import StrEnum

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, html_page, refusal, sign_in_refusal
from batchlock.simulator.behaviour import Fault
from batchlock.simulator.call_log import Kind

# The call that sends an update; most magic records affect only this one.
_PUT = frozenset({Kind.PUT})
_GET = frozenset({Kind.GET})
_EVERY = frozenset({Kind.PUT, Kind.GET, Kind.POST, Kind.DELETE})

FAULT_ANSWERS = {
    Fault.SERVER_ERROR: answers.SERVER_ERROR,
    Fault.BAD_GATEWAY: answers.BAD_GATEWAY,
    Fault.PROXY_PAGE: answers.PROXY_PAGE,
    Fault.THROTTLED: answers.TOO_MANY_CALLS,
}
"""The faults that are a complete answer, and change nothing."""


class Start(StrEnum):
    """The state of a record's lock before the first call, where it is not the default."""

    NOT_LOCKED = "not locked"
    AUTOMATIC = "locked automatically"


@dataclass(frozen=True, slots=True)
class MagicRecord:
    """A record id that always gets the same answer, in every module."""

    record_id: str
    calls: frozenset[Kind]
    """The kinds of calls that get it; the others are answered as for any record."""
    effect: CannedResponse | Fault | Start
    meaning: str
    times: int | None = None
    """How many calls get it, in each module; None: all."""


def _record(
    number: int,
    effect: CannedResponse | Fault | Start,
    meaning: str,
    *,
    calls: frozenset[Kind] = _PUT,
    times: int | None = None,
) -> MagicRecord:
    return MagicRecord(f"99000000000000{number:04d}", calls, effect, meaning, times)


def _once(number: int, effect: CannedResponse | Fault, meaning: str) -> MagicRecord:
    return _record(number, effect, meaning, times=1)


MAGIC_RECORDS = (
    # Refusals that concern one row.
    _record(101, answers.NO_REASON, "required field not found"),
    _record(102, answers.INVALID_MODULE, "the module name is invalid (index 0)", calls=_EVERY),
    _record(103, answers.WRONG_RECORD, "the record id is invalid (index 1)", calls=_EVERY),
    _record(104, answers.WRONG_LOCK, "the lock id is invalid (index 3)"),
    _record(105, answers.NO_RELATION, "relation not found: no longer locked when the PUT comes"),
    _record(106, answers.NOT_CONFIGURED, "locking is not set up for the module (index 2)"),
    _record(107, answers.WRONG_METHOD, "the method is not a valid one"),
    _record(
        108,
        refusal(
            "INVALID_REQUEST_METHOD",
            "The http request method type is not a valid one",
            in_data=True,
        ),
        "the same with the other status",
    ),
    _record(109, answers.ALREADY_LOCKED, "record is already locked (index 1)"),
    _record(110, answers.ONLY_AUTOMATIC, "only automatic locking is configured (index 1)"),
    _record(
        111,
        refusal(
            "NO_PERMISSION",
            "permission denied",
            status=403,
            details={"permissions": ["Crm_Implied_Edit_Leads"]},
            in_data=True,
        ),
        "this user may not edit the record",
        calls=_EVERY,
    ),
    _record(112, refusal("RECORD_LOCKED", "record is locked", in_data=True), "record is locked"),
    _record(113, refusal("LIMIT_EXCEEDED", "limit exceeded", in_data=True), "a limit of the org"),
    _record(
        114,
        refusal("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing"),
        "a parameter is missing",
    ),
    _record(
        115,
        refusal("AUTHORIZATION_FAILED", "User does not have sufficient privilege"),
        "the user has too few rights",
    ),
    _record(116, answers.WRONG_URL, "the URL is not a correct one", calls=_EVERY),
    _record(
        117,
        refusal(
            "INVALID_DATA",
            "invalid data",
            status=200,
            details={"api_name": "Locked_Reason__s"},
            in_data=True,
        ),
        "an error in spite of the status 200",
    ),
    _record(
        118,
        refusal("SOMETHING_NEW", "a code that nobody has documented"),
        "a code that is not known",
    ),
    # Faults of every call.
    _record(201, Fault.SERVER_ERROR, "Internal Server Error"),
    _record(202, Fault.BAD_GATEWAY, "a page of HTML"),
    _record(203, Fault.DROPPED_BEFORE, "the connection closes; nothing is changed"),
    _record(204, Fault.DROPPED_AFTER, "the connection closes after the change was made"),
    _record(205, Fault.CUT_BODY, "half of the JSON; the change was made"),
    _record(206, Fault.CUT_CONNECTION, "the body breaks off; the change was made"),
    _record(207, Fault.HANG, "no answer ever; the change was made"),
    _record(208, Fault.PROXY_PAGE, "a proxy's page of HTML"),
    _record(209, Fault.THROTTLED, "too many requests"),
    _record(210, CannedResponse(200), "an empty body; nothing is changed"),
    _record(211, html_page(200, "Sign in to the network"), "a page of HTML; nothing is changed"),
    _record(
        212,
        CannedResponse(307, location="https://elsewhere.invalid/"),
        "a redirect to another host",
    ),
    _record(213, CannedResponse(503), "no body"),
    _record(214, Fault.SERVER_ERROR, "the look-up fails, the PUT does not", calls=_GET),
    # Faults of the first call for each record and module.
    _once(301, Fault.SERVER_ERROR, "Internal Server Error"),
    _once(302, Fault.BAD_GATEWAY, "a page of HTML"),
    _once(303, Fault.DROPPED_BEFORE, "the connection closes; nothing is changed"),
    _once(304, Fault.DROPPED_AFTER, "the connection closes after the change was made"),
    _once(305, Fault.CUT_BODY, "half of the JSON; the change was made"),
    _once(306, Fault.CUT_CONNECTION, "the body breaks off; the change was made"),
    _once(307, Fault.HANG, "no answer ever; the change was made"),
    _once(308, Fault.PROXY_PAGE, "a proxy's page of HTML"),
    _once(309, Fault.THROTTLED, "too many requests"),
    _once(310, answers.NO_CREDITS, "the older envelope: `code` is the number 429"),
    _once(
        311,
        refusal("RATE_LIMIT_EXCEEDED", "rate limit", status=429, details={"retry_after": 1}),
        "asks for a wait of one second in the body",
    ),
    _once(312, answers.INVALID_TOKEN, "the access token was revoked before its time"),
    _once(
        313,
        refusal("INVALID_OAUTHTOKEN", "invalid oauth token", status=401),
        "the same under its other name",
    ),
    # Locks that are not in the default state.
    _record(
        401, Start.NOT_LOCKED, "not locked: GET 204, PUT `relation not found`, POST", calls=_EVERY
    ),
    _record(402, Start.AUTOMATIC, "locked automatically: the reason is null", calls=_EVERY),
    # Refusals that would concern every row, so the run ends.
    _record(501, answers.WRONG_EDITION, "not in this edition", calls=_EVERY),
    _record(502, answers.NO_API_ACCESS, "the profile lacks Crm_Implied_Api_Access", calls=_EVERY),
    _record(503, answers.SCOPE_MISSING, "the token lacks a scope", calls=_EVERY),
    _record(504, answers.NO_TOKEN, "no usable token", calls=_EVERY),
    _record(505, answers.INVALID_TOKEN, "no token is ever valid", calls=_EVERY),
)
"""The ids begin with 9900…, which no org of Zoho uses."""


@dataclass(frozen=True, slots=True)
class MagicModule:
    """A module name that always gets the same answer."""

    name: str
    effect: CannedResponse
    meaning: str


MAGIC_MODULES = (
    MagicModule("No_Such_Module", answers.INVALID_MODULE, "the org has no such module"),
    MagicModule(
        "Not_Configured",
        answers.NOT_CONFIGURED,
        "locking is not set up for the module; its locking rules are 204",
    ),
)


@dataclass(frozen=True, slots=True)
class MagicSignIn:
    """A value in a token request that always gets the same answer."""

    field: str
    """`token` is the refresh token or the grant code."""
    value: str
    meaning: str
    answer: CannedResponse | None = None
    """The answer of the token endpoint; None: a token."""
    to_calls: CannedResponse | None = None
    """The answer to every API call with that token; None: as for any token."""
    api_domain: str | None = None
    """The API host in the answer of the token endpoint; None: the simulator itself."""


MAGIC_SIGN_INS = (
    MagicSignIn(
        "client_id", "wrong", "the client id is wrong", answer=sign_in_refusal("invalid_client")
    ),
    MagicSignIn(
        "client_secret",
        "wrong",
        "the client secret is wrong",
        answer=sign_in_refusal("invalid_client_secret"),
    ),
    MagicSignIn(
        "token", "revoked", "the refresh token is revoked", answer=sign_in_refusal("invalid_code")
    ),
    MagicSignIn(
        "token", "used", "the grant code was used before", answer=sign_in_refusal("invalid_code")
    ),
    MagicSignIn("token", "throttled", "too many token requests", answer=answers.SIGN_IN_THROTTLED),
    MagicSignIn("token", "broken", "a page of HTML", answer=answers.BAD_GATEWAY),
    MagicSignIn(
        "token", "scope_missing", "the token lacks a scope", to_calls=answers.SCOPE_MISSING
    ),
    MagicSignIn("token", "unusable", "no usable token", to_calls=answers.NO_TOKEN),
    MagicSignIn("token", "never_valid", "no token is valid", to_calls=answers.INVALID_TOKEN),
    MagicSignIn(
        "token",
        "no_api_access",
        "the profile lacks Crm_Implied_Api_Access",
        to_calls=answers.NO_API_ACCESS,
    ),
    MagicSignIn("token", "no_edition", "not in this edition", to_calls=answers.WRONG_EDITION),
    MagicSignIn(
        "token",
        "elsewhere",
        "a token whose `api_domain` is https://elsewhere.invalid",
        api_domain="https://elsewhere.invalid",
    ),
)
