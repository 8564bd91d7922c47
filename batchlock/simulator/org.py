"""What else the stand-in's org answers: who it is, its user, its modules' locking rules."""

import re
from collections.abc import Mapping, Sequence

from batchlock.simulator import answers
from batchlock.simulator.answers import Answer, said
from batchlock.simulator.magic import MAGIC_MODULES

ORGANIZATION_ID = "990000000"

_ORG = said(
    {
        "org": [
            {
                "id": "990000000000000001",
                "zgid": ORGANIZATION_ID,
                "company_name": "Rehearsal Ltd",
                "domain_name": f"org{ORGANIZATION_ID}",
                "type": "production",
                "primary_email": "rehearsal@example.com",
                "country_code": "US",
                "time_zone": "Etc/UTC",
                "iso_code": "USD",
                "license_details": {"paid": True, "paid_type": "ultimate", "trial_type": None},
            }
        ]
    }
)
_USERS = said(
    {
        "users": [
            {
                "id": "990000000000900001",
                "full_name": "Rehearsal User",
                "email": "rehearsal@example.com",
                "status": "active",
            }
        ],
        "info": {"per_page": 200, "count": 1, "page": 1, "more_records": False},
    }
)
_API_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*")
_MAGIC = {magic.name: magic.does for magic in MAGIC_MODULES}


def refusal_of(module: str) -> Answer | None:
    """Return what a lock call on this module is told, or None when there is such a module.

    Any name that is cased as API names are counts as a module that a user made.
    """
    if (does := _MAGIC.get(module)) is not None:
        return does
    return None if _API_NAME.fullmatch(module) else answers.INVALID_MODULE


def answer(path: Sequence[str], query: Mapping[str, str]) -> Answer:
    """Answer a GET that is not about a lock; `path` is what follows the version."""
    match path:
        case ["org"]:
            return _ORG
        case ["users"]:
            return _USERS
        case ["settings", "fields"]:
            return answers.NOTHING
        case ["settings", "record_locking_configurations"]:
            return _rules(query.get("module", ""))
        case _:
            return answers.WRONG_URL


def _rules(module: str) -> Answer:
    if not module:
        return answers.NO_MODULE_PARAMETER
    refused = refusal_of(module)
    if refused is answers.NOT_CONFIGURED:
        return answers.NOTHING
    if refused is not None:
        return refused
    rules = {
        "id": "990000000000700001",
        "feature_type": "record_locking",
        "lock_type": "both",
        "locked_for": "all_profiles",
        "allowed_modules_to_lock": [module],
        "locking_rules": [],
    }
    return said({"record_locking_configurations": [rules]})
