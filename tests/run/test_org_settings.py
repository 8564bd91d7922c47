"""The settings of an org of the store, in place of those of the configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.settings import SECRET, settings_of

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.core.org import StoredOrg
from batchlock.org_settings import keys_for_new_secrets, settings_of_org
from batchlock.store.sealing import new_key
from batchlock.store.store import Store
from batchlock.zoho.credentials import load_credentials

CONFIGURATION = """
org: main
state_directory: state
zoho: {data_center: jp, api_url: 'https://main.example.com', client_secret_file: of-main,
       organization_id: 42}
limits: {max_in_flight: 20, keep_credits: 100}
"""
ACME = StoredOrg(
    name="acme",
    data_center="eu",
    environment="sandbox",
    settings={"limits": {"max_in_flight": "7"}, "stop": {"max_runtime": "2h"}},
)


@pytest.fixture
def settings() -> Settings:
    return settings_of(CONFIGURATION)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store(settings.state) as store:
        add(store, settings, ACME)
        yield store


def add(store: Store, settings: Settings, org: StoredOrg) -> None:
    keys = keys_for_new_secrets(settings, store)
    secrets = {"client_id": "id", "client_secret": SECRET, "refresh_token": SECRET}
    sealed = {name: keys.seal(org.name, name, SecretStr(text)) for name, text in secrets.items()}
    store.orgs.put([org], {org.name: sealed})


def test_the_settings_of_an_org_replace_those_of_the_configuration(
    settings: Settings, store: Store
) -> None:
    of_org = settings_of_org(settings, store, "acme")
    assert of_org.org == "acme"
    assert (of_org.zoho.data_center, of_org.zoho.environment) == ("eu", "sandbox")
    assert of_org.zoho.api == "https://sandbox.zohoapis.eu"
    assert of_org.zoho.organization_id is None
    assert (of_org.limits.max_in_flight, of_org.limits.keep_credits) == (7, 100)
    assert of_org.stop.max_runtime == 7200
    assert of_org.state == settings.state
    credentials = load_credentials(of_org.zoho, of_org.network, "acme")
    assert (credentials.org, credentials.client_id) == ("acme", "id")
    assert credentials.refresh_token.get_secret_value() == SECRET
    assert SECRET not in repr(of_org)


def test_the_org_of_the_configuration_needs_no_record(settings: Settings, store: Store) -> None:
    assert settings_of_org(settings, store, "main") is settings


def test_an_unknown_org_is_refused_with_the_nearest_names_first(
    settings: Settings, store: Store
) -> None:
    add(store, settings, StoredOrg(name="zebra", data_center="us", environment="production"))
    with pytest.raises(UsageError, match=r"no org acne\. Known are acme, "):
        settings_of_org(settings, store, "acne")


def test_a_disabled_org_is_refused_unless_nothing_is_sent(settings: Settings, store: Store) -> None:
    store.orgs.set_disabled("acme", disabled=True)
    with pytest.raises(UsageError, match="disabled"):
        settings_of_org(settings, store, "acme")
    assert settings_of_org(settings, store, "acme", to_send=False).zoho.client_secret is None


def test_a_key_that_is_gone_is_named_and_not_replaced(settings: Settings, store: Store) -> None:
    key_file = settings.state / "secrets.key"
    content = key_file.read_text()
    # A key that was added while this process runs is found.
    key_file.write_text(f"{new_key()} {content}")
    add(store, settings, StoredOrg(name="beta", data_center="us", environment="production"))
    key_file.write_text(content)
    with pytest.raises(UsageError, match="client_id of the org beta was sealed with the key"):
        settings_of_org(settings, store, "beta")
    key_file.unlink()
    with pytest.raises(UsageError, match=r"is missing: .*secrets\.key"):
        keys_for_new_secrets(settings, store)
    assert not key_file.exists()


def test_a_server_needs_the_key_in_the_settings(
    settings: Settings, database_url: str, tmp_path: Path
) -> None:
    with Store(tmp_path, database_url) as store:
        with pytest.raises(UsageError, match="orgs new-key"):
            keys_for_new_secrets(settings, store)
        keyed = settings_of(f"state_directory: state\nsecrets: {{key: '{new_key()}'}}")
        add(store, keyed, ACME)
        assert settings_of_org(keyed, store, "acme").zoho.client_id == "id"


def test_a_setting_that_this_version_refuses_is_named_with_its_org(
    settings: Settings, store: Store
) -> None:
    add(
        store,
        settings,
        StoredOrg(
            name="odd",
            data_center="xy",
            environment="production",
            settings={"limits": {"most": 1, "max_in_flight": "0"}},
        ),
    )
    with pytest.raises(UsageError) as error:
        settings_of_org(settings, store, "odd")
    problems = str(error.value).splitlines()
    assert len(problems) == 3
    assert all(problem.startswith("The org odd: ") for problem in problems)
