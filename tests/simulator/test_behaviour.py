"""Limits, outages and random faults."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from support.simulator_client import (
    KEY,
    RECORD,
    SimulatorClient,
    eventually,
    magic_record,
    run_script,
)

from batchlock.simulator import Behaviour, Fault, Kind
from batchlock.simulator.records import Lock


def test_a_call_above_the_cap_is_refused_at_once() -> None:
    async def script(client: SimulatorClient) -> None:
        ledger = client.simulator.ledger
        hanging = [asyncio.create_task(client.put(magic_record(Fault.HANG))) for _ in range(2)]
        await eventually(lambda: ledger.in_flight == 2)
        refused = await client.put()
        assert (refused.status, refused.code) == (429, "TOO_MANY_REQUESTS")
        assert refused.headers["Retry-After"] == "0.5"
        assert ledger.in_flight_peak == 3
        for call in hanging:
            call.cancel()
        await eventually(lambda: ledger.in_flight == 0)
        assert (await client.put()).status == 200
        assert ledger.credits_used == 3

    run_script(script, Behaviour(in_flight_cap=2, retry_after=0.5))


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "coql"), ("GET", "Leads?fields=id&cvid=990000000000600001")]
)
def test_ten_heavy_calls_may_be_in_flight(method: str, path: str) -> None:
    async def script(client: SimulatorClient) -> None:
        ledger = client.simulator.ledger
        calls = [
            asyncio.create_task(client.call(method, f"/crm/v8/{path}", data=b"{}"))
            for _ in range(10)
        ]
        await eventually(lambda: ledger.in_flight == 10)
        assert (await client.call(method, f"/crm/v8/{path}")).status == 429
        for call in calls:
            call.cancel()
        await eventually(lambda: ledger.in_flight == 0)
        assert ledger.heavy_in_flight == 0

    run_script(script, Behaviour(faults={Fault.HANG: 1.0}))


def test_a_call_keeps_its_place_until_its_latency_is_over_without_a_client() -> None:
    async def script(client: SimulatorClient) -> None:
        # Not before: the token request of the client waits for the latency, too.
        client.simulator.change_behaviour(Behaviour(latency=3600, in_flight_cap=1))
        ledger, tasks = client.simulator.ledger, len(asyncio.all_tasks())
        call = asyncio.create_task(client.query("select id from Leads limit 1"))
        await eventually(lambda: ledger.credits_used == 1)
        call.cancel()
        # The task of the server that served the connection has ended, too.
        await eventually(lambda: len(asyncio.all_tasks()) == tasks)
        assert (ledger.in_flight, ledger.heavy_in_flight) == (1, 1)
        assert (await client.put()).code == "TOO_MANY_REQUESTS"
        assert (ledger.in_flight, ledger.over_cap) == (1, 1)
        loop = asyncio.get_running_loop()
        with pytest.MonkeyPatch.context() as patch:
            time = loop.time
            patch.setattr(loop, "time", lambda: time() + 3600)
            await eventually(lambda: ledger.in_flight == 0)
        assert ledger.heavy_in_flight == 0
        ended = {entry["kind"] for _, entry in ledger.log.entries() if entry["end"] is not None}
        assert ended == {Kind.TOKEN, Kind.COQL, Kind.PUT}

    run_script(script)


def test_calls_are_delayed_concurrently() -> None:
    async def script(client: SimulatorClient) -> None:
        calls = [client.put(f"{RECORD[:-1]}{digit}") for digit in range(5)]
        assert {response.status for response in await asyncio.gather(*calls)} == {200}
        assert client.simulator.ledger.in_flight_peak == 5

    run_script(script, Behaviour(latency=0.2, jitter=0.01, in_flight_cap=None))


def test_remaining_credits_are_reported_until_none_are_left() -> None:
    async def script(client: SimulatorClient) -> None:
        remaining = [(await client.put()).headers.get("X-API-CREDITS-REMAINING") for _ in range(4)]
        assert remaining == [None, "2", "1", "0"]
        refused = await client.put()
        assert (refused.status, refused.content["code"]) == (429, 429)
        assert refused.headers["X-API-CREDITS-REMAINING"] == "0"
        assert "Retry-After" not in refused.headers
        assert (await client.sign_in()).status == 200
        assert client.simulator.state()["credits_left"] == 0

    run_script(script, Behaviour(credits=4))


def test_the_configured_calls_are_throttled() -> None:
    async def script(client: SimulatorClient) -> None:
        statuses = [(await client.put()).status for _ in range(4)]
        assert statuses == [200, 429, 200, 429]
        marks = client.simulator.ledger.calls(Kind.PUT)["throttled"]
        assert marks == [0, 1, 0, 1]

    run_script(script, Behaviour(throttle_at=frozenset({2, 4})))


@pytest.mark.parametrize(
    ("length", "expected"),
    [(None, [200, 200, 500, 500, 500, 500]), (2, [200, 200, 500, 500, 200, 200])],
)
def test_an_outage_starts_at_the_configured_put(length: int | None, expected: list[int]) -> None:
    async def script(client: SimulatorClient) -> None:
        calls = (client.put, client.get, client.put, client.get, client.put, client.get)
        assert [(await call()).status for call in calls] == expected

    run_script(script, Behaviour(fail_from=2, fail_calls=length))


def observed_faults(seed: int, faults: Mapping[Fault, float]) -> list[str]:
    observed: list[str] = []

    async def script(client: SimulatorClient) -> None:
        for _ in range(60):
            try:
                response = await client.put()
                observed.append(f"{response.status} {len(response.body)}")
            except aiohttp.ClientError as error:
                observed.append(type(error).__name__)

    run_script(script, Behaviour(faults=faults, seed=seed))
    return observed


def test_the_same_seed_gives_the_same_faults() -> None:
    faults: dict[Fault, float] = {fault: 0.1 for fault in Fault if fault is not Fault.HANG}
    first = observed_faults(7, faults)
    assert first == observed_faults(7, faults)
    assert first != observed_faults(8, faults)
    assert len(set(first)) > 5


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.SERVER_ERROR, 500),
        (Fault.BAD_GATEWAY, 502),
        (Fault.PROXY_PAGE, 403),
        (Fault.THROTTLED, 429),
    ],
)
def test_a_fault_with_an_answer_changes_nothing(fault: Fault, status: int) -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.put()).status == status
        assert client.simulator.locks.by_record == {}

    run_script(script, Behaviour(faults={fault: 1.0}))


def test_an_answer_without_a_body_can_be_cut_too() -> None:
    async def script(client: SimulatorClient) -> None:
        client.simulator.locks.by_record[KEY] = Lock(None, None)
        assert (await client.get()).body == b""

    for fault in (Fault.CUT_BODY, Fault.CUT_CONNECTION):
        run_script(script, Behaviour(faults={fault: 1.0}))


@pytest.mark.parametrize(
    "values",
    [
        {"latency": -1},
        {"jitter": -0.1},
        {"retry_after": -1},
        {"in_flight_cap": 0},
        {"credits": -1},
        {"throttle_at": frozenset({0})},
        {"fail_from": 0},
        {"fail_calls": 0},
        {"faults": {Fault.HANG: 1.1}},
        {"faults": {Fault.HANG: -0.1}},
        {"faults": {Fault.HANG: 0.6, Fault.THROTTLED: 0.6}},
    ],
)
def test_a_value_out_of_range_is_refused(values: dict[str, Any]) -> None:
    (name,) = values
    with pytest.raises(ValueError, match="share" if name == "faults" else name):
        Behaviour(**values)
