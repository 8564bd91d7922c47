"""What Zoho has said about an org, in the store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from batchlock.core.org import OrgFacts, OrgModule
from batchlock.store import migrations
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
