"""Several orgs in one stand-in: what belongs to each of them."""

import asyncio

import pytest
from support.many_orgs import Clients, run_with_orgs, sign_in_of
from support.simulator_client import RECORD, SimulatorClient, eventually, run_script

from batchlock.simulator import (
    Behaviour,
    Fault,
    Identity,
    Unlisted,
    lock_id_of,
    make_orgs,
    sample_inventory,
    sample_rows,
)

FIRST, SECOND = Identity(1, is_only=False), Identity(2, is_only=False)
RECORD_1 = FIRST.make_id(5_000_007)


def test_each_org_is_another_for_zoho() -> None:
    async def script(clients: Clients) -> None:
        for number in (1, 2):
            (org,) = (await clients[number].call("GET", "/crm/v7/org")).content["org"]
            assert (org["zgid"], org["company_name"]) == (
                f"99000000{number}",
                f"Rehearsal Ltd 00{number}",
            )

    run_with_orgs(script)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "client-003"}, "invalid_client"),
        ({"client_id": "any"}, "invalid_client"),
        ({"client_id": ""}, "invalid_client"),
        ({"client_secret": SECOND.client_secret}, "invalid_client_secret"),
        ({"refresh_token": SECOND.refresh_token}, "invalid_code"),
        ({"refresh_token": "revoked"}, "invalid_code"),
    ],
)
def test_a_sign_in_that_is_not_the_one_of_the_org_is_refused(
    changes: dict[str, str], error: str
) -> None:
    async def script(clients: Clients) -> None:
        answer = await clients[1].sign_in(**sign_in_of(FIRST) | changes)
        assert (answer.status, answer.content) == (200, {"error": error})

    run_with_orgs(script)


def test_the_magic_sign_ins_work_in_each_org() -> None:
    async def script(clients: Clients) -> None:
        await clients[2].sign_in(**sign_in_of(SECOND) | {"refresh_token": "scope_missing"})
        assert (await clients[2].put()).code == "OAUTH_SCOPE_MISMATCH"

    run_with_orgs(script)


def test_a_grant_code_gives_the_refresh_token_of_the_org() -> None:
    async def script(clients: Clients) -> None:
        form = {"grant_type": "authorization_code", "code": "once"}
        answer = await clients[2].sign_in(**sign_in_of(SECOND) | form)
        assert answer.content["refresh_token"] == "refresh-002"

    run_with_orgs(script)


def test_the_refresh_token_of_an_org_is_another_one_after_it_was_revoked() -> None:
    async def script(clients: Clients) -> None:
        path = "/oauth/v2/token/revoke"
        for token, status in (("refresh-002", 200), ("refresh-002", 400), ("any", 400)):
            assert (await clients[1].call("POST", path, params={"token": token})).status == status
        assert "error" in (await clients[2].sign_in(**sign_in_of(SECOND))).content
        form = {"grant_type": "authorization_code", "code": "once"}
        answer = await clients[2].sign_in(**sign_in_of(SECOND) | form)
        refresh_token = answer.content["refresh_token"]
        assert refresh_token != "refresh-002"
        sign_in = sign_in_of(SECOND) | {"refresh_token": refresh_token}
        assert "access_token" in (await clients[2].sign_in(**sign_in)).content
        assert (await clients[1].sign_in(**sign_in_of(FIRST))).status == 200

    run_with_orgs(script)


def test_the_access_token_decides_the_org() -> None:
    async def script(clients: Clients) -> None:
        await clients[1].put(reason="of the first")
        await clients[2].put(reason="of the second")
        for number, reason in ((1, "of the first"), (2, "of the second")):
            (lock,) = clients.orgs.by_number[number].locks.by_record.values()
            assert (lock.reason, lock.updates) == (reason, 1)

    run_with_orgs(script)


def test_a_changed_token_is_refused_by_its_org_alone() -> None:
    async def script(clients: Clients) -> None:
        clients[1].authorization += "0"
        assert (await clients[1].put()).code == "INVALID_TOKEN"
        first, second = clients.orgs
        assert (first.ledger.answers, second.ledger.api_calls) == ({"401": 1}, 0)
        assert clients.orgs.unknown_tokens == 0

    run_with_orgs(script)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken 1000.00000003aaaa.bbbb", "INVALID_TOKEN"),
        ("Zoho-oauthtoken x", "INVALID_TOKEN"),
    ],
)
def test_a_call_without_the_token_of_an_org_belongs_to_none(authorization: str, code: str) -> None:
    async def script(clients: Clients) -> None:
        clients[1].authorization = authorization
        answer = await clients[1].put()
        assert (answer.status, answer.code) == (401, code)
        assert clients.orgs.unknown_tokens == 1
        assert [org.ledger.api_calls for org in clients.orgs] == [0, 0]

    run_with_orgs(script)


def test_no_org_has_the_records_of_another() -> None:
    async def script(clients: Clients) -> None:
        lock_id = lock_id_of(RECORD_1)
        assert (await clients[1].put(RECORD_1, lock_id)).status == 200
        answer = await clients[2].put(RECORD_1, lock_id)
        assert answer.code == "INVALID_DATA"
        assert answer.content["details"] == {"resource_path_index": 1}
        assert (await clients[2].get(RECORD_1)).code == "INVALID_DATA"
        # Ids of a real org and magic ids are known in each org.
        assert (await clients[2].put(RECORD)).status == 200
        assert (await clients[2].put("990000000000000201")).code == "INTERNAL_ERROR"

    run_with_orgs(script)


def test_an_only_org_takes_the_records_and_the_sign_in_of_any() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.sign_in(**sign_in_of(SECOND))
        assert (await client.put(RECORD_1, lock_id_of(RECORD_1))).status == 200
        assert client.simulator.behaviour == Behaviour()

    run_script(script)


def test_new_locks_have_ids_of_their_org() -> None:
    async def script(clients: Clients) -> None:
        for number in (1, 2):
            record_id = Identity(number, is_only=False).make_id(5)
            answer = await clients[number].post(record_id)
            assert answer.item["details"]["id"] == f"990000{number}00000100001"

    run_with_orgs(script, 2, Behaviour(unlisted=Unlisted.UNLOCKED))


def test_the_cap_of_one_org_leaves_the_others_alone() -> None:
    async def script(clients: Clients) -> None:
        first, second = clients.orgs
        await clients.control("POST", "orgs/1/behaviour", {"faults": {"hang": 1}})
        async with asyncio.TaskGroup() as group:
            hanging = group.create_task(clients[1].put())
            await eventually(lambda: first.ledger.in_flight == 1)
            assert (await clients[1].put()).status == 429
            assert (await clients[2].put()).status == 200
            hanging.cancel()
        await eventually(lambda: first.ledger.in_flight == 0)
        assert (first.ledger.over_cap, second.ledger.over_cap) == (1, 0)
        assert (first.ledger.in_flight_peak, second.ledger.in_flight_peak) == (2, 1)

    run_with_orgs(script, 2, Behaviour(in_flight_cap=1))


def test_each_org_spends_its_own_credits() -> None:
    async def script(clients: Clients) -> None:
        assert [(await clients[1].put()).status for _ in range(3)] == [200, 200, 429]
        assert (await clients[2].put()).status == 200

    run_with_orgs(script, 2, Behaviour(credits=2))


def test_each_org_has_other_faults_of_the_same_seed() -> None:
    async def script(clients: Clients) -> None:
        first, second = [
            [(await clients[number].put()).status for _ in range(20)] for number in (1, 2)
        ]
        assert first != second

    run_with_orgs(script, 2, Behaviour(faults={Fault.SERVER_ERROR: 0.5}, seed=7))


def test_each_org_has_its_own_copy_of_generated_records() -> None:
    orgs = make_orgs(2, inventory_of=lambda identity: sample_inventory(10, identity))
    first, second = orgs
    ids = [record.record_id for record in first.locks.inventory.records_of("Leads")]
    others = [record.record_id for record in second.locks.inventory.records_of("Leads")]
    assert [id_[7:] for id_ in ids] == [id_[7:] for id_ in others]
    assert (ids[0][:7], others[0][:7]) == ("9900001", "9900002")


def test_every_row_of_a_sample_is_done_by_its_org_alone() -> None:
    async def script(clients: Clients) -> None:
        for row in sample_rows(SECOND, 6):
            more = {"module": row.module, "reason": row.reason}
            assert (await clients[2].put(row.record_id, row.lock_id, **more)).status == 200
            assert (await clients[1].put(row.record_id, row.lock_id, **more)).status == 400
        assert len(clients.orgs.by_number[2].locks.by_record) == 6

    run_with_orgs(script)


@pytest.mark.parametrize(
    ("count", "org_id", "error"),
    [(0, "1", "1 to 999: 0"), (1000, "1", "1 to 999: 1000"), (2, "x1", "org_id is a number: x1")],
)
def test_orgs_that_cannot_be_made_are_refused(count: int, org_id: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        make_orgs(count, Behaviour(org_id=org_id))


def test_the_last_org_has_ids_and_tokens_of_its_own() -> None:
    last = make_orgs(999).by_number[999].identity
    assert last.make_id(1) == "990099900000000001"
    assert (last.client_id, last.token_digits) == ("client-999", "000003e7")
