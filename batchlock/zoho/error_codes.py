"""Zoho's error codes: the verdict on each, and what a person can do.

A new code is a line of ERROR_CODES. The sources are Zoho's pages about the record-locking API and
its OpenAPI file; where they name different HTTP statuses for a code, the code decides.
"""

from collections.abc import Mapping
from typing import NamedTuple

from batchlock.core.reply import Verdict
from batchlock.zoho.scopes import SCOPES


class ErrorCode(NamedTuple):
    """What an error code means."""

    verdict: Verdict
    remedy: str
    about_setup: bool = False
    """Whether the refusal speaks of the set-up (module, permission, settings), not of the row.

    Only then the same refusal of many rows shows that the others would be refused too. A code that
    can mean both speaks of the row.
    """
    about_state: bool = False
    """Whether the state of the lock may explain the refusal: it is there already, or gone."""
    is_final: bool = False
    """Whether only another row can help: the same one would be refused again, whatever is changed
    in the org's settings and rights."""


Codes = Mapping[tuple[str, object], ErrorCode]
"""Meanings by code and place; the place is explained at ERROR_CODES."""


_LOGIN = "Run `batchlock login`"
_ADMINISTRATOR = "Ask your CRM administrator"
BUSY = ErrorCode(
    Verdict.THROTTLED,
    "Too many calls at once, or the day's credits are spent. Run the same command again later; "
    "if other programs use this Zoho org, lower limits.max_in_flight in the configuration.",
)
FAULT = ErrorCode(
    Verdict.BROKEN,
    "Zoho had an internal error. Run the row again later; if the error continues, contact Zoho's "
    "support.",
)
_EXPIRED = ErrorCode(
    Verdict.EXPIRED,
    "If a new token is not accepted either, the sign-in belongs to another data centre or "
    "environment: check zoho.data_center and zoho.environment in the configuration, then "
    "run `batchlock login`.",
)
DENIED = ErrorCode(
    Verdict.DENIED,
    f"Zoho does not accept this sign-in. {_LOGIN}, as a user of this org, with these scopes: "
    f"{','.join(SCOPES)}",
)
_NO_API = ErrorCode(
    Verdict.DENIED,
    f"{_ADMINISTRATOR} to switch on the permission Zoho CRM API Access in the profile of the "
    "user who signed in, or sign in as another user with `batchlock login`.",
)


def _refused(remedy: str, *, about_state: bool = False) -> ErrorCode:
    return ErrorCode(Verdict.REFUSED, remedy, about_state=about_state)


def _refused_for_good(
    remedy: str, *, about_setup: bool = False, about_state: bool = False
) -> ErrorCode:
    return ErrorCode(
        Verdict.REFUSED, remedy, about_setup=about_setup, about_state=about_state, is_final=True
    )


def _refused_by_setup(remedy: str) -> ErrorCode:
    return ErrorCode(Verdict.REFUSED, remedy, about_setup=True)


_MODULE = _refused_for_good(
    "Zoho knows no such module. Check the row's module: it must be the module's API name, and a "
    "custom module must have been made by a user, not by an extension.",
    about_setup=True,
)
_FIXED_LOCK = _refused(
    "This lock cannot be changed by hand: the record is locked already, or the module is locked by "
    f"rules alone. {_ADMINISTRATOR} about the module's record locking configuration."
)

# The key is the code, with the place that Zoho's `details` point at: `resource_path_index` (the
# part of the address: 0 module, 1 record id, 2 Locking_Information__s, 3 lock id) or `api_name`
# (the field). None stands for any other place.
ERROR_CODES: Codes = {
    ("MANDATORY_NOT_FOUND", None): _refused_for_good(
        "The reason is missing. Fill it in and run the row."
    ),
    ("INVALID_MODULE", None): _MODULE,
    ("INVALID_DATA", 0): _MODULE,
    ("INVALID_DATA", 1): _refused_for_good(
        "Zoho has no record with this id in this module. Check the row's record id and module; the "
        "record may have been deleted, or belong to another org."
    ),
    ("INVALID_DATA", 3): _refused_for_good(
        "This record has no lock with this id. Check the row's lock id, which is not the record "
        "id, or leave it blank to have it looked up."
    ),
    ("INVALID_DATA", "Locked_Reason__s"): _refused_for_good(
        "Zoho does not accept this reason. Check its length and its characters."
    ),
    ("INVALID_DATA", None): _refused(
        "The record is not locked any more, record locking is switched off, or an id of the row is "
        "wrong. Look at the record in Zoho; if it is meant to be locked, lock it there, then run "
        "the row again."
    ),
    ("NOT_ALLOWED", 2): _refused_by_setup(
        f"Record locking is not set up for this module. {_ADMINISTRATOR} to add a record locking "
        "configuration for it, then run the row again."
    ),
    ("NOT_ALLOWED", None): _FIXED_LOCK,
    ("INVALID_REQUEST_METHOD", None): _refused_by_setup(
        "Zoho did not recognise the call. Check zoho.api_url and zoho.api_version in the "
        "configuration; a proxy may also have changed the call on its way."
    ),
    ("INVALID_URL_PATTERN", None): _refused(
        "Zoho cannot read the row's address. Check its module, record id and lock id, and "
        "zoho.api_version in the configuration."
    ),
    ("NO_PERMISSION", None): _refused_by_setup(
        "The user who signed in may not change the locks of this record. "
        f"{_ADMINISTRATOR} for the permission, or sign in as another user with `batchlock login`."
    ),
    ("AUTHORIZATION_FAILED", None): _refused_by_setup(
        "The user who signed in may not work with this record. "
        f"{_ADMINISTRATOR} for access to it, or sign in as another user with `batchlock login`."
    ),
    ("RECORD_LOCKED", None): _refused(
        "The record is locked against this change. Ask whoever locked it, or your CRM "
        "administrator, to release it."
    ),
    ("LIMIT_EXCEEDED", None): _refused_by_setup(
        f"A limit of this Zoho org is reached. {_ADMINISTRATOR} which, then run the row again."
    ),
    ("REQUIRED_PARAM_MISSING", None): _refused(
        "A part of the call is missing. Check the row's module, ids and reason, and "
        "zoho.api_version in the configuration."
    ),
    # Zoho's change logs of API v3 and v5 name it: the domain is wrong for this org.
    ("INVALID_HOST", None): ErrorCode(
        Verdict.MISCONFIGURED,
        "This Zoho org has another API address. Correct zoho.data_center in the configuration (us, "
        "eu, in … as in the address of your CRM), or zoho.api_url if it is set. If both are right, "
        "run `batchlock login` for the org that is meant.",
    ),
    # Not about one row: the edition has no record locking at all, so the run ends.
    ("FEATURE_NOT_SUPPORTED", None): ErrorCode(
        Verdict.UNSUPPORTED,
        "The edition of this Zoho org has no record locking. "
        f"{_ADMINISTRATOR} about the edition; nothing can be updated until it has.",
    ),
    # Both names are in use for a token that has expired, was evicted by a newer one, or belongs to
    # another data centre.
    ("INVALID_TOKEN", None): _EXPIRED,
    ("INVALID_OAUTHTOKEN", None): _EXPIRED,
    ("AUTHENTICATION_FAILURE", None): DENIED,
    ("OAUTH_SCOPE_MISMATCH", None): ErrorCode(
        Verdict.DENIED,
        f"The sign-in was made without a scope that is needed. {_LOGIN} and generate the code with "
        f"these scopes: {','.join(SCOPES)}",
    ),
    # Usually with HTTP 429, which decides before the code does.
    ("TOO_MANY_REQUESTS", None): BUSY,
    ("RATE_LIMIT_EXCEEDED", None): BUSY,
    ("INTERNAL_ERROR", None): FAULT,
    ("INTERNAL_SERVER_ERROR", None): FAULT,
}


# What some codes mean when a lock is made.
LOCK_CODES: Codes = {
    # Zoho says both in its words only: the record is locked already, or the module is locked by
    # rules alone. A look at the record shows which one it is.
    ("NOT_ALLOWED", None): _refused(
        "The record is locked already, or the module is locked by rules alone. "
        f"{_ADMINISTRATOR} about the module's record locking configuration.",
        about_state=True,
    ),
    ("NO_PERMISSION", None): _refused_by_setup(
        "The user who signed in may not lock records of this module. "
        f"{_ADMINISTRATOR} for the permission, or sign in as another user with `batchlock login`."
    ),
    ("RECORD_LOCKED", None): _refused(
        "The record is locked already. Look at it in Zoho.", about_state=True
    ),
    ("INVALID_DATA", None): _refused(
        "Record locking is switched off, or an id of the row is wrong. Check the row's module and "
        "record id."
    ),
}
# What some codes mean when a lock is removed.
UNLOCK_CODES: Codes = {
    ("NOT_ALLOWED", None): _refused(
        "A rule has locked this record, so nobody can unlock it by hand. Change the record so that "
        f"the rule does not apply any more. {_ADMINISTRATOR} which rule it is."
    ),
    ("NO_PERMISSION", None): _refused_by_setup(
        "The user who signed in may not unlock this record. "
        f"{_ADMINISTRATOR} for the permission, or sign in as another user with `batchlock login`."
    ),
    ("INVALID_DATA", 3): _refused_for_good(
        "This record has no lock with this id. Check the row's lock id, which is not the record "
        "id, or leave it blank to have it looked up.",
        about_state=True,
    ),
    ("INVALID_DATA", None): _refused(
        "The record is not locked any more, record locking is switched off, or an id of the row is "
        "wrong. Look at the record in Zoho.",
        about_state=True,
    ),
}

FINAL_REMEDIES = frozenset(
    meaning.remedy
    for codes in (ERROR_CODES, LOCK_CODES, UNLOCK_CODES)
    for meaning in codes.values()
    if meaning.is_final
)
"""The remedies of final refusals. A journal keeps the remedy of a row, and not its ErrorCode."""


def find(
    code: str, details: Mapping[str, object], permissions: list[str], codes: Codes
) -> ErrorCode | None:
    """Return the meaning of a code with its `details`; None when the code is unknown.

    `codes` are those that mean something else for this kind of call.
    """
    # This permission is missing for every call, whereas any other one is about the row.
    if code == "NO_PERMISSION" and "Crm_Implied_Api_Access" in permissions:
        return _NO_API
    place = details.get("resource_path_index", details.get("api_name"))
    for table in (codes, ERROR_CODES):
        if isinstance(place, (int, str)) and (at_place := table.get((code, place))):
            return at_place
    return codes.get((code, None)) or ERROR_CODES.get((code, None))


def unknown(status: int) -> ErrorCode:
    """Return the meaning of an unknown code by its HTTP status."""
    # 401 is about the sign-in, so it is true for every row; all else is taken for the row's.
    return DENIED if status == 401 else _refused(f"{_ADMINISTRATOR}, showing the message.")
