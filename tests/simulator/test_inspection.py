"""What tests in other processes can read."""

import pytest
from support.simulator_client import KEY, LOCK, Clock, SimulatorClient, run_script

from batchlock.simulator import Behaviour, serving


def test_other_processes_can_read_the_counts() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.put()
        await client.put()
        await client.get()
        await client.delete()
        await client.post()
        await client.call("GET", "/crm/v8/org")
        client.authorization = ""
        state = (await client.call("GET", "/simulator/state")).content
        assert state["url"] == client.simulator.url
        assert state["locks"] == 1
        assert state["calls"] == {
            "put": 2,
            "get": 1,
            "post": 1,
            "delete": 1,
            "list": 0,
            "coql": 0,
            "composite": 0,
            "other": 1,
            "token": 1,
        }
        assert (state["updates"], state["locked"], state["unlocked"]) == (2, 1, 1)
        assert state["throttled"] == 0
        assert state["answers"] == {"200": 5, "201": 1}
        assert (state["in_flight"], state["in_flight_peak"]) == (0, 1)
        assert (state["credits_used"], state["credits_left"]) == (6, None)
        assert state["first_call"] <= state["last_call"]
        locks = (await client.call("GET", "/simulator/locks")).content
        assert locks.keys() == {KEY}
        assert locks[KEY]["reason"] == "again"

    run_script(script)


def test_the_locks_count_their_updates() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.put(reason="one")
        await client.put(reason="two")
        locks = (await client.call("GET", "/simulator/locks")).content
        assert locks == {
            KEY: {"lock_id": LOCK, "reason": "two", "updates": 2, "locks": 0, "unlocks": 0}
        }

    run_script(script)


def test_a_new_simulator_has_no_calls() -> None:
    async def script(client: SimulatorClient) -> None:
        state = (await client.call("GET", "/simulator/state")).content
        assert (state["first_call"], state["last_call"]) == (None, None)
        assert (await client.call("GET", "/simulator/locks")).content == {}

    run_script(script)


def test_the_calls_have_arrivals_and_marks_of_throttling() -> None:
    clock = Clock()

    async def script(client: SimulatorClient) -> None:
        for _ in range(3):
            clock.now += 1
            await client.put()
        response = (await client.call("GET", "/simulator/calls?kind=put")).content
        assert response["kind"] == "put"
        assert response["arrivals"] == [1.0, 2.0, 3.0]
        assert response["throttled"] == [0, 0, 1]
        assert (await client.call("GET", "/simulator/calls?kind=get")).content["arrivals"] == []

    run_script(script, Behaviour(credits=2), clock=clock)


@pytest.mark.parametrize(("path", "status"), [("calls?kind=all", 400), ("", 404), ("more", 404)])
def test_an_unknown_inspection_is_refused(path: str, status: int) -> None:
    async def script(client: SimulatorClient) -> None:
        response = await client.call("GET", f"/simulator/{path}")
        assert response.status == status
        assert "error" in response.content

    run_script(script)


def test_a_port_in_use_is_an_error() -> None:
    async def script(client: SimulatorClient) -> None:
        port = int(client.simulator.url.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)):
            async with serving(port=port):
                pass

    run_script(script)
