"""The calls that are not about locks: the org, its user, and the locking rules of modules."""

import re
from collections.abc import Mapping, Sequence

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer
from batchlock.simulator.magic import MAGIC_MODULES

# All ids of the simulator begin with 990000, so that nobody takes them for real ones.
ORGANIZATION_ID = "990000000"

_ORG = json_answer(
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
_USERS = json_answer(
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
# API names of modules start with a capital: `Deals`, `Custom_Module`.
_API_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*")
_MAGIC = {magic.name: magic.effect for magic in MAGIC_MODULES}


def refusal_of(module: str) -> CannedResponse | None:
    """Return the refusal of a lock call on this module; None if there is such a module.

    Every name in the spelling of API names counts as a custom module.
    """
    if (effect := _MAGIC.get(module)) is not None:
        return effect
    return None if _API_NAME.fullmatch(module) else answers.INVALID_MODULE


def answer(path: Sequence[str], query: Mapping[str, str]) -> CannedResponse:
    """Answer a GET that is not about a lock; `path` holds the segments after the version."""
    match path:
        case ["org"]:
            return _ORG
        case ["users"]:
            return _USERS
        case ["settings", "fields"]:
            return answers.NO_CONTENT
        case ["settings", "record_locking_configurations"]:
            return _rules(query.get("module", ""))
        case _:
            return answers.WRONG_URL


def _rules(module: str) -> CannedResponse:
    if not module:
        return answers.NO_MODULE_PARAMETER
    refused = refusal_of(module)
    if refused is answers.NOT_CONFIGURED:
        return answers.NO_CONTENT
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
    return json_answer({"record_locking_configurations": [rules]})
