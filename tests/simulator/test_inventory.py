"""The inventory: its JSON, its control calls, and the generated one."""

from typing import Any

import orjson
import pytest
from support.inventories import (
    AUTOMATIC,
    FREE,
    LOCKED,
    LOCKED_ID,
    OTHERS,
    OTHERS_ID,
    RECORDS,
    leads,
    lock_of,
)
from support.simulator_client import SimulatorClient, run_script

from batchlock.simulator import parse_inventory_json, sample_inventory
from batchlock.simulator.inventory_json import content_of


def test_the_inventory_is_returned_as_it_is_read() -> None:
    async def script(client: SimulatorClient) -> None:
        content = (await client.control("GET", "inventory")).content
        assert content["complete"] == ["Leads"]
        assert parse_inventory_json(orjson.dumps(content)).records["Leads"][1].name == "Bo Locked"
        assert [record["id"] for record in content["records"]["Leads"]] == [
            FREE,
            LOCKED,
            AUTOMATIC,
            OTHERS,
        ]
        locked = content["records"]["Leads"][1]["lock"]
        assert locked == lock_of("22", source="Manual", rule=None)
        deals = (await client.control("GET", "inventory?module=Deals")).content
        assert deals["records"] == {"Deals": []}

    run_script(script, inventory=leads(complete=["Leads"]))


def test_the_inventory_shows_what_calls_changed() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.delete(LOCKED, LOCKED_ID)
        await client.post(FREE, reason="mine")
        records = (await client.control("GET", "inventory")).content["records"]["Leads"]
        assert records[0]["lock"]["reason"] == "mine"
        assert records[1]["lock"] is None

    run_script(script, inventory=leads())


def test_a_new_inventory_replaces_the_old_one() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.post(FREE)
        content = {"records": {"Deals": RECORDS}, "complete": True}
        assert (await client.control("POST", "inventory", content)).content == {
            "records": 4,
            "locked": 3,
        }
        state = (await client.control("GET", "state")).content
        assert (state["records"], state["locks"]) == (4, 0)
        assert (await client.get(FREE)).status == 400

    run_script(script, inventory=leads())


def test_a_changed_record_keeps_its_counts() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.put(LOCKED, LOCKED_ID)
        await client.put()
        changed = [
            {"id": LOCKED, "lock": lock_of("99", reason="by another")},
            {"id": "5843104000000425565", "lock": None},
        ]
        answer = await client.control("PATCH", "inventory", {"records": {"Leads": changed}})
        assert answer.content == {"records": 5, "locked": 3}
        assert (await client.get(LOCKED)).item["Locked_Reason__s"] == "by another"
        assert (await client.get()).status == 204
        locks = (await client.control("GET", "locks")).content
        assert [lock["updates"] for lock in locks.values()] == [1, 1]
        assert locks[f"Leads/{LOCKED}"]["reason"] == "by another"
        assert (await client.get(OTHERS)).item["id"] == OTHERS_ID

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ([], "the inventory: an object is expected"),
        ({"modules": {}}, "'modules' is unknown"),
        ({"records": []}, "records: an object is expected"),
        ({"records": {"leads": []}}, "'leads' is no API name"),
        ({"records": {"Leads": {}}}, "records.Leads: a list"),
        ({"records": {"Leads": [7]}}, "records.Leads[0]: an object is expected"),
        ({"records": {"Leads": [{"id": 7}]}}, "records.Leads[0].id: a text of 10 to 20 digits"),
        ({"records": {"Leads": [{"id": FREE, "lok": {}}]}}, "'lok' is unknown"),
        ({"records": {"Leads": [{"id": FREE, "name": 7}]}}, "[0].name: a text"),
        ({"records": {"Leads": [{"id": FREE, "lock": {"source": "Auto"}}]}}, "lock.source: Manual"),
        ({"records": {"Leads": [{"id": FREE, "lock": {"reason": 7}}]}}, "lock.reason: a text"),
        ({"records": {"Leads": [{"id": FREE, "lock": {"time": "now"}}]}}, "lock.time: a time"),
        ({"records": {"Leads": [{"id": FREE, "lock": {"time": "2025-01-01"}}]}}, "lock.time: a"),
        ({"records": {"Leads": [{"id": FREE, "lock": {"by": {"id": FREE}}}]}}, "by.name: a text"),
        ({"records": {"Leads": [{"id": FREE, "unlock_refusal": 7}]}}, "unlock_refusal: no_perm"),
        ({"complete": "Leads"}, "complete: true is expected, or a list"),
    ],
)
def test_a_wrong_inventory_is_refused_with_its_place(content: Any, error: str) -> None:
    async def script(client: SimulatorClient) -> None:
        for method in ("POST", "PATCH"):
            answer = await client.control(method, "inventory", content)
            assert answer.status == 400
            assert error in answer.content["error"]

    run_script(script)


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="this is no JSON"):
        parse_inventory_json(b"{")


def test_a_lock_needs_nothing_but_braces() -> None:
    (record,) = parse_inventory_json(
        orjson.dumps({"records": {"Leads": [{"id": FREE, "lock": {}}]}})
    ).records["Leads"]
    assert record.name == "Record 0011"
    assert (record.lock.lock_id, record.lock.reason) == ("990000000100999988", "Locked before")


def test_the_sample_has_the_documented_numbers() -> None:
    sample = sample_inventory(12_000)
    records = [record for module in sample.modules for record in sample.records_of(module)]
    locked = [record for record in records if record.lock.lock_id is not None]
    automatic = [record for record in locked if record.lock.is_automatic]
    assert (len(records), len(locked), len(automatic)) == (12_000, 4_000, 300)
    assert {len(sample.records_of(module)) for module in sample.modules} == {2_400}
    assert sample.is_complete("Visits")
    assert len({record.record_id for record in records}) == 12_000
    assert len({record.lock.lock_id for record in locked}) == 4_000
    assert {record.lock.reason for record in automatic} == {None}
    assert len({record.lock.origin.person for record in locked}) == 4


def test_the_sample_is_always_the_same() -> None:
    assert content_of(sample_inventory(50)) == content_of(sample_inventory(50))
    assert len(sample_inventory(0)) == 0
