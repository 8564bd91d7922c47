"""The token endpoint and its access tokens."""

import pytest
from support.simulator_client import CREDENTIALS, Clock, SimulatorClient, run_script

from batchlock.simulator import MAGIC_SIGN_INS, Behaviour, MagicSignIn


def test_a_refresh_token_gives_an_access_token() -> None:
    async def script(client: SimulatorClient) -> None:
        response = (await client.sign_in()).content
        assert response.keys() == {
            "access_token",
            "scope",
            "api_domain",
            "token_type",
            "expires_in",
        }
        assert response["api_domain"] == client.simulator.url
        assert response["expires_in"] == 3600

    run_script(script)


def test_a_token_request_may_be_in_the_query() -> None:
    async def script(client: SimulatorClient) -> None:
        response = await client.call("POST", "/oauth/v2/token", params=CREDENTIALS)
        assert "access_token" in response.content

    run_script(script)


def test_a_grant_code_works_once_and_gives_a_refresh_token() -> None:
    async def script(client: SimulatorClient) -> None:
        form = {"grant_type": "authorization_code", "code": "1000.abc"}
        first = (await client.sign_in(**form)).content
        assert (await client.put()).status == 200
        assert (
            "access_token" in (await client.sign_in(refresh_token=first["refresh_token"])).content
        )
        again = await client.sign_in(**form)
        assert (again.status, again.content) == (200, {"error": "invalid_code"})

    run_script(script)


@pytest.mark.parametrize("grant_type", ["refresh_token", "authorization_code"])
@pytest.mark.parametrize("magic", MAGIC_SIGN_INS, ids=lambda magic: f"{magic.field}-{magic.value}")
def test_a_magic_sign_in_gets_its_answer(magic: MagicSignIn, grant_type: str) -> None:
    async def script(client: SimulatorClient) -> None:
        field = magic.field
        if field == "token":
            field = "code" if grant_type == "authorization_code" else "refresh_token"
        form = {"grant_type": grant_type, "code": "1000.abc", field: magic.value}
        response = await client.sign_in(**form)
        if magic.answer is not None:
            assert (response.status, response.body) == (magic.answer.status, magic.answer.body)
            return
        assert response.content["api_domain"] == (magic.api_domain or client.simulator.url)
        assert response.content.get("refresh_token", magic.value) == magic.value
        call = await client.put()
        if magic.to_calls is None:
            assert call.status == 200
        else:
            assert (call.status, call.body) == (magic.to_calls.status, magic.to_calls.body)

    run_script(script)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": ""}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client_secret"),
        ({"refresh_token": ""}, "invalid_code"),
        ({"grant_type": "authorization_code"}, "invalid_code"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_an_incomplete_token_request_is_refused(form: dict[str, str], error: str) -> None:
    async def script(client: SimulatorClient) -> None:
        response = await client.sign_in(**form)
        assert (response.status, response.content) == (200, {"error": error})

    run_script(script)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "AUTHENTICATION_FAILURE"),
        ("Bearer 1000.abc", "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken 1000.abc", "INVALID_TOKEN"),
    ],
)
def test_a_call_needs_a_token_of_this_org(authorization: str, code: str) -> None:
    async def script(client: SimulatorClient) -> None:
        client.authorization = authorization
        response = await client.put()
        assert (response.status, response.code) == (401, code)
        assert client.simulator.ledger.credits_used == 0
        assert client.simulator.locks.by_record == {}

    run_script(script)


def test_an_access_token_expires() -> None:
    clock = Clock()

    async def script(client: SimulatorClient) -> None:
        clock.now += 59
        assert (await client.put()).status == 200
        clock.now += 1
        response = await client.put()
        assert (response.status, response.code) == (401, "INVALID_TOKEN")
        await client.sign_in()
        assert (await client.put()).status == 200

    run_script(script, Behaviour(token_lifetime=60), clock=clock)


def test_the_eleventh_token_in_ten_minutes_is_refused() -> None:
    clock = Clock()

    async def script(client: SimulatorClient) -> None:
        for _ in range(9):
            assert "access_token" in (await client.sign_in()).content
        denied = await client.sign_in()
        assert (denied.status, denied.content["error"]) == (400, "Access Denied")
        assert "access_token" in (await client.sign_in(refresh_token="another")).content
        clock.now += 600
        assert "access_token" in (await client.sign_in()).content
        assert client.simulator.state()["token_requests"] == 13
        assert client.simulator.state()["tokens_issued"] == 12

    run_script(script, clock=clock)


def test_the_sixteenth_live_token_revokes_the_oldest() -> None:
    clock = Clock()

    async def script(client: SimulatorClient) -> None:
        tokens = [client.authorization]
        for _ in range(15):
            clock.now += 61
            await client.sign_in()
            tokens.append(client.authorization)
        statuses = []
        for client.authorization in tokens:
            statuses.append((await client.put()).status)
        assert statuses == [401] + [200] * 15

    run_script(script, clock=clock)


def test_client_credentials_name_the_org_and_get_no_refresh_token() -> None:
    async def script(client: SimulatorClient) -> None:
        form = {
            "grant_type": "client_credentials",
            "scope": "ZohoCRM.org.READ",
            "soid": f"ZohoCRM.{client.simulator.behaviour.org_id}",
        }
        answer = (await client.sign_in(**form)).content
        assert "refresh_token" not in answer
        assert (await client.put()).status == 200
        for changed, error in (
            ({"soid": "ZohoCRM.42"}, "missing_org_info"),
            ({"soid": ""}, "missing_org_info"),
            ({"scope": ""}, "invalid_scope"),
        ):
            assert (await client.sign_in(**form | changed)).content == {"error": error}

    run_script(script)


def test_a_revoked_refresh_token_ends_with_its_access_tokens_and_stays_revoked() -> None:
    async def revoke(client: SimulatorClient, token: str) -> tuple[int, object]:
        response = await client.call("POST", "/oauth/v2/token/revoke", params={"token": token})
        return response.status, response.content

    async def script(client: SimulatorClient) -> None:
        await client.sign_in(refresh_token="mine")
        assert (await client.put()).status == 200
        assert await revoke(client, "mine") == (200, {"status": "success"})
        assert (await client.put()).status == 401
        answer = (await client.sign_in(refresh_token="mine")).content
        assert answer == {"error": "invalid_code"}
        assert await revoke(client, "mine") == (400, {"error": "invalid_token"})
        token = (await client.sign_in(refresh_token="other")).content["access_token"]
        assert await revoke(client, token) == (200, {"status": "success"})
        assert (await client.put()).status == 401
        assert "access_token" in (await client.sign_in(refresh_token="other")).content
        assert (await revoke(client, "revoked"))[0] == 400
        assert (await revoke(client, ""))[0] == 400

    run_script(script)
