"""The org: its edition and limits, its modules and views, the scopes of a token, the host name."""

import pytest
from support.inventories import FREE, leads
from support.simulator_client import SimulatorClient, run_script

from batchlock.simulator import DEFAULT_SCOPES, Behaviour, Edition, OrgType

LOCKABLE = "/crm/v8/settings/modules?feature_name=record_locking_configurations"


def test_the_org_is_the_configured_one() -> None:
    async def script(client: SimulatorClient) -> None:
        org = (await client.call("GET", "/crm/v8/org")).content["org"][0]
        assert org["license_details"]["paid_type"] == "zohooneenterprise"
        assert org["license_details"]["users_license_purchased"] == 7
        assert (org["type"], org["zgid"]) == ("sandbox", "123456")
        assert (org["company_name"], org["time_zone"]) == ("Zylker", "Asia/Kolkata")

    behaviour = Behaviour(
        edition=Edition.ZOHO_ONE_ENTERPRISE,
        users=7,
        org_type=OrgType.SANDBOX,
        org_id="123456",
        company_name="Zylker",
        time_zone="Asia/Kolkata",
    )
    run_script(script, behaviour)


@pytest.mark.parametrize(
    ("edition", "cap", "credit_limit"),
    [
        (Edition.FREE, 5, 5_000),
        (Edition.STANDARD, 10, 52_500),
        (Edition.PROFESSIONAL, 15, 55_000),
        (Edition.ENTERPRISE, 20, 60_000),
        (Edition.ULTIMATE, 25, 70_000),
        (Edition.CRM_PLUS, 25, 70_000),
        (Edition.CRM_PLUS_STARTER, 10, 52_500),
        (Edition.ZOHO_ONE_ENTERPRISE, 20, 60_000),
        (Edition.ZOHO_ONE_STANDARD, 20, 60_000),
    ],
)
def test_the_edition_gives_cap_and_credits(edition: Edition, cap: int, credit_limit: int) -> None:
    behaviour = Behaviour(edition=edition, users=10, credits="edition")
    assert (behaviour.most_in_flight, behaviour.credit_limit) == (cap, credit_limit)
    behaviour = Behaviour(edition=edition, in_flight_cap=3)
    assert (behaviour.most_in_flight, behaviour.credit_limit) == (3, None)


def test_the_credits_of_an_edition_have_an_end() -> None:
    behaviour = Behaviour(edition=Edition.STANDARD, users=10_000, credits="edition")
    assert behaviour.credit_limit == 100_000


def test_the_lockable_modules_have_their_labels() -> None:
    async def script(client: SimulatorClient) -> None:
        modules = (await client.call("GET", LOCKABLE)).content["modules"]
        by_name = {module["api_name"]: module for module in modules}
        deals, invoices = by_name["Deals"], by_name["Invoices"]
        assert (deals["plural_label"], deals["actual_plural_label"]) == ("Opportunities", "Deals")
        assert deals["module_name"] == "Potentials"
        assert (invoices["singular_label"], invoices["actual_singular_label"]) == (
            "Factura",
            "Invoice",
        )
        assert by_name["Leads"]["plural_label"] == by_name["Leads"]["actual_plural_label"]
        custom = [one["module_name"] for one in modules if one["generated_type"] == "custom"]
        assert custom == ["CustomModule1", "CustomModule2"]

    run_script(script)


@pytest.mark.parametrize("feature", ["", "blueprint"])
def test_another_feature_of_modules_is_refused(feature: str) -> None:
    async def script(client: SimulatorClient) -> None:
        answer = await client.call("GET", f"/crm/v8/settings/modules?feature_name={feature}")
        assert (answer.status, answer.code) == (400, "INVALID_DATA")

    run_script(script)


@pytest.mark.parametrize("has_view", [True, False])
def test_a_module_has_the_stock_view_of_locked_records(has_view: bool) -> None:
    async def script(client: SimulatorClient) -> None:
        path = "/crm/v8/settings/custom_views?module=Leads"
        views = (await client.call("GET", path)).content["custom_views"]
        stock = [view["name"] for view in views if view["system_name"] == "LOCKED_RECORDS"]
        assert stock == (["Locked Records"] if has_view else [])
        assert [view["name"] for view in views if not view["system_defined"]] == [
            "Big customers",
            "My locked records",
        ]

    run_script(script, Behaviour(locked_view=has_view))


@pytest.mark.parametrize(
    ("query", "code"), [("", "REQUIRED_"), ("?module=leads", "INVALID_MODULE")]
)
def test_views_need_a_module(query: str, code: str) -> None:
    async def script(client: SimulatorClient) -> None:
        answer = await client.call("GET", f"/crm/v8/settings/custom_views{query}")
        assert answer.status == 400
        assert answer.code.startswith(code)

    run_script(script)


def test_the_locking_rules_are_those_of_the_inventory() -> None:
    async def script(client: SimulatorClient) -> None:
        path = "/crm/v8/settings/record_locking_configurations?module=Leads"
        (rules,) = (await client.call("GET", path)).content["record_locking_configurations"]
        assert rules["locking_rules"] == [{"id": "990000000000710001", "name": "Closed"}]

    run_script(script, inventory=leads())


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("ZohoCRM.org.READ", "GET", "/crm/v8/org"),
        ("ZohoCRM.users.READ", "GET", "/crm/v8/users"),
        ("ZohoCRM.settings.ALL", "GET", LOCKABLE),
        ("ZohoCRM.settings.ALL", "GET", "/crm/v8/settings/custom_views?module=Leads"),
        ("ZohoCRM.coql.READ", "POST", "/crm/v8/coql"),
        ("ZohoCRM.composite_requests.CUSTOM", "POST", "/crm/v8/__composite_requests"),
        ("ZohoCRM.modules.ALL", "GET", "/crm/v8/Leads?fields=id"),
        ("ZohoCRM.modules.ALL", "PUT", f"/crm/v8/Leads/{FREE}/Locking_Information__s/{FREE}"),
    ],
)
def test_a_call_without_its_scope_is_refused(scope: str, method: str, path: str) -> None:
    async def script(client: SimulatorClient) -> None:
        refused = await client.call(method, path)
        assert (refused.status, refused.code) == (401, "OAUTH_SCOPE_MISMATCH")
        assert client.simulator.ledger.credits_used == 0
        await client.control("POST", "behaviour", {"scopes": sorted(DEFAULT_SCOPES)})
        assert (await client.call(method, path)).status == 401  # the token stays what it was
        answer = await client.sign_in()
        assert scope in answer.content["scope"].split()
        assert (await client.call(method, path)).status != 401

    run_script(script, Behaviour(scopes=DEFAULT_SCOPES - {scope}))


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        ({"zohocrm.modules.leads.all"}, [204, 200, 401, 401]),
        ({"ZohoCRM.modules.READ"}, [204, 401, 204, 204]),
        ({"ZohoCRM.modules.salesorders.READ"}, [401, 401, 204, 401]),
        ({"ZohoCRM.modules.custom.ALL"}, [401, 401, 401, 204]),
    ],
)
def test_scopes_may_name_modules_and_operations(scopes: set[str], statuses: list[int]) -> None:
    async def script(client: SimulatorClient) -> None:
        assert [
            (await client.call("GET", "/crm/v8/Leads?fields=id")).status,
            (await client.put()).status,
            (await client.call("GET", "/crm/v8/Sales_Orders?fields=id")).status,
            (await client.call("GET", "/crm/v8/Visits?fields=id")).status,
        ] == statuses

    run_script(script, Behaviour(scopes=frozenset(scopes)))


def test_a_query_needs_the_scope_of_its_module() -> None:
    async def script(client: SimulatorClient) -> None:
        text = "select id from Leads where Locked__s = true"
        assert (await client.query(text)).status == 401
        assert (await client.query(text.replace("Leads", "Deals"))).status == 204

    scopes = frozenset({"ZohoCRM.coql.READ", "ZohoCRM.modules.deals.READ"})
    run_script(script, Behaviour(scopes=scopes))


def test_a_call_to_another_host_is_refused() -> None:
    async def script(client: SimulatorClient) -> None:
        refused = await client.put()
        assert (refused.status, refused.code) == (400, "INVALID_HOST")
        assert client.simulator.ledger.credits_used == 0
        assert (await client.put(headers={"Host": "zoho.example:8080"})).status == 200

    run_script(script, Behaviour(api_host="zoho.example"))
