"""POST and DELETE on the records of an inventory, and what the stand-in records of them."""

from datetime import datetime
from typing import Any

import aiohttp
import pytest
from support.inventories import (
    ASHA,
    AUTOMATIC,
    AUTOMATIC_ID,
    FREE,
    LOCKED,
    LOCKED_ID,
    OTHERS,
    OTHERS_ID,
    RULE,
    TIME,
    leads,
    lock_of,
)
from support.simulator_client import SimulatorClient, run_script

from batchlock.simulator import Behaviour, Fault, Unlisted


def test_a_new_lock_is_the_one_of_the_signed_in_user() -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.get(FREE)).status == 204
        added = await client.post(FREE, reason="signed")
        details = added.item["details"]
        assert (added.status, added.item["message"]) == (201, "record added")
        assert details["Created_By"]["name"] == "Rehearsal User"
        item = (await client.get(FREE)).item
        assert item["id"] == details["id"]
        assert item["Locked_Reason__s"] == "signed"
        assert item["Lock_Source__s"] == "Manual"
        assert item["Locked_By__s"] == details["Created_By"]
        assert item["Locked_Time__s"] == details["Created_Time"]
        assert datetime.fromisoformat(item["Locked_Time__s"]).tzinfo is not None

    run_script(script, inventory=leads())


def test_a_get_shows_person_time_and_source_of_a_lock() -> None:
    async def script(client: SimulatorClient) -> None:
        item = (await client.get(AUTOMATIC)).item
        assert item["Locked_For__s"]["name"] == "Cy Automatic"
        assert (item["id"], item["Locked_Reason__s"]) == (AUTOMATIC_ID, None)
        assert (item["Lock_Source__s"], item["Locked_Time__s"]) == ("Automatic", TIME)
        assert item["Locked_By__s"] == ASHA
        fields = "?fields=Record_Locking_Rule_Id__s"
        assert (await client.get(AUTOMATIC, query=fields)).item == {
            "id": AUTOMATIC_ID,
            "Record_Locking_Rule_Id__s": RULE["id"],
        }
        assert (await client.get(LOCKED, query=fields)).item["Record_Locking_Rule_Id__s"] is None

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    ("record", "status", "code", "message", "index"),
    [
        ({"lock": lock_of("22")}, 403, "NOT_ALLOWED", "record is already locked", 1),
        (
            {"lock_refusal": "only_automatic"},
            403,
            "NOT_ALLOWED",
            "record cannot be locked, only automatic locking is configured",
            None,
        ),
        (
            {"lock_refusal": "not_configured"},
            400,
            "NOT_ALLOWED",
            "Required Record Locking Configuration is not present",
            2,
        ),
        (
            {"lock_refusal": "no_permission"},
            403,
            "NO_PERMISSION",
            "You do not have permission to lock this record",
            None,
        ),
    ],
)
def test_a_record_that_cannot_be_locked_says_why(
    record: dict[str, Any], status: int, code: str, message: str, index: int | None
) -> None:
    async def script(client: SimulatorClient) -> None:
        refused = await client.post(FREE)
        assert (refused.status, refused.code) == (status, code)
        assert refused.item["message"] == message
        assert refused.item["details"].get("resource_path_index") == index
        assert client.simulator.locks.by_record == {}

    run_script(script, inventory=leads({"id": FREE, **record}))


@pytest.mark.parametrize(
    ("record_id", "lock_id", "status", "code", "message", "index"),
    [
        (FREE, LOCKED_ID, 400, "INVALID_DATA", "relation not found", 3),
        (LOCKED, OTHERS_ID, 400, "INVALID_DATA", "relation not found", 3),
        (
            AUTOMATIC,
            AUTOMATIC_ID,
            403,
            "NOT_ALLOWED",
            "Automatically locked records can not be unlocked manually",
            None,
        ),
        (
            OTHERS,
            OTHERS_ID,
            403,
            "NO_PERMISSION",
            "You do not have permission to unlock this record",
            None,
        ),
    ],
)
def test_a_lock_that_cannot_be_removed_says_why(
    record_id: str, lock_id: str, status: int, code: str, message: str, index: int | None
) -> None:
    async def script(client: SimulatorClient) -> None:
        before = (await client.get(record_id)).body
        refused = await client.delete(record_id, lock_id)
        assert (refused.status, refused.code) == (status, code)
        assert refused.item["message"] == message
        assert refused.item["details"].get("resource_path_index") == index
        assert (await client.get(record_id)).body == before

    run_script(script, inventory=leads())


def test_an_updated_automatic_lock_cannot_be_removed_either() -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.put(AUTOMATIC, AUTOMATIC_ID)).status == 200
        assert (await client.get(AUTOMATIC)).item["Lock_Source__s"] == "Both"
        assert (await client.delete(AUTOMATIC, AUTOMATIC_ID)).status == 403

    run_script(script, inventory=leads())


def test_a_complete_module_has_no_other_records() -> None:
    async def script(client: SimulatorClient) -> None:
        for answer in (
            await client.get(),
            await client.put(),
            await client.post(),
            await client.delete(),
        ):
            assert (answer.status, answer.code) == (400, "INVALID_DATA")
            assert answer.item["details"] == {"resource_path_index": 1}
        assert (await client.put(module="Deals")).status == 200
        assert (await client.put("990000000000000101")).code == "MANDATORY_NOT_FOUND"
        assert (await client.get("990000000000000402")).item["Lock_Source__s"] == "Automatic"

    run_script(script, inventory=leads(complete=["Leads"]))


@pytest.mark.parametrize(
    ("unlisted", "first_get", "first_post", "first_put"),
    [
        (Unlisted.LOCKED, 200, 403, 200),
        (Unlisted.UNLOCKED, 204, 201, 400),
        (Unlisted.EITHER, 200, 201, 200),
    ],
)
def test_the_first_state_of_unlisted_records_can_be_chosen(
    unlisted: Unlisted, first_get: int, first_post: int, first_put: int
) -> None:
    async def script(client: SimulatorClient) -> None:
        record, other = "5843104000000425565", "5843104000000425566"
        assert (await client.get(record)).status == first_get
        assert (await client.post(record)).status == first_post
        assert (await client.put(other)).status == first_put
        assert (await client.get(record)).status == 200
        assert (await client.post(record)).status == 403
        # What the inventory or a magic id says stays as it is.
        assert (await client.post(LOCKED)).status == 403
        assert (await client.post("990000000000000402")).status == 403

    run_script(script, Behaviour(unlisted=unlisted), inventory=leads())


def test_the_changes_of_each_record_are_counted() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.put(LOCKED, LOCKED_ID, reason="one")
        await client.delete(LOCKED, LOCKED_ID)
        lock_id = (await client.post(LOCKED, reason="two")).item["details"]["id"]
        await client.delete(FREE, LOCKED_ID)
        assert (await client.control("GET", "locks")).content == {
            f"Leads/{LOCKED}": {
                "lock_id": lock_id,
                "reason": "two",
                "updates": 1,
                "locks": 1,
                "unlocks": 1,
            }
        }
        state = (await client.control("GET", "state")).content
        assert (state["updates"], state["locked"], state["unlocked"]) == (1, 1, 1)

    run_script(script, inventory=leads())


@pytest.mark.parametrize("fault", [Fault.DROPPED_AFTER, Fault.CUT_CONNECTION, Fault.CUT_BODY])
def test_a_lost_answer_leaves_the_change_made(fault: Fault) -> None:
    async def script(client: SimulatorClient) -> None:
        for call in (client.delete(LOCKED, LOCKED_ID), client.post(FREE)):
            if fault is Fault.CUT_BODY:
                assert not (await call).body.endswith(b"}")
            else:
                with pytest.raises(aiohttp.ClientError):
                    await call
        await client.control("POST", "behaviour", {"faults": {}})
        assert (await client.get(LOCKED)).status == 204
        assert (await client.post(FREE)).item["message"] == "record is already locked"
        state = client.simulator.state()
        assert (state["locked"], state["unlocked"]) == (1, 1)

    run_script(script, Behaviour(faults={fault: 1.0}), inventory=leads())


def test_a_call_that_never_arrived_changes_nothing() -> None:
    async def script(client: SimulatorClient) -> None:
        for call in (client.delete(LOCKED, LOCKED_ID), client.post(FREE)):
            with pytest.raises(aiohttp.ClientError):
                await call
        assert client.simulator.locks.by_record == {}

    run_script(script, Behaviour(faults={Fault.DROPPED_BEFORE: 1.0}), inventory=leads())
