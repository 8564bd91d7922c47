"""Which scopes a sign-in lacks, by what Zoho says that it has."""

import pytest

from batchlock.zoho.scopes import SCOPES, allows_records, missing_scopes, uses_of


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ("", ()),  # Zoho does not say
        (" ".join(SCOPES), ()),
        (",".join(SCOPES).lower(), ()),
        (("ZohoCRM.modules.ALL ZohoCRM.settings.ALL ZohoCRM.org.ALL ZohoCRM.users.ALL "
         "ZohoCRM.coql.READ ZohoCRM.composite_requests.CUSTOM"), ()),
        (" ".join(SCOPES[:-2]), SCOPES[-2:]),
        ("ZohoCRM.modules.ALL", SCOPES[2:]),
    ],
)  # fmt: skip
def test_the_scopes_that_a_token_lacks(granted: str, missing: tuple[str, ...]) -> None:
    assert missing_scopes(granted) == missing


@pytest.mark.parametrize(
    ("granted", "allowed"),
    [
        ("", True),  # Zoho does not say
        ("ZohoCRM.modules.ALL", True),
        ("ZohoCRM.org.READ,zohocrm.modules.deals.update", True),
        ("ZohoCRM.org.READ ZohoCRM.settings.modules.READ", False),
    ],
)
def test_a_sign_in_without_any_scope_of_modules_allows_no_records(
    granted: str, allowed: bool
) -> None:
    assert allows_records(granted) is allowed


def test_each_scope_has_a_use_and_the_lock_calls_have_theirs() -> None:
    assert [use.scope for use in uses_of(SCOPES)] == list(SCOPES)
    assert "ZohoCRM.modules.lockinginformation.ALL" in SCOPES
    assert uses_of(("ZohoCRM.coql.READ", "ZohoCRM.other.READ"))[0].commands == ("locks",)
