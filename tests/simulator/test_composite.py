"""Composite calls: several calls in one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest
from support import simulator_client
from support.inventories import AUTOMATIC, AUTOMATIC_ID, FREE, LOCKED, LOCKED_ID, leads
from support.simulator_client import Response, SimulatorClient, eventually, magic_record

from batchlock.simulator import (
    DEFAULT_SCOPES,
    Behaviour,
    Composite,
    Fault,
    Inventory,
    lock_id_of,
)

ALL = Behaviour(composite=Composite.ALL)


def run_script(
    script: Callable[[SimulatorClient], Awaitable[None]],
    behaviour: Behaviour = ALL,
    *,
    inventory: Inventory | None = None,
) -> None:
    """Run a script at a stand-in that takes all calls in a composite call, if not said."""
    simulator_client.run_script(script, behaviour, inventory=inventory)


def request(method: str, path: str, **more: Any) -> dict[str, Any]:
    return {"method": method, "uri": f"/crm/v8/{path}", **more}


def lock_path(record_id: str, lock_id: str = "") -> str:
    return f"Leads/{record_id}/Locking_Information__s/{lock_id}".rstrip("/")


def put(record_id: str = LOCKED, lock_id: str = LOCKED_ID, reason: str = "new") -> dict[str, Any]:
    body = {"data": [{"Locked_Reason__s": reason}]}
    return request("PUT", lock_path(record_id, lock_id), body=body)


def post(record_id: str = FREE) -> dict[str, Any]:
    return request(
        "POST", lock_path(record_id), body={"data": [{"Locked_Reason__s": "locked now"}]}
    )


LOOK_UP = request("GET", lock_path(LOCKED))
DELETE = request("DELETE", lock_path(LOCKED, LOCKED_ID))


async def send(client: SimulatorClient, *requests: Any, **more: Any) -> Response:
    content = {"__composite_requests": requests, **more}
    return await client.call("POST", "/crm/v8/__composite_requests", data=orjson.dumps(content))


def items(response: Response) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = response.content["__composite_requests"]
    return answers


def statuses(response: Response) -> list[int | str]:
    """Return the HTTP status of each executed sub-request, the code of each other one."""
    return [
        item["details"]["response"]["status_code"] if item["code"] == "SUCCESS" else item["code"]
        for item in items(response)
    ]


def test_five_calls_cost_one_credit() -> None:
    async def script(client: SimulatorClient) -> None:
        org = request("GET", "org")
        response = await send(client, put(), post(), LOOK_UP, DELETE, org)
        assert response.status == 200
        assert statuses(response) == [200, 201, 200, 200, 200]
        first = items(response)[0]
        assert first["message"] == "composite sub request executed successfully"
        assert first["details"]["response"]["body"]["data"][0]["message"] == "relation updated"
        assert "json" in first["details"]["response"]["headers"]["Content-Type"]
        state = client.simulator.state()
        assert state["credits_used"] == 1
        assert state["sub_requests"] == {"put": 1, "post": 1, "get": 1, "delete": 1, "other": 1}
        assert (state["updates"], state["locked"], state["unlocked"]) == (1, 1, 1)
        assert state["answers"] == {"200": 1}

    run_script(script, inventory=leads())


def test_a_failed_sub_request_is_executed_all_the_same() -> None:
    async def script(client: SimulatorClient) -> None:
        response = await send(
            client, post(LOCKED), put(), request("GET", lock_path(FREE)), put(lock_id="1234567890")
        )
        assert response.status == 200
        assert statuses(response) == [403, 200, 204, 400]
        assert items(response)[2]["details"]["response"]["body"] is None

    run_script(script, inventory=leads())


def test_a_reference_takes_a_value_of_an_earlier_answer() -> None:
    async def script(client: SimulatorClient) -> None:
        change = put(lock_id="@{look:$.data[0].id}")
        change["body"]["data"][0]["Locked_Reason__s"] = "was: @{look:$.data[0].Locked_Reason__s}"
        copied = put(AUTOMATIC, AUTOMATIC_ID, "@{look:$.data[0].Locked_By__s.name}")
        response = await send(
            client,
            LOOK_UP | {"sub_request_id": "look", "params": {"fields": ""}},
            change,
            copied,
            parallel_execution=False,
        )
        assert statuses(response) == [200, 200, 200]
        assert (await client.get(LOCKED)).item["Locked_Reason__s"] == "was: why"
        assert (await client.get(AUTOMATIC)).item["Locked_Reason__s"] == "Asha Rao"

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    "reference",
    ["@{9:$.data[0].id}", "@{1:$.data[7].id}", "@{1:$.data}", "@{1:$.data[0]..id}", "@{2:$.data}"],
)
def test_a_reference_to_nothing_is_refused(reference: str) -> None:
    async def script(client: SimulatorClient) -> None:
        response = await send(client, LOOK_UP, put(lock_id=reference))
        assert (response.status, statuses(response)) == (207, [200, "INVALID_REFERENCE"])
        assert items(response)[1]["details"] == {
            "api_name": "uri",
            "json_path": "$.__composite_requests[1].uri",
            "reference": reference,
        }
        assert client.simulator.ledger.updates == 0

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    ("mode", "status", "expected"),
    [
        (Composite.ALL, 200, [200, 201, 200]),
        (Composite.NO_LOCKS, 207, ["NOT_SUPPORTED", "NOT_SUPPORTED", 200]),
        (Composite.NO_POST, 207, [200, "NOT_SUPPORTED", 200]),
        (Composite.MIXED, 207, [200, "NOT_SUPPORTED", 200]),
    ],
)
def test_the_mode_decides_which_calls_are_taken(
    mode: Composite, status: int, expected: list[int | str]
) -> None:
    async def script(client: SimulatorClient) -> None:
        response = await send(client, put(), post(), request("GET", "org"))
        assert (response.status, statuses(response)) == (status, expected)
        for item in items(response):
            if item["code"] == "NOT_SUPPORTED":
                assert "Get Org" in item["details"]["allowed_services"]
                assert "response" not in item["details"]
        assert (await client.get(LOCKED)).item["Locked_Reason__s"] == (
            "new" if expected[0] == 200 else "why"
        )

    run_script(script, Behaviour(composite=mode), inventory=leads())


def test_a_call_of_which_nothing_is_executed_is_a_400() -> None:
    async def script(client: SimulatorClient) -> None:
        response = await send(client, put(), post())
        assert (response.status, statuses(response)) == (400, ["NOT_SUPPORTED"] * 2)

    run_script(script, Behaviour(composite=Composite.NO_LOCKS), inventory=leads())


@pytest.mark.parametrize("done", [0, 1, 2])
def test_an_answer_is_lost_after_some_of_the_calls_were_made(done: int) -> None:
    async def script(client: SimulatorClient) -> None:
        with pytest.raises(aiohttp.ClientError):
            await send(client, put(reason="first"), post(), put(AUTOMATIC, AUTOMATIC_ID))
        state = client.simulator.state()
        assert (state["updates"], state["locked"]) == (min(done, 1), max(0, done - 1))
        assert state["answers"] == {"dropped": 1}
        assert (await send(client, DELETE)).status == 200

    behaviour = Behaviour(
        composite=Composite.ALL, composite_lost_after=done, composite_lost_at=frozenset({1})
    )
    run_script(script, behaviour, inventory=leads())


def test_a_failure_rolls_the_others_back() -> None:
    async def script(client: SimulatorClient) -> None:
        response = await send(client, put(), post(), DELETE, post(), LOOK_UP, rollback_on_fail=True)
        rolled_back = "ROLLBACK_PERFORMED"
        expected = [rolled_back, rolled_back, rolled_back, 403, "PROCESSING_STOPPED"]
        assert (response.status, statuses(response)) == (400, expected)
        assert items(response)[0]["details"] == {"rollbacked_by_sub_request_index": 3}
        assert (await client.get(LOCKED)).item["Locked_Reason__s"] == "why"
        assert (await client.get(FREE)).status == 204
        state = client.simulator.state()
        assert (state["updates"], state["locked"], state["unlocked"]) == (0, 0, 0)
        assert state["credits_by_kind"] == {"composite": 1, "get": 2}
        assert client.simulator.locks.state() == {}

    run_script(script, inventory=leads())


def test_a_rollback_restores_records_beyond_the_inventory_too() -> None:
    async def script(client: SimulatorClient) -> None:
        record = "5843104000000425565"
        change = put(record, lock_id_of(record), reason="second")
        await client.put(record, lock_id_of(record), reason="first")
        response = await send(client, change, post(record), rollback_on_fail=True)
        assert statuses(response) == ["ROLLBACK_PERFORMED", 403]
        assert (await client.get(record)).item["Locked_Reason__s"] == "first"
        assert client.simulator.locks.by_record[f"Leads/{record}"].updates == 1

    run_script(script)


def test_success_with_rollback_costs_two_credits() -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await send(client, put(), rollback_on_fail=True)).status == 200
        assert client.simulator.ledger.credits_used == 2

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    ("content", "code", "details"),
    [
        ([], "INVALID_DATA", {"expected_data_type": "jsonobject"}),
        ({}, "MANDATORY_NOT_FOUND", {"api_name": "__composite_requests"}),
        ({"__composite_requests": {"a": 1}}, "INVALID_DATA", {"expected_data_type": "jsonarray"}),
        ({"__composite_requests": [LOOK_UP] * 6}, "INVALID_DATA", {"maximum_length": 5}),
        (
            {"__composite_requests": [LOOK_UP], "rollback_on_fail": "yes"},
            "INVALID_DATA",
            {"api_name": "rollback_on_fail", "expected_data_type": "boolean"},
        ),
        (
            {
                "__composite_requests": [LOOK_UP],
                "rollback_on_fail": True,
                "parallel_execution": True,
            },
            "AMBIGUITY_DURING_PROCESSING",
            {},
        ),
    ],
)
def test_a_call_of_a_wrong_form_is_refused(
    content: object, code: str, details: dict[str, Any]
) -> None:
    async def script(client: SimulatorClient) -> None:
        path = "/crm/v8/__composite_requests"
        refused = await client.call("POST", path, data=orjson.dumps(content))
        assert (refused.status, refused.code) == (400, code)
        assert refused.content["details"].items() >= details.items()

    run_script(script)


@pytest.mark.parametrize(
    ("sub_request", "code", "detail"),
    [
        (7, "INVALID_DATA", "expected_data_type"),
        ({"uri": "/crm/v8/org"}, "MANDATORY_NOT_FOUND", "json_path"),
        ({"method": "GET"}, "MANDATORY_NOT_FOUND", "json_path"),
        ({"method": "HEAD", "uri": "/crm/v8/org"}, "INVALID_DATA", "json_path"),
        ({"method": "GET", "uri": "/v8/org"}, "INVALID_DATA", "regex"),
        (LOOK_UP | {"body": []}, "INVALID_DATA", "expected_data_type"),
        (LOOK_UP | {"headers": {"Authorization": "x"}}, "INVALID_DATA", "restricted_headers"),
        (LOOK_UP | {"headers": {"X-CRM-ORG": "1"}}, "INVALID_DATA", "restricted_headers"),
        (LOOK_UP | {"sub_request_id": "a-b"}, "INVALID_DATA", "regex"),
        (LOOK_UP | {"sub_request_id": "same"}, "DUPLICATE_DATA", "sub_request_indexes"),
        ({"method": "GET", "uri": "/crm/v9/org"}, "NOT_ALLOWED", "sub_request_version"),
        (request("POST", "__composite_requests"), "NOT_SUPPORTED", "allowed_services"),
    ],
)
def test_a_sub_request_of_a_wrong_form_is_not_executed(
    sub_request: object, code: str, detail: str
) -> None:
    async def script(client: SimulatorClient) -> None:
        response = await send(client, sub_request, LOOK_UP | {"sub_request_id": "same"})
        first = items(response)[0]
        assert (first["code"], first["status"]) == (code, "error")
        assert detail in first["details"]
        assert "response" not in first["details"]
        assert response.status == (400 if code == "DUPLICATE_DATA" else 207)

    run_script(script)


def test_lists_and_queries_return_25_records_at_most() -> None:
    async def script(client: SimulatorClient) -> None:
        listing = request("GET", "Leads", params={"fields": "id"})
        query = "select id from Leads where id > 1 limit {}"
        response = await send(
            client,
            listing,
            request("GET", "Leads?fields=id&per_page=26"),
            request("POST", "coql", body={"select_query": query.format(25)}),
            request("POST", "coql", body={"select_query": query.format(26)}),
            request("GET", "bulk/v8/read"),
        )
        assert statuses(response) == [200, 400, 200, 400, 404]
        answers = [item["details"]["response"]["body"] for item in items(response)]
        assert answers[0]["info"]["per_page"] == 25
        assert answers[1]["code"] == answers[3]["code"] == "LIMIT_EXCEEDED"

    run_script(script, inventory=leads())


def test_a_sub_request_needs_its_own_scope() -> None:
    async def script(client: SimulatorClient) -> None:
        response = await send(client, request("GET", "org"), LOOK_UP)
        assert (response.status, statuses(response)) == (200, [401, 200])

    run_script(script, replace(ALL, scopes=DEFAULT_SCOPES - {"ZohoCRM.org.READ"}))


def test_magic_records_have_their_effect_in_sub_requests() -> None:
    async def script(client: SimulatorClient) -> None:
        for effect, status in ((Fault.SERVER_ERROR, 500), (Fault.THROTTLED, 429)):
            response = await send(client, put(magic_record(effect)), put())
            assert (response.status, statuses(response)) == (200, [status, 200])
        page = await send(client, put(magic_record(Fault.PROXY_PAGE)), put("990000000000000101"))
        assert statuses(page) == [403, 400]
        assert "<html>" in items(page)[0]["details"]["response"]["body"]
        for effect in (Fault.DROPPED_AFTER, Fault.DROPPED_BEFORE):
            with pytest.raises(aiohttp.ClientError):
                await send(client, put(magic_record(effect)))
        changed = client.simulator.locks.by_record
        assert f"Leads/{magic_record(Fault.DROPPED_AFTER)}" in changed
        assert f"Leads/{magic_record(Fault.DROPPED_BEFORE)}" not in changed

    run_script(script)


def test_a_composite_call_needs_five_places_in_flight() -> None:
    async def script(client: SimulatorClient) -> None:
        ledger = client.simulator.ledger
        hanging = asyncio.create_task(client.put(magic_record(Fault.HANG)))
        await eventually(lambda: ledger.in_flight == 1)
        refused = await send(client, LOOK_UP)
        assert (refused.status, refused.code) == (429, "TOO_MANY_REQUESTS")
        hanging.cancel()
        await eventually(lambda: ledger.in_flight == 0)
        assert (await send(client, LOOK_UP)).status == 200
        assert ledger.in_flight_peak == 6

    run_script(script, Behaviour(composite=Composite.ALL, in_flight_cap=5))


def test_puts_in_composite_calls_count_for_an_outage() -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await send(client, put(), put())).status == 200
        assert (await send(client, LOOK_UP)).status == 500
        assert (await client.call("GET", "/crm/v8/__composite_requests")).status == 500

    run_script(script, Behaviour(composite=Composite.ALL, fail_from=2), inventory=leads())


@pytest.mark.parametrize(
    ("method", "version", "code"),
    [("GET", "v8", "INVALID_REQUEST_METHOD"), ("POST", "v2", "INVALID_URL_PATTERN")],
)
def test_a_composite_call_of_another_method_or_version_is_refused(
    method: str, version: str, code: str
) -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.call(method, f"/crm/{version}/__composite_requests")).code == code

    run_script(script)
