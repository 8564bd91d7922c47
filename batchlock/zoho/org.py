"""The org and its modules, as the answers of Zoho describe them.

`GET /org` has the ids, the type and the edition of an org. `GET /settings/modules` with
`feature_name=record_locking_configurations` lists the modules that can be locked. A field that is
missing, or has another type than Zoho documents, counts as not said: nothing depends on it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from batchlock.core.org import OrgFacts, OrgModule

LOCKABLE_MODULES = "/settings/modules?feature_name=record_locking_configurations"
"""The part of the address behind the version."""
CURRENT_USER = "/users?type=CurrentUser"
"""The same for the question who has signed in."""


class Edition(NamedTuple):
    """The limits of an edition, by Zoho's page on API limits."""

    in_flight_cap: int
    credits_per_user: int
    most_credits: int | None
    """None: no bound."""
    base_credits: int = 50_000


_STANDARD = Edition(10, 250, 100_000)
_PROFESSIONAL = Edition(15, 500, 3_000_000)
_ENTERPRISE = Edition(20, 1_000, 5_000_000)
_ULTIMATE = Edition(25, 2_000, None)
# By `paid_type` of `GET /org`. The page names Standard with Starter, Enterprise with Zoho One, and
# Ultimate with CRM Plus.
EDITIONS: Mapping[str, Edition] = {
    "free": Edition(5, 0, 5_000, base_credits=5_000),
    "standard": _STANDARD,
    "crmplusstarter": _STANDARD,
    "professional": _PROFESSIONAL,
    "enterprise": _ENTERPRISE,
    "zohooneenterprise": _ENTERPRISE,
    "zohoonestandard": _ENTERPRISE,
    "ultimate": _ULTIMATE,
    "crmplus": _ULTIMATE,
}


def org_of(body: object) -> OrgFacts | None:
    """Return the facts in the body of an answer to `GET /org`; None when it describes no org."""
    orgs = body.get("org") if isinstance(body, dict) else None
    if not isinstance(orgs, list) or not orgs or not isinstance(orgs[0], dict):
        return None
    org = orgs[0]
    license_details = org.get("license_details")
    details = license_details if isinstance(license_details, dict) else {}
    paid_type = _text(details, "paid_type").casefold()
    users = _count(details.get("users_license_purchased"))
    edition = EDITIONS.get(paid_type)
    return OrgFacts(
        org_id=_text(org, "id"),
        zgid=_text(org, "zgid"),
        company_name=_text(org, "company_name"),
        org_type=_text(org, "type").casefold(),
        edition=paid_type,
        users=users,
        in_flight_cap=None if edition is None else edition.in_flight_cap,
        day_credits=None if edition is None else _day_credits(edition, users),
    )


def modules_of(body: object) -> tuple[OrgModule, ...] | None:
    """Return the modules in the body of an answer to LOCKABLE_MODULES; None when it lists none."""
    modules = body.get("modules") if isinstance(body, dict) else None
    if not isinstance(modules, list):
        return None
    return tuple(
        OrgModule(
            api_name=_text(module, "api_name"),
            module_name=_text(module, "module_name"),
            singular_label=_text(module, "singular_label"),
            plural_label=_text(module, "plural_label"),
            actual_singular_label=_text(module, "actual_singular_label"),
            actual_plural_label=_text(module, "actual_plural_label"),
        )
        for module in modules
        if isinstance(module, dict) and _text(module, "api_name")
    )


def user_of(body: object) -> str | None:
    """Return the name of the user in an answer to CURRENT_USER; None when it names none."""
    users = body.get("users") if isinstance(body, dict) else None
    if not isinstance(users, list) or not users or not isinstance(users[0], dict):
        return None
    return _text(users[0], "full_name") or _text(users[0], "email") or None


def _day_credits(edition: Edition, users: int | None) -> int | None:
    if users is None and edition.credits_per_user:
        return None
    total = edition.base_credits + edition.credits_per_user * (users or 0)
    return total if edition.most_credits is None else min(total, edition.most_credits)


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    if isinstance(value, int) and not isinstance(value, bool):  # an id that is written as a number
        return str(value)
    return value.strip() if isinstance(value, str) and value.isprintable() else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
