"""What Zoho says about an org, from real answers and from answers with something missing."""

import asyncio
import json
from typing import Any

import pytest
from support.http_server import answer_with, http_response, raw_server
from support.zoho_calls import RotatingTokens, envelope

from batchlock.core.org import OrgModule
from batchlock.core.reply import Reply, Verdict
from batchlock.zoho.client import Client, Endpoint, session
from batchlock.zoho.org import EDITIONS, modules_of, org_of

ORG = {
    "id": "990000000000000001",
    "zgid": "990000000",
    "company_name": "Acme",
    "type": "production",
    "license_details": {"paid_type": "enterprise", "users_license_purchased": 20},
}


def org_with(**details: object) -> Any:
    return {"org": [{**ORG, "license_details": details}]}


@pytest.mark.parametrize(
    ("paid_type", "users", "cap", "credits_"),
    [
        ("free", 3, 5, 5_000),
        ("free", None, 5, 5_000),
        ("standard", 10, 10, 52_500),
        ("crmplusstarter", 10_000, 10, 100_000),
        ("professional", 10, 15, 55_000),
        ("enterprise", 20, 20, 70_000),
        ("Enterprise", 100_000, 20, 5_000_000),
        ("zohooneenterprise", 1, 20, 51_000),
        ("zohoonestandard", 1, 20, 51_000),
        ("ultimate", 100_000, 25, 200_050_000),
        ("crmplus", 1, 25, 52_000),
        ("crmplus", None, 25, None),
        ("galactic", 20, None, None),
        ("", 20, None, None),
        (None, -1, None, None),
    ],
)
def test_the_limits_follow_from_the_edition(
    paid_type: object, users: object, cap: int | None, credits_: int | None
) -> None:
    org = org_of(org_with(paid_type=paid_type, users_license_purchased=users))
    assert org is not None
    assert (org.in_flight_cap, org.day_credits) == (cap, credits_)


def test_no_edition_allows_fewer_than_five_calls() -> None:
    assert min(edition.in_flight_cap for edition in EDITIONS.values()) == 5


@pytest.mark.parametrize("body", [None, [], {}, {"org": []}, {"org": ["x"]}, {"org": {}}])
def test_a_body_without_an_org_says_nothing(body: object) -> None:
    assert org_of(body) is None


def test_a_field_that_is_missing_or_odd_is_not_said() -> None:
    org = org_of({"org": [{"id": 42, "type": ["x"], "license_details": "free", "zgid": "a\nb"}]})
    assert org is not None
    assert (org.ids, org.org_type, org.edition, org.users) == (("42",), "", "", None)


def test_modules_are_read_with_their_labels() -> None:
    deals = {
        "api_name": "Deals",
        "module_name": "Potentials",
        "singular_label": "Opportunity",
        "plural_label": "Opportunities",
        "actual_singular_label": "Deal",
        "actual_plural_label": None,
        "id": "1",
    }
    assert modules_of({"modules": [deals, {"api_name": ""}, "x", {"module_name": "y"}]}) == (
        OrgModule(
            api_name="Deals",
            module_name="Potentials",
            singular_label="Opportunity",
            plural_label="Opportunities",
            actual_singular_label="Deal",
        ),
    )
    assert modules_of({"modules": {}}) is None
    assert modules_of(None) is None


def ask(question: str, answer: bytes) -> tuple[Reply, list[bytes]]:
    async def main() -> tuple[Reply, list[bytes]]:
        async with raw_server(answer_with(answer)) as server, session(limit=0) as http:
            client = Client(Endpoint(api_url=server.url), RotatingTokens(), http)
            return await getattr(client, question)(), server.requests

    return asyncio.run(main())


def test_the_questions_go_to_their_addresses() -> None:
    reply, sent = ask("get_org", http_response(200, json.dumps({"org": [ORG]}).encode()))
    assert reply.verdict is Verdict.ACCEPTED
    assert reply.org is not None
    assert reply.org.company_name == "Acme"
    assert sent[0].startswith(b"GET /crm/v7/org HTTP")
    reply, sent = ask("get_modules", http_response(200, b'{"modules": []}'))
    assert (reply.verdict, reply.modules) == (Verdict.ACCEPTED, ())
    feature = b"feature_name=record_locking_configurations"
    assert sent[0].startswith(b"GET /crm/v7/settings/modules?" + feature + b" HTTP")
    assert ask("get_modules", http_response(204, b""))[0].modules == ()


@pytest.mark.parametrize(
    ("question", "scope"),
    [("get_org", "ZohoCRM.org.READ"), ("get_modules", "ZohoCRM.settings.modules.READ")],
)
def test_a_missing_scope_is_named(question: str, scope: str) -> None:
    mismatch = http_response(401, json.dumps(envelope("OAUTH_SCOPE_MISMATCH")).encode())
    reply, _ = ask(question, mismatch)
    assert (reply.verdict, reply.missing_scope) == (Verdict.DENIED, scope)
    fault = http_response(500, json.dumps(envelope("INTERNAL_ERROR")).encode())
    reply, _ = ask(question, fault)
    assert (reply.verdict, reply.missing_scope) == (Verdict.BROKEN, "")
    assert ask(question, http_response(200, b"{}"))[0].verdict is Verdict.LOST
