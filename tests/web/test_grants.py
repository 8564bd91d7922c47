"""Several orgs on one page: who sees which, and who may send."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.page_server import PageServer, add_person, served_page, signed_in
from support.visitor import Visitor, csv_content, write_config

from batchlock import config
from batchlock.core.options import RunOptions
from batchlock.core.org import StoredOrg
from batchlock.store.audit_log import LogFilter
from batchlock.store.grants import EVERY_ORG, Grant, Right, Role
from batchlock.store.store import Store
from batchlock.web.app import create_app
from batchlock.web.observer import PageObserver
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.server_locks import ServerLocks

ORGS = ("acme", "globex", "initech")
# What a preparer may post; everything else makes calls to Zoho.
PREPARATIONS = {
    "/files",
    "/files/0123456789abcdef/read",
    "/files/0123456789abcdef/correct",
    "/files/0123456789abcdef/ask",
    "/runs/20260314-020304-1f3a/ask",
    "/approvals/0123456789abcdef/withdraw",
    "/files/0123456789abcdef/remove",
    "/unreadable/remove",
    "/choices/remove",
    "/choices/agree",
    "/runs/20260314-020304-1f3a/use",
}
# What only an administrator may post.
ADMINISTRATION = {f"/connection/{name}" for name in ("begin", "ask", "use", "cancel")} | {
    "/runs/20260314-020304-1f3a/move"
}
PEOPLE = ("Vera", "Pia", "Sam", "Ada", "Noel")
GRANTS = (
    Grant(person="Vera", org="acme", role=Role.VIEWER),
    Grant(person="Pia", org="acme", role=Role.PREPARER),
    Grant(person="Sam", org="acme", role=Role.SENDER),
    Grant(person="Sam", org="globex", role=Role.VIEWER),
    Grant(person="Ada", org=EVERY_ORG, role=Role.ADMINISTRATOR),
)


@pytest.fixture(scope="module")
def orgs_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page for three orgs, with grants for four of five people."""
    folder = tmp_path_factory.mktemp("orgs")
    write_config(folder)
    with Store(folder / "state") as store:
        store.orgs.put(
            [StoredOrg(name=name, data_center="eu", environment="sandbox") for name in ORGS]
        )
        for grant in GRANTS:
            store.grants.put(grant)
    for person in PEOPLE:
        add_person(folder, person)
    with served_page(folder) as page:
        yield page


@pytest.fixture(scope="module")
def people(orgs_page: PageServer) -> dict[str, Visitor]:
    return {name: signed_in(orgs_page, name) for name in PEOPLE}


def routes_of_orgs(folder: Path) -> list[tuple[str, str]]:
    """Return the method and the path below the org of every route of an org."""
    settings, options = config.load(file=folder / "config.yaml", environment={}), RunOptions()
    with Store(folder / "state") as store:
        orgs = ServedOrgs(settings, options, store)
        locks = ServerLocks(folder / "other")
        app = create_app(
            settings, options, store, orgs, locks, host="", on_link=print, observer=PageObserver()
        )
        paths = [
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None
        ]
    values = {"run": "20260314-020304-1f3a", "id": "0123456789abcdef", "format": "xlsx"}
    values["approval"] = values["id"]
    return [
        (
            method,
            re.sub(r"\{(\w+)\}", lambda name: values[name[1]], path.removeprefix("/orgs/{org}")),
        )
        for method, path in paths
        if path.startswith("/orgs/")
    ]


def answer(visitor: Visitor, method: str, path: str) -> tuple[int, str]:
    if method == "POST" and path.endswith("/files"):
        response = visitor.upload()
    elif method == "POST":
        response = visitor.post(path)
    else:
        response = visitor.request(method, path)
    is_html = "text/html" in (response.headers["Content-Type"] or "")
    return response.status, response.words if is_html and method != "HEAD" else ""


def test_every_route_of_an_org_checks_the_grants(
    orgs_page: PageServer, people: dict[str, Visitor]
) -> None:
    routes = routes_of_orgs(orgs_page.folder)
    assert ("POST", "/files") in routes
    assert ("HEAD", "") in routes
    for method, path in routes:
        for name, org in (("Vera", "globex"), ("Sam", "initech"), ("Noel", "acme"),
                          ("Ada", "nowhere")):  # fmt: skip
            people[name].home = f"/orgs/{org}"
            status, words = answer(people[name], method, f"/orgs/{org}{path}")
            assert status == 404, (name, method, path)
            assert "There is nothing here" in words or method == "HEAD"
        for name, org in (("Vera", "acme"), ("Sam", "globex")):
            people[name].home = f"/orgs/{org}"
            status, words = answer(people[name], method, f"/orgs/{org}{path}")
            is_refused = any(
                sentence in words
                for sentence in (
                    f"You can look at {org}, but not send to it.",
                    f"You may not change how {org} is set up.",
                )
            )
            assert (status == 403 and is_refused) == (method == "POST"), (name, method, path)
        people["Pia"].home = "/orgs/acme"
        status, words = answer(people["Pia"], method, f"/orgs/acme{path}")
        is_refused = status == 403 and (
            "You may not change how acme is set up." in words
            if path in ADMINISTRATION
            else "prepare files for acme, but not send" in words
        )
        assert is_refused == (method == "POST" and path not in PREPARATIONS), (method, path)
        if path in ADMINISTRATION:
            assert answer(people["Sam"], method, f"/orgs/acme{path}")[0] == 403, path
        people["Ada"].home = "/orgs/acme"
        assert answer(people["Ada"], method, f"/orgs/acme{path}")[0] != 403, (method, path)


def test_a_request_without_the_right_is_recorded(
    orgs_page: PageServer, people: dict[str, Visitor]
) -> None:
    people["Vera"].post("/orgs/acme/connection/begin?a%0Ab")
    people["Vera"].get("/orgs/globex/history")
    people["Vera"].get("/orgs/globex/locks", {"Sec-Fetch-Dest": "empty"})  # an open page asks
    with Store(orgs_page.state) as store:
        entries = {
            org: [
                (entry.person, entry.subject)
                for entry in store.audit_log.entries(LogFilter(orgs=[org]), limit=1_000)
                if entry.action == "had no right for"
            ]
            for org in ("acme", "globex")
        }
    assert entries["acme"][0] == ("Vera", "POST /connection/begin")
    assert entries["globex"][0] == ("Vera", "GET /history")


def test_a_person_sees_the_granted_orgs_only(people: dict[str, Visitor]) -> None:
    assert people["Vera"].get("/").location == "/orgs/acme"
    everything, some = people["Ada"].get("/").words, people["Sam"].get("/").words
    assert all(org in everything for org in ORGS)
    assert "globex" in some
    assert "initech" not in some
    assert "initech" not in people["Sam"].get("/overview").text
    nobody = people["Noel"].get("/")
    assert nobody.status == 200
    assert "There is no org for you yet" in nobody.words
    assert "--" not in nobody.words  # who reads this has no terminal
    assert not any(org in nobody.words for org in ORGS)


def test_a_viewer_finds_no_button_that_sends(people: dict[str, Visitor]) -> None:
    sam, ada = people["Sam"], people["Ada"]
    ada.home = "/orgs/globex"
    upload = ada.check("seen.csv", csv_content(2, first=1))
    assert "/start" in ada.get(upload).text
    for path in ("/orgs/globex", "/orgs/globex/locks", upload):
        page = sam.get(path).text
        assert "You can look at globex" in page
        assert re.findall(r'method="post" action="([^"]+)"', page) == ["/logout"], path


def test_a_preparer_uploads_and_finds_no_button_that_sends(people: dict[str, Visitor]) -> None:
    pia = people["Pia"]
    pia.home = "/orgs/acme"
    check = pia.check("prepared.csv", csv_content(2, first=30))
    page = pia.get(check)
    assert "prepare files for acme, but not send them" in page.words
    assert f"{check}/read" in page.text
    assert f"{check}/start" not in page.text
    assert pia.post(f"{check}/start").status == 403
    assert pia.post(f"{check}/remove").status == 303


def test_an_upload_belongs_to_one_org(people: dict[str, Visitor]) -> None:
    ada = people["Ada"]
    ada.home = "/orgs/acme"
    upload = ada.check("own.csv", csv_content(2, first=10))
    number = upload.rpartition("/")[2]
    assert ada.get(f"/orgs/globex/files/{number}").status == 404
    assert ada.get(f"/files/{number}").location == upload
    assert "acme" in ada.get(upload).words


def test_grants_are_given_listed_and_taken(
    orgs_page: PageServer, run_in_process: RunCommand
) -> None:
    def serve(*options: object) -> tuple[int, str]:
        done = run_in_process("serve", "--config", orgs_page.config, *options)
        return done.code, done.out + done.err

    add_person(orgs_page.folder, "Gail")
    assert "Gail: no org" in serve("--users")[1]
    assert serve("--grant", "Gail=initech:viewer") == (0, "Gail is viewer of initech.\n")
    assert serve("--grant", "gAIL=globex") == (0, "Gail is sender of globex.\n")
    assert "Gail: globex sender, initech viewer" in serve("--users")[1]
    for wrong in ("Gail", "Nobody=acme", "Gail=nowhere", "Gail=acme:king"):
        assert serve("--grant", wrong)[0] == 2, wrong
    assert serve("--revoke", "gail=initech")[0] == 0
    code, words = serve("--revoke", "Gail=initech")
    assert code == 2
    assert "--users" in words
    assert serve("--remove-user", "GAIL")[0] == 0
    with Store(orgs_page.state) as store:
        assert not [grant for grant in store.grants.all() if grant.person == "Gail"]
        entries = [
            entry
            for org in ("default", "globex", "initech")
            for entry in store.audit_log.entries(LogFilter(orgs=[org]), limit=50)
            if entry.person.startswith("terminal (")
        ]
    assert {(entry.org, f"{entry.action} {entry.subject}") for entry in entries} == {
        ("initech", "granted Gail=initech:viewer"),
        ("globex", "granted Gail=globex:sender"),
        ("initech", "revoked Gail=initech"),
        ("default", "removed the user Gail"),
    }


def test_without_any_grant_everybody_sees_everything(
    tmp_path: Path, run_in_process: RunCommand
) -> None:
    file = write_config(tmp_path)
    add_person(tmp_path, "Gail")
    with Store(tmp_path / "state") as store:
        assert store.grants.access("Gail").may(Right.SEND, "anything")
    first = run_in_process("serve", "--config", file, "--grant", "Gail=default")
    assert "people without a grant see no org" in first.out
    with Store(tmp_path / "state") as store:
        assert not store.grants.access("Hugo").may(Right.SEE, "default")
    last = run_in_process("serve", "--config", file, "--revoke", "Gail=default")
    assert "everybody who may sign in sees every org" in last.out
    with Store(tmp_path / "state") as store:
        assert store.grants.access("Hugo").may(Right.SEND, "default")


def test_whoever_came_by_a_link_has_all_rights(tmp_path: Path) -> None:
    with Store(tmp_path / "state") as store:
        store.grants.put(Grant(person="Gone", org="acme", role=Role.VIEWER))
        assert store.grants.access("local user").may(Right.SEND, "acme")
        store.people.put("Anna", "hash")
        assert not store.grants.access("Anna").may(Right.SEE, "acme")
