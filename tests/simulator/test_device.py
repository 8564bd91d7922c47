"""The device flow of the stand-in."""

from support.simulator_client import CREDENTIALS, Clock, SimulatorClient, run_script

CODE = {"grant_type": "device_request", "client_id": "me", "scope": "ZohoCRM.org.READ"}


async def new_code(client: SimulatorClient) -> dict[str, str]:
    answer = await client.call("POST", "/oauth/v3/device/code", data=CODE)
    content: dict[str, str] = answer.content
    return content


async def poll(client: SimulatorClient, code: dict[str, str]) -> dict[str, str]:
    form = {**CREDENTIALS, "grant_type": "device_token", "code": code["device_code"]}
    answer = await client.call("POST", "/oauth/v3/device/token", data=form)
    assert answer.status == 200
    content: dict[str, str] = answer.content
    return content


async def decide(client: SimulatorClient, code: dict[str, str], decision: str) -> str:
    form = {"user_code": code["user_code"].lower(), "decision": decision}
    return (await client.call("POST", "/oauth/v3/device", data=form)).body.decode()


def test_a_code_that_a_person_accepts_gives_a_sign_in_once() -> None:
    clock = Clock()

    async def script(client: SimulatorClient) -> None:
        code = await new_code(client)
        assert await poll(client, code) == {"error": "authorization_pending"}
        assert await poll(client, code) == {"error": "slow_down"}
        page = await client.call("GET", f"/oauth/v3/device?user_code={code['user_code']}")
        assert code["user_code"] in page.body.decode()
        assert "Accepted" in await decide(client, code, "approve")
        clock.now += 5
        granted = await poll(client, code)
        assert granted.keys() >= {"access_token", "refresh_token", "scope"}
        again = await client.sign_in(refresh_token=granted["refresh_token"])
        assert "access_token" in again.content
        assert await poll(client, code) == {"error": "expired"}

    run_script(script, clock=clock)


def test_a_code_can_be_rejected_and_ends_by_itself() -> None:
    clock = Clock()

    async def script(client: SimulatorClient) -> None:
        rejected, late = await new_code(client), await new_code(client)
        assert "Rejected" in await decide(client, rejected, "deny")
        assert await poll(client, rejected) == {"error": "access_denied"}
        clock.now += 300
        assert "no such code" in await decide(client, late, "approve")
        assert await poll(client, late) == {"error": "expired"}

    run_script(script, clock=clock)


def test_wrong_requests_are_refused() -> None:
    async def script(client: SimulatorClient) -> None:
        code_path, token_path = "/oauth/v3/device/code", "/oauth/v3/device/token"
        for path, form, error in (
            (code_path, {**CODE, "client_id": ""}, "invalid_client"),
            (code_path, {**CODE, "scope": ""}, "invalid_request"),
            (token_path, {"client_id": "me"}, "invalid_client_secret"),
            (token_path, CREDENTIALS, "invalid_request"),
        ):
            assert (await client.call("POST", path, data=form)).content == {"error": error}
        assert (await client.call("GET", code_path)).status == 404

    run_script(script)
