"""The calls about the org, its user and the settings of its modules."""

from collections.abc import Mapping, Sequence

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer, refusal
from batchlock.simulator.behaviour import Behaviour
from batchlock.simulator.magic import MAGIC_MODULES
from batchlock.simulator.modules import MODULES, Module, is_api_name
from batchlock.simulator.records import SIGNED_IN_USER, Inventory, id_and_name
from batchlock.simulator.views import views_of

_USERS = json_answer(
    {
        "users": [
            {
                "id": SIGNED_IN_USER.id,
                "full_name": SIGNED_IN_USER.name,
                "email": "rehearsal@example.com",
                "status": "active",
            }
        ],
        "info": {"per_page": 200, "count": 1, "page": 1, "more_records": False},
    }
)
_MAGIC = {magic.name: magic.effect for magic in MAGIC_MODULES}
# The feature whose modules `settings/modules?feature_name=` returns.
LOCKING_FEATURE = "record_locking_configurations"


def refusal_of(module: str) -> CannedResponse | None:
    """Return the refusal of a call on this module; None if there is such a module.

    Every name in the spelling of API names counts as a custom module.
    """
    if (effect := _MAGIC.get(module)) is not None:
        return effect
    return None if is_api_name(module) else answers.INVALID_MODULE


def answer(
    path: Sequence[str], query: Mapping[str, str], behaviour: Behaviour, inventory: Inventory
) -> CannedResponse:
    """Answer a GET about org, user or settings; `path` holds the segments after the version."""
    match path:
        case ["org"]:
            return _org(behaviour)
        case ["users"]:
            return _USERS
        case ["settings", "fields"]:
            return answers.NO_CONTENT
        case ["settings", "modules"]:
            return _modules(query)
        case ["settings", "custom_views"]:
            return _custom_views(query.get("module", ""), has_locked_view=behaviour.locked_view)
        case ["settings", "record_locking_configurations"]:
            return _rules(query.get("module", ""), inventory)
        case _:
            return answers.WRONG_URL


def _org(behaviour: Behaviour) -> CannedResponse:
    org = {
        "id": "990000000000000001",
        "zgid": behaviour.org_id,
        "company_name": behaviour.company_name,
        "domain_name": f"org{behaviour.org_id}",
        "type": behaviour.org_type,
        "primary_email": "rehearsal@example.com",
        "country_code": "US",
        "time_zone": behaviour.time_zone,
        "iso_code": "USD",
        "license_details": {
            "paid": behaviour.edition != "free",
            "paid_type": behaviour.edition,
            "trial_type": None,
            "users_license_purchased": behaviour.users,
        },
    }
    return json_answer({"org": [org]})


def _modules(query: Mapping[str, str]) -> CannedResponse:
    # Zoho documents that an empty `feature_name` is refused.
    feature = query.get("feature_name", LOCKING_FEATURE)
    if feature != LOCKING_FEATURE:
        return refusal("INVALID_DATA", "invalid data", details={"param_name": "feature_name"})
    return json_answer({"modules": [_module(*each) for each in enumerate(MODULES, 1)]})


def _module(number: int, module: Module) -> dict[str, object]:
    return {
        "id": f"99000000000082{number:04d}",
        "api_name": module.api_name,
        "module_name": module.module_name or module.api_name,
        "singular_label": module.shown_singular or module.singular,
        "plural_label": module.shown_plural or module.plural,
        "actual_singular_label": module.singular,
        "actual_plural_label": module.plural,
        "generated_type": "custom" if module.is_custom else "default",
        "api_supported": True,
        "status": "visible",
    }


def _custom_views(module: str, *, has_locked_view: bool) -> CannedResponse:
    if not module:
        return answers.NO_MODULE_PARAMETER
    if (refused := refusal_of(module)) is answers.INVALID_MODULE:
        return refused
    views = [
        {
            "id": view.view_id,
            "name": view.name,
            "display_value": view.name,
            "system_name": view.system_name,
            "system_defined": view.system_name is not None,
            "category": "public_views" if view.system_name else "created_by_me",
            "default": number == 0,
            "module": {"api_name": module, "id": "990000000000800001"},
            "access_type": "public",
        }
        for number, view in enumerate(views_of(has_locked_view=has_locked_view))
    ]
    info = {"per_page": 200, "count": len(views), "page": 1, "more_records": False}
    return json_answer({"custom_views": views, "info": info})


def _rules(module: str, inventory: Inventory) -> CannedResponse:
    if not module:
        return answers.NO_MODULE_PARAMETER
    refused = refusal_of(module)
    if refused is answers.NOT_CONFIGURED:
        return answers.NO_CONTENT
    if refused is not None:
        return refused
    rules = dict.fromkeys(one.lock.origin.rule for one in inventory.records_of(module))
    content = {
        "id": "990000000000700001",
        "feature_type": "record_locking",
        "lock_type": "both",
        "locked_for": "all_profiles",
        "allowed_modules_to_lock": [module],
        "locking_rules": [id_and_name(rule) for rule in rules if rule is not None],
    }
    return json_answer({"record_locking_configurations": [content]})
