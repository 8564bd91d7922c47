"""An org is connected on the page: a code is accepted at Zoho, looked at, and used."""

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support.commands import TIMEOUT_SECONDS
from support.page_server import PageServer, served_page
from support.visitor import PageResponse, Visitor, csv_content, write_config
from support.zoho import StandIn, stand_in_on

from batchlock.core.org import StoredOrg
from batchlock.simulator.scopes import DEFAULT_SCOPES
from batchlock.store.audit_log import LogFilter
from batchlock.store.sealing import KEY_FILE
from batchlock.store.store import Store

CLIENT = {"client_id": "1004.me", "client_secret": "hush-hush"}
ORGS = ("acme", "pinned", "box", "narrow", "later", "wrong", "again")


@pytest.fixture(scope="module")
def zoho(stand_in_loop: asyncio.AbstractEventLoop) -> Iterator[StandIn]:
    with stand_in_on(stand_in_loop) as zoho:
        yield zoho


@pytest.fixture(scope="module")
def page(zoho: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page for orgs without a sign-in, one of which is another org than the stand-in."""
    folder = tmp_path_factory.mktemp("connection")
    write_config(folder)
    with Store(folder / "state") as store:
        store.orgs.put(
            [
                StoredOrg(
                    name=name,
                    data_center="eu",
                    environment="sandbox" if name == "box" else "production",
                    api_url=zoho.url,
                    accounts_url=zoho.url,
                    settings={"zoho": {"organization_id": "42"}} if name == "pinned" else {},
                )
                for name in ORGS
            ]
        )
    with served_page(folder) as page:
        yield page


@pytest.fixture(scope="module")
def ada(page: PageServer) -> Visitor:
    return page.visitor()


def path(org: str, name: str = "") -> str:
    return f"/orgs/{org}/connection{name}"


def begin(ada: Visitor, org: str, **changed: str) -> str:
    """Ask for a code; return the address where it is accepted."""
    answer = ada.post(path(org, "/begin"), {**CLIENT, **changed})
    assert answer.location == path(org), answer.words
    link = re.search(r'href="([^"]+)" target="_blank"', ada.get(path(org)).text)
    assert link is not None
    return unescape(link[1])


def decide(link: str, decision: str = "approve") -> None:
    with urllib.request.urlopen(
        link, urlencode({"decision": decision}).encode(), timeout=TIMEOUT_SECONDS
    ) as response:
        assert response.status == 200


def accept(ada: Visitor, org: str, **changed: str) -> PageResponse:
    """Ask for a code, accept it, and say so; return the page."""
    decide(begin(ada, org, **changed))
    assert ada.post(path(org, "/ask")).status == 303
    return ada.get(path(org))


def use(ada: Visitor, org: str, page: PageResponse) -> PageResponse:
    code = re.search(r'name="user_code" value="(\w+)"', page.text)
    return ada.post(path(org, "/use"), {"user_code": code[1] if code else ""})


def is_connected(page: PageServer, org: str) -> bool:
    with Store(page.state) as store:
        return org in store.orgs.with_secrets()


def test_what_is_connected_is_shown_before_it_is_used(
    page: PageServer, ada: Visitor, zoho: StandIn
) -> None:
    assert "Nothing can be sent to acme" in ada.get(path("acme")).words
    assert "Nothing can be sent to acme yet" in ada.get("/orgs/acme").words
    shown = accept(ada, "acme")
    for words in ("Signed in as Rehearsal", "Rehearsal Ltd", "production", "ultimate"):
        assert words in shown.words
    assert not is_connected(page, "acme")
    assert use(ada, "acme", shown).location == path("acme")
    assert is_connected(page, "acme")
    assert "Nothing can be sent" not in ada.get("/orgs/acme").words
    assert "ultimate" in ada.get(path("acme")).words
    checked = ada.post(path("acme", "/check"))
    assert "The connection works: signed in as" in checked.words
    with Store(page.state) as store:
        stored = store.orgs.get("acme")
        assert stored is not None
        # A sign-in to another org is refused from now on.
        assert stored.settings["zoho"] == {"organization_id": zoho_org(zoho)}
        entries = store.audit_log.entries(LogFilter(orgs=["acme"]), limit=50)
    log = " ".join(f"{each.action} {each.subject}" for each in entries)
    assert "connected acme to Rehearsal" in log
    everything = checked.text + ada.get("/orgs/acme/log").text + log
    assert "hush-hush" not in everything
    ada.home = "/orgs/acme"
    run = ada.start("a.csv", csv_content(2, first=1))
    assert "2 rows" in ada.results(run).words


def zoho_org(zoho: StandIn) -> str:
    """Return the id by which the stand-in names its org."""
    form = {"grant_type": "refresh_token", "refresh_token": "any", **CLIENT}
    with urllib.request.urlopen(f"{zoho.url}/oauth/v2/token", urlencode(form).encode()) as answer:
        token = json.load(answer)["access_token"]
    request = urllib.request.Request(
        f"{zoho.url}/crm/v7/org", headers={"Authorization": f"Zoho-oauthtoken {token}"}
    )
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["org"][0]["zgid"])


def test_zoho_is_not_asked_more_often_than_it_allows(ada: Visitor, zoho: StandIn) -> None:
    begin(ada, "later")
    before = len(zoho.log())
    for _ in range(3):
        assert "Accept this code" in ada.get(path("later")).words
        assert ada.post(path("later", "/ask")).status == 303
    # The page waits with its own questions, so that the one of the person is answered at once.
    assert len(zoho.log()) == before + 1
    assert ada.post(path("later", "/cancel")).status == 303
    assert "Accept this code" not in ada.get(path("later")).words


@pytest.mark.parametrize(
    ("org", "words"),
    [("pinned", "not for 42"), ("box", "of the type production")],
)
def test_another_org_than_the_expected_one_cannot_be_used(
    page: PageServer, ada: Visitor, org: str, words: str
) -> None:
    shown = accept(ada, org)
    assert "This sign-in cannot be used" in shown.words
    assert words in shown.words
    assert "batchlock login" not in shown.words
    assert use(ada, org, shown).status == 409
    assert not is_connected(page, org)


def test_rights_that_zoho_did_not_give_are_named(ada: Visitor, zoho: StandIn) -> None:
    zoho.change("behaviour", {"scopes": ["ZohoCRM.modules.ALL", "ZohoCRM.org.READ"]})
    try:
        shown = accept(ada, "narrow")
    finally:
        zoho.change("behaviour", {"scopes": sorted(DEFAULT_SCOPES)})
    assert "Zoho did not give these rights" in shown.words
    assert "ZohoCRM.coql.READ" in shown.words
    assert "Signed in as" not in shown.words  # that is one of the rights


def test_a_rejected_code_ends_the_sign_in(ada: Visitor) -> None:
    decide(begin(ada, "later"), "deny")
    assert ada.post(path("later", "/ask")).status == 303
    assert "rejected at Zoho" in ada.get(path("later")).words


def test_a_wrong_client_is_named_in_the_words_of_the_page(ada: Visitor) -> None:
    answer = ada.post(path("wrong", "/begin"), {"client_id": "", "client_secret": "x"})
    assert (answer.status, "Enter client id" in answer.words) == (422, True)
    answer = ada.post(path("wrong", "/begin"), {**CLIENT, "client_id": "wrong"})
    assert answer.status == 502
    assert "client id" in answer.words
    assert "batchlock login" not in answer.words


def test_only_the_sign_in_that_was_shown_can_be_used(page: PageServer, ada: Visitor) -> None:
    shown = accept(ada, "again")
    begin(ada, "again")
    assert use(ada, "again", shown).status == 409
    assert not is_connected(page, "again")


def test_a_sign_in_of_the_configuration_is_changed_there(org: StandIn, tmp_path: Path) -> None:
    org.config(tmp_path / "config.yaml", state_directory=str(tmp_path / "state"))
    with served_page(tmp_path) as page:
        visitor = page.visitor()
        assert "changed there" in visitor.get(path("default")).words
        assert not (page.state / KEY_FILE).exists()  # who only looks makes no key, and needs none
        assert visitor.post(path("default", "/begin"), CLIENT).status == 409


def test_a_rehearsal_needs_no_sign_in(tmp_path: Path) -> None:
    write_config(tmp_path)
    with served_page(tmp_path, simulate=True) as page:
        visitor = page.visitor()
        assert "takes every sign-in" in visitor.get(path("simulator")).words
        assert visitor.post(path("simulator", "/begin"), CLIENT).status == 409
