"""What the claims of a person mean for the page: a name, and roles by groups."""

import re
from collections.abc import Mapping
from typing import Any

from batchlock.store.grants import EVERY_ORG, Role
from batchlock.web.oidc.settings import OidcSettings

# Names stand in log lines. Parentheses are left out, so that nobody looks like `local user (…)`,
# `terminal (…)` or a person with the number of another.
_NOT_IN_NAMES = re.compile(r"[^\w.,@'\u2019 -]")
# As long as the names of people with passwords can be, without the number.
_MAX_NAME = 60
# In this order where the claim of the settings is missing.
_OTHER_NAMES = ("preferred_username", "email")
_RANK = {role: rank for rank, role in enumerate(Role)}


def name_of(claims: Mapping[str, Any], settings: OidcSettings) -> str:
    """Return the name of a person for the page, in letters that can stand in a log."""
    for claim in (settings.name_claim, *_OTHER_NAMES):
        text = claims.get(claim)
        if isinstance(text, str) and (name := _readable(text)):
            return name
    return "somebody"


def groups_of(claims: Mapping[str, Any], settings: OidcSettings) -> frozenset[str]:
    """Return the groups of a person; none when the provider names none."""
    groups = claims.get(settings.groups_claim)
    if isinstance(groups, str):
        return frozenset({groups})
    return frozenset(str(group) for group in groups) if isinstance(groups, list) else frozenset()


def roles_of(groups: frozenset[str], settings: OidcSettings) -> dict[str, str]:
    """Return the roles that groups give, by org; of several roles for an org the highest one.

    Empty when the person may not sign in.
    """
    if settings.required_group is not None and settings.required_group not in groups:
        return {}
    roles: dict[str, Role] = {}
    for group in groups & settings.groups.keys():
        for org, name in settings.groups[group]:
            roles[org] = _higher(roles.get(org), Role(name))
    everywhere = roles.get(EVERY_ORG)
    # A role for one org replaces the one for every org, and must not be a lower one.
    return {org: _higher(everywhere, role).value for org, role in roles.items()}


def _higher(one: Role | None, other: Role) -> Role:
    return other if one is None else max(one, other, key=_RANK.__getitem__)


def _readable(text: str) -> str:
    return " ".join(_NOT_IN_NAMES.sub(" ", text).split())[:_MAX_NAME].strip()
