"""The control calls about several orgs: summary, log and behaviour."""

import asyncio
from typing import Any

import pytest
from support.many_orgs import Clients, run_with_orgs
from support.simulator_client import KEY, RECORD, Clock, SimulatorClient, eventually, run_script

from batchlock.simulator import Behaviour, Composite, Fault


def test_the_summary_has_a_line_for_each_org_and_sums() -> None:
    clock = Clock()

    async def script(clients: Clients) -> None:
        await clients[1].put()
        await clients[1].put()
        clock.now += 2
        await clients[2].put()
        await clients[2].call("GET", "/crm/v7/org")
        await clients[2].put()  # beyond the credits
        content = (await clients.control("GET", "orgs")).content
        first, second = content["orgs"]
        assert first == {
            "org": 1,
            "client_id": "client-001",
            "organization_id": "990000001",
            "name": "Rehearsal Ltd 001",
            "cap": 25,
            "in_flight": 0,
            "in_flight_peak": 1,
            "calls": 2,
            "puts": 2,
            "puts_again": 1,
            "over_cap": 0,
            "throttled": 0,
            "credits_used": 2,
            "credits_left": 0,
            "token_requests": 1,
            "updates": 2,
            "locks_changed": 1,
            "locks_updated_again": 1,
            "last_call": 0.0,
        }
        assert (second["puts"], second["puts_again"], second["throttled"]) == (2, 0, 1)
        assert (second["over_cap"], second["last_call"]) == (0, 2.0)
        assert content["total"] == {
            "calls": 5,
            "puts": 4,
            "puts_again": 1,
            "over_cap": 0,
            "throttled": 1,
            "credits_used": 4,
            "token_requests": 2,
            "updates": 3,
            "locks_changed": 2,
            "locks_updated_again": 1,
            "in_flight": 0,
        }
        assert (content["unknown_tokens"], content["unknown_clients"]) == (0, 0)
        assert content["url"] == clients.orgs.url

    run_with_orgs(script, 2, Behaviour(credits=2), clock=clock)


def test_refused_strangers_are_counted() -> None:
    async def script(clients: Clients) -> None:
        await clients[1].sign_in(client_id="stranger")
        clients[1].authorization = ""
        await clients[1].put()
        content = (await clients.control("GET", "orgs")).content
        assert (content["unknown_tokens"], content["unknown_clients"]) == (1, 1)

    run_with_orgs(script)


def test_the_log_has_the_calls_to_all_orgs_in_their_order() -> None:
    clock = Clock()

    async def script(clients: Clients) -> None:
        clock.now += 1
        await clients[2].put()
        clock.now += 1
        await clients[1].call("GET", "/crm/v7/Deals?fields=id")
        log = (await clients.control("GET", "log")).content
        assert log["next"] is None
        calls = log["calls"]
        assert [(call["number"], call["org"], call["kind"]) for call in calls] == [
            (1, 1, "token"),
            (2, 2, "token"),
            (3, 2, "put"),
            (4, 1, "list"),
        ]
        put, listed = calls[2:]
        assert (put["module"], put["record_id"], put["answer"]) == ("Leads", RECORD, "200")
        assert clients[2].authorization == f"Zoho-oauthtoken {put['access_token']}"
        assert put["port"] > 0
        assert (listed["module"], listed["record_id"]) == ("Deals", None)
        assert listed["time"] - put["time"] == pytest.approx(1.0)
        assert put["end"] == put["time"]
        (only,) = (await clients.control("GET", "orgs/1/log?after=1")).content["calls"]
        assert only == listed

    run_with_orgs(script, clock=clock)


def test_the_log_is_read_in_parts() -> None:
    async def script(clients: Clients) -> None:
        for number in (1, 2, 2, 1, 2):
            await clients[number].put()
        seen: list[int] = []
        after: int | None = 0
        while after is not None:
            content = (await clients.control("GET", f"log?after={after}&limit=3")).content
            seen += [call["number"] for call in content["calls"]]
            after = content["next"]
        assert seen == [1, 2, 3, 4, 5, 6, 7]

    run_with_orgs(script)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=10001", "1 to 10000"),
        ("after=²", "after"),
    ],
)
def test_a_wrong_part_of_the_log_is_refused(query: str, error: str) -> None:
    async def script(clients: Clients) -> None:
        answer = await clients.control("GET", f"log?{query}")
        assert answer.status == 400
        assert error in answer.content["error"]

    run_with_orgs(script)


def test_a_call_in_flight_has_no_end_yet() -> None:
    async def script(clients: Clients) -> None:
        first = clients.orgs.by_number[1]
        async with asyncio.TaskGroup() as group:
            hanging = group.create_task(clients[1].put())
            await eventually(lambda: first.ledger.answers["hung"] == 1)
            call = (await clients.control("GET", "orgs/1/log?after=2")).content["calls"][0]
            assert (call["answer"], call["end"]) == ("hung", None)
            hanging.cancel()
        await eventually(lambda: first.ledger.in_flight == 0)
        call = (await clients.control("GET", "orgs/1/log?after=2")).content["calls"][0]
        assert call["end"] >= call["time"]

    run_with_orgs(script, 2, Behaviour(faults={Fault.HANG: 1}))


def test_the_puts_of_each_record_are_counted_also_those_without_effect() -> None:
    async def script(clients: Clients) -> None:
        await clients.control("POST", "orgs/1/behaviour", {"faults": {"server_error": 1}})
        await clients[1].put()
        await clients.control("POST", "orgs/1/behaviour", {"faults": {}})
        await clients[1].put()
        await clients[1].put()  # beyond the credits: answered 429
        assert (await clients.control("GET", "orgs/1/puts")).content == {KEY: 2}
        assert (await clients.control("GET", "orgs/2/puts")).content == {}

    run_with_orgs(script, 2, Behaviour(credits=2))


def test_the_sub_requests_of_composite_calls_are_in_the_log() -> None:
    async def script(client: SimulatorClient) -> None:
        uri = f"/crm/v8/Leads/{RECORD}/Locking_Information__s/5843104000000804005"
        body = {"data": [{"Locked_Reason__s": "new"}]}
        content = {"__composite_requests": [{"method": "PUT", "uri": uri, "body": body}]}
        await client.call("POST", "/crm/v8/__composite_requests", json=content)
        calls = (await client.control("GET", "log")).content["calls"]
        assert [(call["kind"], call["in_composite"]) for call in calls] == [
            ("token", False),
            ("composite", False),
            ("put", True),
        ]
        assert (calls[2]["record_id"], calls[2]["answer"]) == (RECORD, "200")
        assert calls[2]["access_token"] == calls[1]["access_token"]
        assert (await client.control("GET", "puts")).content == {KEY: 1}
        assert (await client.control("GET", "calls?kind=put")).content["arrivals"] == []

    run_script(script, Behaviour(composite=Composite.ALL))


def test_one_org_or_all_orgs_change_their_behaviour() -> None:
    async def script(clients: Clients) -> None:
        first, second = clients.orgs
        answer = await clients.control("POST", "orgs/002/behaviour", {"in_flight_cap": 3})
        assert answer.content["in_flight_cap"] == 3
        assert (first.behaviour.in_flight_cap, second.behaviour.in_flight_cap) == ("edition", 3)
        answer = await clients.control("POST", "behaviour", {"faults": {"server_error": 1}})
        assert answer.content == {"orgs": 2}
        assert [(await clients[number].put()).status for number in (1, 2)] == [500, 500]
        assert (first.behaviour.org_id, second.behaviour.in_flight_cap) == ("990000001", 3)

    run_with_orgs(script)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"org_id": "7"}, "org_id differs from org to org"),
        ({"latency": -1}, "latency cannot be less than 0"),
        ({"speed": 1}, "'speed' is no field"),
    ],
)
def test_a_wrong_change_of_all_changes_none(changes: Any, error: str) -> None:
    async def script(clients: Clients) -> None:
        before = [org.behaviour for org in clients.orgs]
        answer = await clients.control("POST", "behaviour", changes)
        assert answer.status == 400
        assert error in answer.content["error"]
        assert [org.behaviour for org in clients.orgs] == before

    run_with_orgs(script)


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "orgs/3/state", 404, "there is no org 3; the orgs are 1 to 2"),
        ("GET", "orgs/first/state", 404, "there is no org first"),
        ("GET", "orgs/1/more", 404, "state, locks, puts"),
        ("POST", "orgs", 405, "POST is not possible"),
        ("POST", "orgs/1/log", 405, "POST is not possible"),
        ("GET", "state", 404, "name one: /simulator/orgs/1/state"),
    ],
)
def test_an_unknown_control_call_is_refused(
    method: str, path: str, status: int, error: str
) -> None:
    async def script(clients: Clients) -> None:
        answer = await clients.control(method, path)
        assert answer.status == status
        assert error in answer.content["error"]

    run_with_orgs(script)


def test_an_only_org_is_org_1() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.put()
        (line,) = (await client.control("GET", "orgs")).content["orgs"]
        assert (line["org"], line["organization_id"], line["puts"]) == (1, "990000000", 1)
        assert (await client.control("GET", "orgs/1/locks")).content.keys() == {KEY}

    run_script(script)
