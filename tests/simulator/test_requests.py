"""Which requests the simulator accepts: versions, paths, modules, bodies."""

import pytest
from support.simulator_client import LOCK, RECORD, SimulatorClient, run_script

from batchlock.simulator import MAGIC_MODULES, ORGANIZATION_ID, MagicModule


@pytest.mark.parametrize("version", ["v3", "v4", "v5", "v6", "v7", "v8"])
def test_every_api_version_is_supported(version: str) -> None:
    async def script(client: SimulatorClient) -> None:
        path = f"/crm/{version}/Leads/{RECORD}/Locking_Information__s"
        assert (await client.call("GET", path)).status == 200

    run_script(script)


@pytest.mark.parametrize(
    "path",
    [
        f"/crm/v2/Leads/{RECORD}/Locking_Information__s",
        f"/v7/Leads/{RECORD}/Locking_Information__s",
        f"/crm/v7/Leads/{RECORD}/Notes",
        "/crm/v7/Leads/123456789/Locking_Information__s",
        "/crm/v7/Leads/123456789012345678901/Locking_Information__s",
        "/crm/v7/Leads/zcrm_5843104000000425565/Locking_Information__s",
        f"/crm/v7/Leads/{RECORD}/Locking_Information__s/12345",
        f"/crm/v7/Leads/{RECORD}/Locking_Information__s/{LOCK}/more",
        "/crm/v7",
        "/",
        "/oauth/v2/auth",
    ],
)
def test_a_wrong_url_is_not_found(path: str) -> None:
    async def script(client: SimulatorClient) -> None:
        response = await client.call("GET", path)
        assert (response.status, response.code) == (404, "INVALID_URL_PATTERN")

    run_script(script)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"/crm/v7/Leads/{RECORD}/Locking_Information__s"),
        ("DELETE", f"/crm/v7/Leads/{RECORD}/Locking_Information__s"),
        ("POST", f"/crm/v7/Leads/{RECORD}/Locking_Information__s/{LOCK}"),
        ("PATCH", f"/crm/v7/Leads/{RECORD}/Locking_Information__s/{LOCK}"),
        ("POST", "/crm/v7/org"),
    ],
)
def test_a_wrong_method_is_refused(method: str, path: str) -> None:
    async def script(client: SimulatorClient) -> None:
        response = await client.call(method, path)
        assert (response.status, response.code) == (403, "INVALID_REQUEST_METHOD")

    run_script(script)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("Sales_Orders", "SUCCESS"),
        ("CustomModule1", "SUCCESS"),
        ("Machines__c", "SUCCESS"),
        ("sales_orders", "INVALID_MODULE"),
        ("Sales%20Orders", "INVALID_MODULE"),
    ],
)
def test_a_module_is_named_by_its_api_name(module: str, code: str) -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.put(module=module)).code == code

    run_script(script)


@pytest.mark.parametrize("magic", MAGIC_MODULES, ids=lambda magic: magic.name)
def test_a_magic_module_gets_its_answer(magic: MagicModule) -> None:
    async def script(client: SimulatorClient) -> None:
        response = await client.put(module=magic.name)
        assert (response.status, response.body) == (magic.effect.status, magic.effect.body)

    run_script(script)


@pytest.mark.parametrize(
    ("body", "code", "in_data"),
    [
        (b"", "INVALID_DATA", False),
        (b'{"data":[{"Locked_', "INVALID_DATA", False),
        (b"[]", "INVALID_DATA", False),
        (b"{}", "MANDATORY_NOT_FOUND", False),
        (b'{"data":{}}', "MANDATORY_NOT_FOUND", False),
        (b'{"data":[]}', "INVALID_DATA", False),
        (b'{"data":[{"Locked_Reason__s":"a"},{"Locked_Reason__s":"b"}]}', "INVALID_DATA", False),
        (b'{"data":["a"]}', "INVALID_DATA", False),
        (b'{"data":[{}]}', "MANDATORY_NOT_FOUND", True),
        (b'{"data":[{"Locked_Reason__s":null}]}', "MANDATORY_NOT_FOUND", True),
        (b'{"data":[{"Locked_Reason__s":" "}]}', "MANDATORY_NOT_FOUND", True),
        (b'{"data":[{"Locked_Reason__s":"' + b"x" * 3001 + b'"}]}', "INVALID_DATA", True),
    ],
)
def test_a_body_without_exactly_one_valid_reason_is_refused(
    body: bytes, code: str, in_data: bool
) -> None:
    async def script(client: SimulatorClient) -> None:
        path = f"/crm/v7/Leads/{RECORD}/Locking_Information__s"
        for response in (
            await client.call("PUT", f"{path}/{LOCK}", data=body),
            await client.call("POST", path, data=body),
        ):
            assert (response.status, response.code) == (400, code)
            assert ("data" in response.content) == in_data
        assert client.simulator.locks.by_record == {}

    run_script(script)


def test_a_reason_may_have_3000_characters_of_any_script() -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.put(reason="ж" * 3000)).status == 200

    run_script(script)


def test_a_call_needs_no_content_type() -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.put(skip_auto_headers=["Content-Type"])).status == 200

    run_script(script)


def test_the_org_and_its_user_can_be_read() -> None:
    async def script(client: SimulatorClient) -> None:
        org = (await client.call("GET", "/crm/v8/org")).content["org"][0]
        assert org["zgid"] == ORGANIZATION_ID
        assert org["type"] == "production"
        assert (await client.call("GET", "/crm/v8/users?type=CurrentUser")).status == 200

    run_script(script)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("fields?module=Locking_Information__s", 204),
        ("record_locking_configurations?module=Leads", 200),
        ("record_locking_configurations?module=Not_Configured", 204),
        ("record_locking_configurations?module=No_Such_Module", 400),
        ("record_locking_configurations?module=leads", 400),
        ("record_locking_configurations", 400),
    ],
)
def test_settings_are_answered(query: str, status: int) -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await client.call("GET", f"/crm/v8/settings/{query}")).status == status

    run_script(script)
