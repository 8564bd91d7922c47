import pytest
from support.settings import SECRET, problems_of, settings_of

from batchlock.config import load


@pytest.mark.parametrize(
    ("key", "text"), [("zoho.data_center", "eu"), ("zoho.environment", "sandbox")]
)
def test_the_addresses_follow_the_data_center_and_environment(key: str, text: str) -> None:
    name = key.upper().replace(".", "__")
    zoho = load(environment={f"BATCHLOCK_{name}": text}).zoho
    assert (zoho.api, zoho.accounts) == {
        "eu": ("https://www.zohoapis.eu", "https://accounts.zoho.eu"),
        "sandbox": ("https://sandbox.zohoapis.com", "https://accounts.zoho.com"),
    }[text]


def test_explicit_addresses_win() -> None:
    zoho = settings_of(
        "zoho: {data_center: eu, api_url: 'https://a.test', accounts_url: 'https://b.test'}"
    )
    assert (zoho.zoho.api, zoho.zoho.accounts) == ("https://a.test", "https://b.test")


@pytest.mark.parametrize("key", ["api_url", "accounts_url"])
@pytest.mark.parametrize(
    "address",
    [
        "http://www.zohoapis.com",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        "http://127.0.0.1@evil.test",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://2130706433",
        "ftp://localhost",
        "www.zohoapis.com",
        "https://",
        "//www.zohoapis.com",
        "https://www.zohoapis.com/crm/v7",
        "https://www.zohoapis.com?x=1",
        "https://user@www.zohoapis.com",
        "https://[::1",
    ],
)
def test_an_address_without_encryption_is_refused(key: str, address: str) -> None:
    (problem,) = problems_of(f"zoho: {{{key}: '{address}'}}")
    assert problem.startswith(f"batchlock-settings.yaml: zoho.{key}: ")


@pytest.mark.parametrize(
    "address",
    [
        "https://www.zohoapis.eu",
        "https://www.zohoapis.eu/",
        "HTTPS://www.zohoapis.eu:8443",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://127.8.9.10:1",
        "http://[::1]:8080/",
    ],
)
def test_https_and_loopback_addresses_are_accepted(address: str) -> None:
    value = settings_of(f"zoho: {{api_url: '{address}'}}").zoho.api
    assert value.lower() == address.lower().rstrip("/")


@pytest.mark.parametrize("key", ["client_id", "client_secret", "refresh_token"])
@pytest.mark.parametrize("changes", [f"[{SECRET}, b]", f"{{{SECRET}: b}}"])
def test_an_invalid_secret_is_not_shown(key: str, changes: str) -> None:
    (problem,) = problems_of(f"zoho: {{{key}: {changes}}}")
    assert problem.startswith(f"batchlock-settings.yaml: zoho.{key}: ")
    assert SECRET not in problem


@pytest.mark.parametrize(
    "text",
    [
        f"zoho: {{refresh_tokn: {SECRET}}}",
        f"refresh_token: {SECRET}",
        f"zoho: {SECRET}",
        f"zoho: {{client_secret: {SECRET}, data_center: mars}}",
        f"zoho:\n  client_secret: {SECRET}\n  refresh_token: {SECRET}: x\n",
        f"zoho:\n  client_secret: '{SECRET}\n",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(text: str) -> None:
    assert SECRET not in "\n".join(problems_of(text))
