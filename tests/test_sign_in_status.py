"""How a sign-in stands, as a stand-in over HTTP answers."""

import asyncio

from support.settings import settings_of
from support.zoho import StandIn, Start

from batchlock.core.cancel import CancelToken
from batchlock.sign_in_status import SignInStatus, sign_in_status
from batchlock.zoho.settings import Grant


def status_at(zoho: StandIn, **changed: str) -> SignInStatus:
    values = {
        "api_url": zoho.url,
        "accounts_url": zoho.url,
        "client_id": "me",
        "client_secret": "hush",
        "refresh_token": "mine",
        **changed,
    }
    lines = "".join(f"  {name}: {value}\n" for name, value in values.items() if value)
    settings = settings_of(f"state_directory: state\nzoho:\n{lines}")
    return asyncio.run(sign_in_status(settings, None, CancelToken()))


def test_a_sign_in_that_works_says_whose_it_is(stand_in: Start) -> None:
    status = status_at(stand_in())
    assert (status.works, status.message, status.exit_code) == (True, "", 0)
    assert (status.user, status.company_name) == ("Rehearsal User", "Rehearsal Ltd")
    assert (status.org_type, status.edition) == ("production", "ultimate")
    assert status.grant is Grant.REFRESH_TOKEN
    assert status.missing_scopes == ()
    assert "ZohoCRM.modules.ALL" in (status.granted_scopes or ())
    assert not status.is_pinned


def test_client_credentials_are_for_the_org_with_the_number(stand_in: Start) -> None:
    zoho = stand_in()
    number = status_at(zoho).organization_id
    client = {"grant": "client_credentials", "refresh_token": ""}
    status = status_at(zoho, **client, organization_id=number)
    assert (status.works, status.message, status.is_pinned) == (True, "", True)
    assert status.grant is Grant.CLIENT_CREDENTIALS
    other = status_at(zoho, **client, organization_id="42")
    assert (other.works, other.exit_code) == (False, 5)
    assert "(missing_org_info)" in other.message


def test_scopes_that_are_missing_are_named_with_their_commands(stand_in: Start) -> None:
    zoho = stand_in("--scopes", "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,ZohoCRM.org.READ")
    status = status_at(zoho)
    assert (status.works, status.exit_code, status.user) == (True, 0, "")
    assert {use.scope: use.commands for use in status.missing_scopes} == {
        "ZohoCRM.users.READ": ("login",),
        "ZohoCRM.coql.READ": ("locks",),
        "ZohoCRM.composite_requests.CUSTOM": ("run", "lock", "unlock"),
    }


def test_without_a_scope_for_records_a_person_must_act(stand_in: Start) -> None:
    status = status_at(stand_in("--scopes", "ZohoCRM.org.READ"))
    assert (status.works, status.exit_code) == (True, 5)
    assert "no scope for records" in status.message


def test_a_revoked_sign_in_is_refused_although_its_access_token_is_kept(stand_in: Start) -> None:
    zoho = stand_in()
    assert status_at(zoho).works
    zoho.revoke("mine")
    status = status_at(zoho)
    assert (status.works, status.exit_code) == (False, 5)
    assert "(invalid_code)" in status.message


def test_another_org_than_the_pinned_one_is_a_wrong_setting(stand_in: Start) -> None:
    status = status_at(stand_in(), organization_id="42")
    assert (status.works, status.exit_code) == (False, 2)
    assert status.is_pinned
