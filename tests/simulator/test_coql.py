"""Queries in COQL."""

from typing import Any

import pytest
from support.inventories import AUTOMATIC, FREE, LOCKED, OTHERS, leads
from support.simulator_client import Response, SimulatorClient, run_script

from batchlock.simulator import Behaviour, sample_inventory

QUERY = "select id, Full_Name from Leads where Locked__s = true"


def ids(response: Response) -> list[str]:
    return [item["id"] for item in response.content["data"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (QUERY, [LOCKED, AUTOMATIC, OTHERS]),
        (f"{QUERY} order by id asc", [LOCKED, AUTOMATIC, OTHERS]),
        (f"{QUERY} order by id desc limit 2", [OTHERS, AUTOMATIC]),
        (f"{QUERY} and id > {LOCKED} order by id", [AUTOMATIC, OTHERS]),
        (f"{QUERY} limit 1 offset 1", [AUTOMATIC]),
        ("SELECT id FROM Leads WHERE (Locked__s = 'true' AND id <= 990000000100000033)",
         [LOCKED, AUTOMATIC]),
        ("select id from Leads where Locked__s != true", [FREE]),
        (f"select id from Leads where ((Locked__s = true and id > {FREE}) and id < '{OTHERS}')",
         [LOCKED, AUTOMATIC]),
        (f"select id from Leads where id = {FREE}", [FREE]),
        (f"select id from Leads where id >= {AUTOMATIC}", [AUTOMATIC, OTHERS]),
    ],
)  # fmt: skip
def test_a_query_selects_records(text: str, expected: list[str]) -> None:
    async def script(client: SimulatorClient) -> None:
        assert ids(await client.query(text)) == expected

    run_script(script, inventory=leads())


def test_a_query_returns_its_columns_and_whether_there_is_more() -> None:
    async def script(client: SimulatorClient) -> None:
        content = (await client.query(f"{QUERY} limit 2")).content
        assert content["data"][0] == {"id": LOCKED, "Full_Name": "Bo Locked"}
        assert content["info"] == {"count": 2, "more_records": True}
        none = await client.query(f"{QUERY} and id > {OTHERS}")
        assert (none.status, none.body) == (204, b"")

    run_script(script, inventory=leads())


def test_a_page_follows_the_last_id() -> None:
    async def script(client: SimulatorClient) -> None:
        seen: list[str] = []
        last = "0"
        query = "select id from Leads where (Locked__s = true and id > {}) order by id limit 300"
        while (answer := await client.query(query.format(last))).status == 200:
            seen += ids(answer)
            last = seen[-1]
        records = client.simulator.locks.inventory.records_of("Leads")
        assert seen == [one.record_id for one in records if one.lock.lock_id is not None]
        assert len(seen) > 300

    run_script(script, inventory=sample_inventory(5_000))


@pytest.mark.parametrize(("limit", "cost"), [(200, 1), (201, 2), (1000, 2), (1001, 3), (2000, 3)])
def test_the_limit_decides_what_a_query_costs(limit: int, cost: int) -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.query(f"{QUERY} limit {limit}")).status == 200
        state = (await client.control("GET", "state")).content
        assert state["credits_by_kind"] == {"coql": cost}
        assert state["calls"]["coql"] == 1

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        (f"{QUERY} limit 2001", "LIMIT_EXCEEDED", {"by": "limit", "limit": 2000}),
        (f"{QUERY} limit 1 offset 100000", "LIMIT_EXCEEDED", {"by": "offset", "limit": 100_000}),
        (
            f"select {', '.join(['id'] * 51)} from Leads where id > 1",
            "LIMIT_EXCEEDED",
            {"by": "select", "limit": 50},
        ),
        ("select id, Foo from Leads where id > 1", "INVALID_QUERY", {"column_name": "Foo"}),
        ("select id from Leads where Foo = 1", "INVALID_QUERY", {"column_name": "Foo"}),
        ("select id from leads where id > 1", "INVALID_MODULE", {"module": "leads"}),
        ("select id from Leads", "SYNTAX_ERROR", {"clause": "where"}),
    ],
)
def test_a_query_beyond_limits_or_fields_is_refused(
    text: str, code: str, details: dict[str, Any]
) -> None:
    async def script(client: SimulatorClient) -> None:
        refused = await client.query(text)
        assert (refused.status, refused.code) == (400, code)
        assert refused.content["details"] == details

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("update Leads", "update Leads"),
        ("select from Leads where id > 1", "from Leads where id"),
        (f"{QUERY} and id > 1 and id < 9", "and id < 9"),
        (f"{QUERY} limit 5, 10", ", 10"),
        (f"{QUERY} limit many", "many"),
        (f"{QUERY} order by Full_Name", "Full_Name"),
        ("select id from Leads where Locked__s > true", "> true"),
        ("select id from Leads where Locked__s = 1", "1"),
        ("select id from Leads where (id > 1", ""),
        ("select id from Leads where id ; 1", "; 1"),
        ("select id from Leads where Full_Name = 'Bo Locked'", "Full_Name"),
    ],
)
def test_a_wrong_query_says_near_what(text: str, near: str) -> None:
    async def script(client: SimulatorClient) -> None:
        refused = await client.query(text)
        assert (refused.status, refused.code) == (400, "SYNTAX_ERROR")
        assert refused.content["details"]["near"] == near

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "INVALID_DATA"), (b"[]", "MANDATORY_NOT_FOUND"), (b"{}", "MANDATORY_NOT_FOUND")],
)
def test_a_body_without_a_query_is_refused(body: bytes, code: str) -> None:
    async def script(client: SimulatorClient) -> None:
        refused = await client.call("POST", "/crm/v8/coql", data=body)
        assert (refused.status, refused.code) == (400, code)

    run_script(script)


def test_only_post_queries() -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.call("GET", "/crm/v8/coql")).code == "INVALID_REQUEST_METHOD"

    run_script(script)


def test_coql_may_not_know_the_field_of_locks() -> None:
    async def script(client: SimulatorClient) -> None:
        for text in (QUERY, "select id, Locked__s from Leads where id > 1"):
            refused = await client.query(text)
            assert (refused.status, refused.code) == (400, "INVALID_QUERY")
            assert refused.content["details"] == {"column_name": "Locked__s"}
        assert (await client.query("select id from Leads where id > 1")).status == 200

    run_script(script, Behaviour(coql_locked=False), inventory=leads())
