"""The control calls that change the behaviour while the stand-in runs."""

from typing import Any

import pytest
from support.simulator_client import SimulatorClient, run_script

from batchlock.simulator import Behaviour, Composite, Edition, Fault


def test_the_behaviour_is_returned_with_every_field() -> None:
    async def script(client: SimulatorClient) -> None:
        content = (await client.control("GET", "behaviour")).content
        assert content.keys() == Behaviour.__dataclass_fields__.keys()
        assert content["throttle_at"] == [4]
        assert content["faults"] == {"hang": 0.5}
        assert content["in_flight_cap"] == "edition"

    run_script(script, Behaviour(throttle_at=frozenset({4}), faults={Fault.HANG: 0.5}))


def test_the_named_fields_are_changed() -> None:
    async def script(client: SimulatorClient) -> None:
        changes = {
            "edition": "free",
            "composite": "no_post",
            "faults": {"server_error": 1},
            "credits": None,
            "throttle_at": [3, 5],
            "coql_locked": False,
            "latency": 0.001,
        }
        answer = await client.control("POST", "behaviour", changes)
        assert answer.status == 200
        assert answer.content.items() >= changes.items()
        assert client.simulator.behaviour == Behaviour(
            edition=Edition.FREE,
            composite=Composite.NO_POST,
            faults={Fault.SERVER_ERROR: 1.0},
            throttle_at=frozenset({3, 5}),
            coql_locked=False,
            latency=0.001,
            token_lifetime=60,
        )
        assert (await client.put()).status == 500

    run_script(script, Behaviour(credits=7, token_lifetime=60))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ([], "an object with fields"),
        ({"speed": 1}, "'speed' is no field"),
        ({"latency": "slow"}, "latency"),
        ({"edition": "premium"}, "edition"),
        ({"in_flight_cap": 0}, "in_flight_cap counts from 1"),
        ({"faults": {"hang": 0.6, "throttled": 0.6}}, "add up to 1.2"),
        ({"composite_lost_after": -1}, "composite_lost_after cannot be less than 0"),
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(changes: Any, error: str) -> None:
    async def script(client: SimulatorClient) -> None:
        answer = await client.control("POST", "behaviour", changes)
        assert answer.status == 400
        assert error in answer.content["error"]
        assert client.simulator.behaviour == Behaviour()

    run_script(script)


def test_a_body_that_is_no_json_is_refused() -> None:
    async def script(client: SimulatorClient) -> None:
        answer = await client.call("POST", "/simulator/behaviour", data=b"{")
        assert (answer.status, "no JSON" in answer.content["error"]) == (400, True)

    run_script(script)


def test_the_same_seed_starts_the_faults_again() -> None:
    async def script(client: SimulatorClient) -> None:
        async def observed(seed: int) -> list[int]:
            await client.control("POST", "behaviour", {"seed": seed})
            return [(await client.put()).status for _ in range(20)]

        first, other = await observed(1), await observed(2)
        assert first != other
        assert await observed(1) == first

    run_script(script, Behaviour(faults={Fault.SERVER_ERROR: 0.5}))


def test_a_longer_life_of_tokens_is_that_of_new_ones() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.control("POST", "behaviour", {"token_lifetime": 7})
        assert (await client.sign_in()).content["expires_in"] == 7

    run_script(script)


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "inventory"), ("PUT", "behaviour"), ("POST", "state")]
)
def test_other_methods_are_refused(method: str, path: str) -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.control(method, path)).status == 405

    run_script(script)
