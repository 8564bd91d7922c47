"""Record ids that always get the same answer, and faults of single calls."""

import asyncio

import aiohttp
import orjson
import pytest
from support.simulator_client import (
    CHANGING,
    Response,
    SimulatorClient,
    connected,
    eventually,
    fixed_answer,
    magic_record,
    run_script,
)

from batchlock.simulator import MAGIC_RECORDS, Fault, Kind, MagicRecord
from batchlock.simulator.answers import CannedResponse

FIXED = [(magic, answer) for magic in MAGIC_RECORDS if (answer := fixed_answer(magic)) is not None]
ONCE = [magic for magic in MAGIC_RECORDS if magic.times]


@pytest.mark.parametrize(("magic", "answer"), FIXED, ids=[magic.record_id for magic, _ in FIXED])
def test_a_magic_record_gets_its_answer(magic: MagicRecord, answer: CannedResponse) -> None:
    async def script(client: SimulatorClient) -> None:
        record = magic.record_id
        responses = {
            Kind.PUT: await client.put(record),
            Kind.GET: await client.get(record),
            Kind.POST: await client.post(record),
            Kind.DELETE: await client.delete(record),
        }
        for kind, response in responses.items():
            if kind in magic.calls:
                assert (response.status, response.body) == (answer.status, answer.body)
                assert response.headers.get("Location", "") == answer.location
            else:
                assert response.status in (200, 201, 204, 403)
        changed = client.simulator.locks.by_record.keys() - {f"Leads/{magic.record_id}"}
        assert changed == set()

    run_script(script)


def test_the_answers_use_every_envelope_of_zoho() -> None:
    bodies = [orjson.loads(answer.body) for _, answer in FIXED if answer.code]
    assert any("data" in body for body in bodies)
    assert any(isinstance(body.get("code"), str) for body in bodies)
    assert any(body.get("code") == 429 for body in bodies)


@pytest.mark.parametrize("magic", ONCE, ids=lambda magic: magic.record_id)
def test_a_fault_of_the_first_call_happens_once(magic: MagicRecord) -> None:
    async def script(client: SimulatorClient) -> None:
        for module in ("Leads", "Deals"):
            first: Response | None = None
            try:
                timeout = aiohttp.ClientTimeout(0.1 if magic.effect is Fault.HANG else 10)
                first = await client.put(magic.record_id, module=module, timeout=timeout)
            except (aiohttp.ClientError, TimeoutError):
                assert fixed_answer(magic) is None
            if first is not None and first.status == 200:
                assert magic.effect is Fault.CUT_BODY
            assert (await client.put(magic.record_id, module=module)).code == "SUCCESS"
            updates = client.simulator.locks.by_record[f"{module}/{magic.record_id}"].updates
            assert updates == (2 if magic.effect in CHANGING else 1)

    run_script(script)


@pytest.mark.parametrize("fault", [Fault.DROPPED_BEFORE, Fault.DROPPED_AFTER])
def test_a_dropped_call_gets_no_answer(fault: Fault) -> None:
    async def script(client: SimulatorClient) -> None:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.put(magic_record(fault))
        assert (client.simulator.ledger.updates == 1) == (fault in CHANGING)
        assert client.simulator.ledger.answers["dropped"] == 1

    run_script(script)


def test_a_cut_body_is_invalid_json_after_the_change() -> None:
    async def script(client: SimulatorClient) -> None:
        response = await client.put(magic_record(Fault.CUT_BODY))
        assert response.status == 200
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(response.body)
        assert client.simulator.ledger.updates == 1

    run_script(script)


def test_a_cut_connection_ends_before_the_whole_body() -> None:
    async def script(client: SimulatorClient) -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.put(magic_record(Fault.CUT_CONNECTION))
        assert client.simulator.ledger.updates == 1
        assert client.simulator.ledger.answers["cut"] == 1

    run_script(script)


def test_a_hanging_call_is_in_flight_until_the_client_disconnects() -> None:
    async def script(client: SimulatorClient) -> None:
        ledger = client.simulator.ledger
        call = asyncio.create_task(client.put(magic_record(Fault.HANG)))
        await eventually(lambda: ledger.answers["hung"] == 1)
        assert (ledger.in_flight, ledger.updates) == (1, 1)
        call.cancel()
        await eventually(lambda: ledger.in_flight == 0)

    run_script(script)


def test_the_simulator_can_stop_while_calls_hang() -> None:
    async def run() -> None:
        async with connected() as client:
            call = asyncio.create_task(client.put(magic_record(Fault.HANG)))
            await eventually(lambda: client.simulator.ledger.in_flight == 1)
        with pytest.raises(aiohttp.ClientError):
            await call

    asyncio.run(run())
