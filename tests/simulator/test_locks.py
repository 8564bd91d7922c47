"""The five calls on locks."""

from hypothesis import given
from hypothesis import strategies as st
from support.simulator_client import KEY, LOCK, RECORD, SimulatorClient, run_script

from batchlock.simulator import DEFAULT_REASON, lock_id_of
from batchlock.simulator.records import Lock


def test_a_changed_reason_is_returned_by_the_next_get() -> None:
    async def script(client: SimulatorClient) -> None:
        response = await client.put(reason="für später 🔒")
        assert response.status == 200
        assert response.content == {
            "data": [
                {
                    "code": "SUCCESS",
                    "details": {"id": LOCK},
                    "message": "relation updated",
                    "status": "success",
                }
            ]
        }
        content = (await client.get()).content
        assert content["data"][0]["id"] == LOCK
        assert content["data"][0]["Locked_Reason__s"] == "für später 🔒"
        assert content["data"][0]["Locked_For__s"]["module"]["api_name"] == "Leads"
        assert content["info"]["count"] == 1
        assert (await client.get(lock_id=LOCK)).item["Locked_Reason__s"] == "für später 🔒"
        assert client.simulator.locks.by_record[KEY].updates == 1

    run_script(script)


def test_an_unchanged_record_is_locked() -> None:
    async def script(client: SimulatorClient) -> None:
        item = (await client.get()).item
        assert item["id"] == lock_id_of(RECORD) == "5843104000000574434"
        assert item["Locked_Reason__s"] == DEFAULT_REASON
        assert (await client.get(lock_id=LOCK)).item["id"] == LOCK
        assert client.simulator.locks.by_record == {}

    run_script(script)


@given(st.from_regex(r"[1-9][0-9]{9,19}", fullmatch=True))
def test_a_derived_lock_id_is_well_formed_and_reversible(record_id: str) -> None:
    lock_id = lock_id_of(record_id)
    assert len(lock_id) == len(record_id)
    assert lock_id.isdecimal()
    assert lock_id != record_id
    assert lock_id_of(lock_id) == record_id


def test_another_lock_id_is_refused_after_a_change() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.put()
        other = f"{LOCK[:-1]}6"
        for response in (await client.put(lock_id=other), await client.delete(lock_id=other)):
            assert (response.status, response.code) == (400, "INVALID_DATA")
            assert response.item["details"] == {"resource_path_index": 3}
        assert (await client.get(lock_id=other)).status == 204
        client.simulator.locks.by_record[KEY] = Lock(other, "changed")
        assert (await client.get()).item["Locked_Reason__s"] == "changed"

    run_script(script)


def test_a_record_can_be_unlocked_and_locked_again() -> None:
    async def script(client: SimulatorClient) -> None:
        locked = await client.post()
        assert (locked.status, locked.code) == (403, "NOT_ALLOWED")
        unlocked = await client.delete()
        assert (unlocked.status, unlocked.item["message"]) == (200, "relation removed")
        empty = await client.get()
        assert (empty.status, empty.body) == (204, b"")
        assert "Content-Type" not in empty.headers
        for refused in (await client.put(), await client.delete()):
            assert (refused.status, refused.item["message"]) == (400, "relation not found")
        added = await client.post()
        assert (added.status, added.item["message"]) == (201, "record added")
        lock_id = added.item["details"]["id"]
        assert (await client.get()).item["id"] == lock_id
        assert (await client.put(lock_id=lock_id)).status == 200

    run_script(script)


def test_a_get_returns_the_requested_fields() -> None:
    async def script(client: SimulatorClient) -> None:
        item = (await client.get(query="?fields=Locked_Reason__s,Lock_Source__s")).item
        assert set(item) == {"id", "Locked_Reason__s", "Lock_Source__s"}

    run_script(script)


def test_an_automatic_lock_has_no_reason_before_a_change() -> None:
    async def script(client: SimulatorClient) -> None:
        record = "990000000000000402"
        before = (await client.get(record)).item
        assert before["Locked_Reason__s"] is None
        assert before["Lock_Source__s"] == "Automatic"
        assert (await client.put(record)).status == 200
        after = (await client.get(record)).item
        assert (after["Locked_Reason__s"], after["Lock_Source__s"]) == ("new", "Both")

    run_script(script)


def test_a_record_that_is_not_locked_can_be_locked() -> None:
    async def script(client: SimulatorClient) -> None:
        record = "990000000000000401"
        assert (await client.get(record)).status == 204
        assert (await client.put(record)).item["message"] == "relation not found"
        assert (await client.post(record)).status == 201
        assert (await client.get(record)).item["Locked_Reason__s"] == "again"

    run_script(script)
