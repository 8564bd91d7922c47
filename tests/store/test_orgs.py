"""The orgs in the store: what Zoho has said about each, what a person has, and their secrets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pydantic import SecretStr

from batchlock.core.errors import UsageError
from batchlock.core.org import OrgFacts, OrgModule, StoredOrg
from batchlock.store import migrations
from batchlock.store.sealing import SealingKeys, UnknownKey
from batchlock.store.store import Store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FACTS = OrgFacts(
    org_id="990000000000000001",
    zgid="990000000",
    company_name="Åcme",
    org_type="production",
    edition="enterprise",
    users=20,
    in_flight_cap=20,
    day_credits=70_000,
    modules=(OrgModule(api_name="Deals", plural_label="商談"), OrgModule(api_name="Visits")),
    asked_at=NOW,
    modules_asked_at=NOW,
)


def test_facts_are_stored_by_org_beside_its_lock(store: Store) -> None:
    assert store.orgs.facts("acme") is None
    store.orgs.set_holder("acme", "run 1")
    assert store.orgs.facts("acme") is None
    store.orgs.save_facts("acme", "me", FACTS)
    store.orgs.set_holder("acme", None)
    assert store.orgs.facts("acme") == FACTS
    assert store.orgs.facts("other") is None
    newer = replace(FACTS, modules=None, modules_asked_at=None)
    store.orgs.save_facts("acme", "me", newer)
    assert store.orgs.facts("acme") == newer


def test_facts_for_another_sign_in_do_not_count(store: Store) -> None:
    store.orgs.save_facts("acme", "me", FACTS)
    assert store.orgs.facts("acme", "me") == FACTS
    assert store.orgs.facts("acme", "somebody else") is None


@pytest.mark.parametrize("content", ["[]", "{}", '"x"', '{"modules": 3}'])
def test_facts_of_another_version_count_as_none(embedded_store: Store, content: str) -> None:
    embedded_store.orgs.save_facts("acme", "me", FACTS)
    engine = sa.create_engine(f"sqlite:///{embedded_store.state / 'store.sqlite'}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE orgs SET facts = :content"), {"content": content})
    engine.dispose()
    assert embedded_store.orgs.facts("acme") is None


def test_facts_are_fresh_for_a_day() -> None:
    for passed, is_fresh in ((0, True), (23.9, True), (24.1, False), (-1, False)):
        now = NOW + timedelta(hours=passed)
        assert (FACTS.is_fresh(now), FACTS.has_fresh_modules(now)) == (is_fresh, is_fresh)
    assert not OrgFacts().is_fresh(NOW)


def test_a_store_from_before_keeps_its_orgs(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = sa.create_engine(f"sqlite:///{state / 'store.sqlite'}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(sa.text("INSERT INTO orgs VALUES ('acme', '\"run 1\"', 42)"))
    engine.dispose()
    with Store(state) as store:
        assert store.orgs.holder("acme") == "run 1, process 42"
        assert store.orgs.facts("acme") is None
        store.orgs.save_facts("acme", "me", FACTS)
        assert store.orgs.facts("acme", "me") == FACTS


KEYS = SealingKeys([b"a" * 32])
NEW_KEYS = SealingKeys([b"b" * 32, b"a" * 32])
ACME = StoredOrg(
    name="acme",
    data_center="eu",
    environment="sandbox",
    api_url="https://eu.example.com",
    settings={"limits": {"max_in_flight": "7"}},
)


def add(store: Store, org: StoredOrg, token: str) -> None:
    sealed = KEYS.seal(org.name, "refresh_token", SecretStr(token))
    store.orgs.put([org], {org.name: {"refresh_token": sealed}})


def token_of(store: Store, org: str, keys: SealingKeys = KEYS) -> str:
    return store.orgs.secrets(org, keys)["refresh_token"].get_secret_value()


def test_an_org_is_stored_with_its_secrets(store: Store) -> None:
    store.orgs.save_facts("only-runs", "me", FACTS)
    assert not store.orgs.has_secrets()
    add(store, replace(ACME, name="beta"), "of beta")
    add(store, ACME, "of acme")
    store.orgs.save_facts("acme", "me", FACTS)
    stored = store.orgs.get("acme")
    assert stored is not None
    assert stored.added_at is not None
    assert replace(stored, added_at=None) == replace(ACME, facts=FACTS)
    assert [org.name for org in store.orgs.all()] == ["acme", "beta"]
    assert store.orgs.get("only-runs") is None
    assert (token_of(store, "acme"), token_of(store, "beta")) == ("of acme", "of beta")
    assert store.orgs.has_secrets()


def test_an_org_that_is_put_again_keeps_its_date_and_stays_disabled(store: Store) -> None:
    add(store, ACME, "old")
    before = store.orgs.get("acme")
    assert store.orgs.set_disabled("acme", disabled=True)
    add(store, replace(ACME, api_url=None, settings={}), "new")
    after = store.orgs.get("acme")
    assert before is not None
    assert after == replace(before, api_url=None, settings={}, disabled=True)
    assert token_of(store, "acme") == "new"
    assert not store.orgs.set_disabled("other", disabled=True)


def test_a_removed_org_leaves_nothing_but_its_row(store: Store) -> None:
    add(store, ACME, "old")
    store.orgs.set_disabled("acme", disabled=True)
    store.orgs.remove("acme")
    assert (store.orgs.get("acme"), store.orgs.all()) == (None, [])
    assert store.orgs.secrets("acme", KEYS) == {}
    store.orgs.put([ACME])
    added = store.orgs.get("acme")
    assert added is not None
    assert not added.disabled


def test_all_secrets_are_sealed_anew_or_none(store: Store) -> None:
    add(store, ACME, "of acme")
    add(store, replace(ACME, name="beta"), "of beta")
    assert store.orgs.reseal(NEW_KEYS) == 2
    only_new = SealingKeys([b"b" * 32])
    assert (token_of(store, "acme", only_new), token_of(store, "beta", only_new)) == (
        "of acme",
        "of beta",
    )
    with pytest.raises(UnknownKey):
        store.orgs.secrets("acme", KEYS)
    store.orgs.put(
        [], {"beta": {"refresh_token": KEYS.seal("other", "refresh_token", SecretStr("x"))}}
    )
    with pytest.raises(UsageError, match="of the org beta is damaged"):
        store.orgs.reseal(NEW_KEYS)
    with pytest.raises(UnknownKey):
        store.orgs.secrets("beta", only_new)


def test_what_a_run_has_found_is_stored_by_org(store: Store) -> None:
    add(store, ACME, "token")
    pace = store.orgs.column("acme", "pace")
    assert pace.read() == {}
    pace.write({"refused": 11})
    store.orgs.save_credits("acme", 4_000, NOW)
    assert pace.read() == {"refused": 11}
    assert store.orgs.column("acme", "composite").read() == {}
    assert store.orgs.column("other", "pace").read() == {}
    stored = store.orgs.get("acme")
    assert stored is not None
    assert (stored.credits_left, stored.credits_at) == (4_000, NOW)
    pace.write({})
    assert pace.read() == {}
