"""Lists of records, page by page."""

from datetime import UTC, datetime, timedelta

import pytest
from support.inventories import AUTOMATIC, FREE, LOCKED, OTHERS, leads
from support.simulator_client import Response, SimulatorClient, run_script

from batchlock.simulator import sample_inventory
from batchlock.simulator.lists import TOKEN_LIFETIME

FIELDS = "fields=Full_Name,Locked__s,Email"


class WallClock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


async def listed(client: SimulatorClient, query: str, module: str = "Leads") -> Response:
    return await client.call("GET", f"/crm/v8/{module}?{query}")


def ids(response: Response) -> list[str]:
    return [item["id"] for item in response.content["data"]]


async def view_id(client: SimulatorClient, name: str) -> str:
    path = "/crm/v8/settings/custom_views?module=Leads"
    views = (await client.call("GET", path)).content["custom_views"]
    (view,) = [view for view in views if view["name"] == name]
    return str(view["id"])


def test_a_list_has_the_requested_fields_of_the_newest_records_first() -> None:
    async def script(client: SimulatorClient) -> None:
        response = await listed(client, FIELDS)
        assert ids(response) == [OTHERS, AUTOMATIC, LOCKED, FREE]
        assert response.content["data"][3] == {
            "id": FREE,
            "Full_Name": "Ada Free",
            "Locked__s": False,
        }
        assert response.content["info"]["more_records"] is False
        assert response.content["info"]["next_page_token"] is None
        assert client.simulator.ledger.credits_used == 1

    run_script(script, inventory=leads())


def test_a_list_shows_what_calls_changed() -> None:
    async def script(client: SimulatorClient) -> None:
        await client.post(FREE)
        (item,) = (await listed(client, f"{FIELDS}&ids={FREE}")).content["data"]
        assert item["Locked__s"] is True

    run_script(script, inventory=leads())


def test_ids_name_records_beyond_the_inventory() -> None:
    async def script(client: SimulatorClient) -> None:
        other = "5843104000000425565"
        data = (await listed(client, f"{FIELDS}&ids={FREE},{other}")).content["data"]
        assert data[0] == {"id": other, "Full_Name": "Leads 5565", "Locked__s": True}
        await client.control("POST", "inventory", {"complete": True})
        assert (await listed(client, f"{FIELDS}&ids={other}")).status == 204

    run_script(script, inventory=leads())


def test_a_view_selects_the_locked_records_for_three_credits() -> None:
    async def script(client: SimulatorClient) -> None:
        stock = await view_id(client, "Locked Records")
        before = client.simulator.ledger.credits_used
        response = await listed(client, f"{FIELDS}&cvid={stock}")
        assert ids(response) == [OTHERS, AUTOMATIC, LOCKED]
        assert client.simulator.ledger.credits_used == before + 3
        mine = await view_id(client, "My locked records")
        assert (await listed(client, f"{FIELDS}&cvid={mine}")).status == 204
        await client.post(FREE)
        assert ids(await listed(client, f"{FIELDS}&cvid={mine}")) == [FREE]

    run_script(script, inventory=leads())


def test_a_view_that_is_switched_off_is_refused() -> None:
    async def script(client: SimulatorClient) -> None:
        stock = await view_id(client, "Locked Records")
        await client.control("POST", "behaviour", {"locked_view": False})
        refused = await listed(client, f"{FIELDS}&cvid={stock}")
        assert (refused.status, refused.content["details"]) == (400, {"param_name": "cvid"})

    run_script(script)


def test_pages_go_on_by_number_and_by_token() -> None:
    async def script(client: SimulatorClient) -> None:
        first = await listed(client, f"{FIELDS}&per_page=3")
        token = first.content["info"]["next_page_token"]
        assert first.content["info"]["more_records"] is True
        second = await listed(client, f"{FIELDS}&per_page=3&page=2")
        by_token = await listed(client, f"{FIELDS}&per_page=3&page_token={token}")
        assert ids(first) + ids(second) == [OTHERS, AUTOMATIC, LOCKED, FREE]
        assert ids(by_token) == ids(second)
        assert by_token.content["info"]["page"] == 2
        assert (await listed(client, f"{FIELDS}&per_page=3&page=3")).status == 204

    run_script(script, inventory=leads())


def test_only_a_token_reaches_beyond_2000_records() -> None:
    async def script(client: SimulatorClient) -> None:
        query = f"{FIELDS}&per_page=200"
        tenth = await listed(client, f"{query}&page=10")
        assert len(ids(tenth)) == 200
        refused = await listed(client, f"{query}&page=11")
        assert (refused.status, refused.code) == (400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED")
        token = tenth.content["info"]["next_page_token"]
        eleventh = await listed(client, f"{query}&page_token={token}")
        assert len(ids(eleventh)) == 4
        assert int(ids(eleventh)[0]) < int(ids(tenth)[-1])

    run_script(script, inventory=sample_inventory(2_004 * 5))


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ("per_page=201", "INVALID_DATA", "per_page"),
        ("per_page=0", "INVALID_DATA", "per_page"),
        ("page=x", "INVALID_DATA", "page"),
        ("page_token=x", "INVALID_DATA", "page_token"),
        ("page_token=eHg=", "INVALID_DATA", "page_token"),
        ("page_token=W10=", "INVALID_DATA", "page_token"),
        ("ids=1,x", "INVALID_DATA", "ids"),
        ("cvid=7", "INVALID_DATA", "cvid"),
        ("page=1&page_token=x", "AMBIGUITY_DURING_PROCESSING", None),
    ],
)
def test_a_wrong_parameter_is_named(query: str, code: str, parameter: str | None) -> None:
    async def script(client: SimulatorClient) -> None:
        refused = await listed(client, f"{FIELDS}&{query}")
        assert (refused.status, refused.code) == (400, code)
        assert refused.content["details"].get("param_name") == parameter

    run_script(script, inventory=leads())


def test_a_list_needs_fields_and_a_module() -> None:
    async def script(client: SimulatorClient) -> None:
        assert (await listed(client, "")).code == "REQUIRED_PARAM_MISSING"
        assert (await listed(client, FIELDS, "leads")).code == "INVALID_MODULE"
        assert (await listed(client, f"{FIELDS}&ids={','.join([FREE] * 101)}")).status == 400

    run_script(script)


def test_a_token_is_bound_to_its_list() -> None:
    async def script(client: SimulatorClient) -> None:
        first = await listed(client, f"{FIELDS}&per_page=1")
        token = first.content["info"]["next_page_token"]
        other = await listed(client, f"{FIELDS}&page_token={token}", "Deals")
        assert other.content["details"] == {"param_name": "page_token"}

    run_script(script, inventory=leads())


def test_a_token_expires_after_a_day() -> None:
    async def script(client: SimulatorClient) -> None:
        first = await listed(client, f"{FIELDS}&per_page=1")
        token = first.content["info"]["next_page_token"]
        path = f"{FIELDS}&per_page=1&page_token={token}"
        clock.now += TOKEN_LIFETIME - timedelta(seconds=1)
        assert (await listed(client, path)).status == 200
        clock.now += timedelta(seconds=1)
        expired = await listed(client, path)
        assert (expired.status, expired.code) == (400, "EXPIRED_VALUE")

    clock = WallClock()
    run_script(script, inventory=leads(), now=clock)
