"""What the options of `batchlock simulate` become."""

from pathlib import Path

import pytest
from support.zoho import Start, parsed

from batchlock.core.errors import UsageError
from batchlock.simulator import Behaviour, Composite, Edition, OrgType, Unlisted, sample_inventory
from batchlock.simulator.inventory_json import content_of


def test_the_options_become_the_behaviour() -> None:
    behaviour, inventory = parsed(
        *("--edition", "zohooneenterprise", "--users", 3, "--org-type", "sandbox"),
        *("--org-id", "42", "--company-name", "Zylker", "--time-zone", "Asia/Kolkata"),
        *("--unlisted", "either"),
        *("--in-flight-cap", "edition", "--credits", "edition", "--scopes", "ZohoCRM.org.READ, B"),
        *("--api-host", "localhost", "--no-coql-locked", "--no-locked-view"),
        *("--composite", "no_post", "--composite-lost-after", 2, "--composite-lost-at", "1,3"),
    )
    assert behaviour == Behaviour(
        edition=Edition.ZOHO_ONE_ENTERPRISE,
        users=3,
        org_type=OrgType.SANDBOX,
        org_id="42",
        company_name="Zylker",
        time_zone="Asia/Kolkata",
        unlisted=Unlisted.EITHER,
        credits="edition",
        scopes=frozenset({"ZohoCRM.org.READ", "B"}),
        api_host="localhost",
        coql_locked=False,
        locked_view=False,
        composite=Composite.NO_POST,
        composite_lost_after=2,
        composite_lost_at=frozenset({1, 3}),
    )
    assert inventory is None


def test_no_option_is_the_default_behaviour() -> None:
    assert parsed() == (Behaviour(), None)
    assert parsed("--in-flight-cap", "none")[0] == Behaviour(in_flight_cap=None)


def test_an_inventory_is_generated_or_read_from_a_file() -> None:
    _, generated = parsed("--inventory-size", 40)
    assert generated is not None
    assert content_of(generated) == content_of(sample_inventory(40))
    Path("records.json").write_text('{"records": {"Deals": [{"id": "5843104000000425565"}]}}')
    _, from_file = parsed("--inventory", "records.json")
    assert from_file is not None
    assert [one.record_id for one in from_file.records_of("Deals")] == ["5843104000000425565"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--edition", "premium"), "--edition premium: it is one of free, "),
        (("--org-type", "test"), "--org-type test: it is one of production, "),
        (("--composite", "some"), "--composite some: it is one of all, "),
        (("--unlisted", "some"), "--unlisted some: it is one of locked, "),
        (("--credits", "many"), "--credits many: it is a number, or edition"),
        (("--in-flight-cap", "many"), "--in-flight-cap many: it is a number, edition or none"),
        (("--composite-lost-at", "x"), "--composite-lost-at x: these are numbers"),
        (("--users", "0"), "The stand-in cannot do that: users counts from 1: 0"),
        (("--inventory", "none.json"), "none.json cannot be read"),
        (("--inventory", "bad.json"), "bad.json: records.Leads[0].id: a text of 10 to 20 digits"),
        (("--inventory", "a.json", "--inventory-size", "1"), "cannot be combined"),
    ],
)
def test_a_wrong_value_is_named(options: tuple[str, ...], message: str) -> None:
    Path("bad.json").write_text('{"records": {"Leads": [{"id": 7}]}}')
    with pytest.raises(UsageError) as caught:
        parsed(*options)
    assert message in str(caught.value)


def test_a_stand_in_of_a_test_has_the_records_of_its_options(stand_in: Start) -> None:
    zoho = stand_in("--inventory-size", 10)
    records = zoho.inventory("Deals")
    assert len(records) == 2
    changed = [{"id": records[0]["id"], "name": "New"}]
    assert (
        zoho.change("inventory", {"records": {"Deals": changed}}, method="PATCH")["records"] == 10
    )
    assert zoho.inventory("Deals")[0]["name"] == "New"
    assert zoho.change("behaviour", {"edition": "free"})["edition"] == "free"
