from typing import Any

import pytest
from support.settings import settings_of

from batchlock.web.oidc.claims import groups_of, name_of, roles_of
from batchlock.web.oidc.settings import OidcSettings


def oidc(text: str = "") -> OidcSettings:
    return settings_of(f"web: {{oidc: {{{text}}}}}").web.oidc


_GROUPS = "{one: acme:viewer, two: [acme:sender, globex:preparer], all: preparer}"


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        ({"one"}, {"acme": "viewer"}),
        ({"one", "two"}, {"acme": "sender", "globex": "preparer"}),
        ({"one", "all"}, {"acme": "preparer", "*": "preparer"}),
        ({"two", "all"}, {"acme": "sender", "globex": "preparer", "*": "preparer"}),
        ({"unknown"}, {}),
        (set(), {}),
    ],
)
def test_the_highest_role_counts(groups: set[str], roles: dict[str, str]) -> None:
    assert roles_of(frozenset(groups), oidc(f"groups: {_GROUPS}")) == roles


def test_whoever_is_not_in_the_required_group_has_no_role() -> None:
    settings = oidc("groups: {crm: sender}, required_group: staff")
    assert roles_of(frozenset({"crm"}), settings) == {}
    assert roles_of(frozenset({"crm", "staff"}), settings) == {"*": "sender"}


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"groups": ["a", "b"]}, {"a", "b"}),
        ({"groups": "a"}, {"a"}),
        ({"groups": [1, None]}, {"1", "None"}),
        ({"groups": {"a": 1}}, set()),
        ({}, set()),
    ],
)
def test_groups_are_a_text_or_a_list(claims: dict[str, Any], groups: set[str]) -> None:
    assert groups_of(claims, oidc()) == groups


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Zoë O\u2019Hara-Li", "email": "z@acme.test"}, "Zoë O\u2019Hara-Li"),
        ({"name": " ", "preferred_username": "zoe"}, "zoe"),
        ({"name": 7, "email": "z@acme.test"}, "z@acme.test"),
        ({}, "somebody"),
        ({"name": "x" * 99}, "x" * 60),
        ({"name": "local user (root)"}, "local user root"),
        ({"name": "a\r\nb\u202ec\x00d"}, "a b c d"),
    ],
)
def test_a_name_has_only_signs_that_can_stand_in_a_log(claims: dict[str, Any], name: str) -> None:
    assert name_of(claims, oidc()) == name
