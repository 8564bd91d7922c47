"""A server with something to show on every view of the page, and the path of each view."""

import asyncio
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import openpyxl
from playwright.sync_api import Page, expect

from batchlock.core.org import StoredOrg
from batchlock.store.grants import EVERY_ORG, Grant, Role
from batchlock.store.store import Store
from batchlock.web.runs.start_options import local_now
from support.browser import button
from support.commands import TIMEOUT_SECONDS
from support.inventories import RECORDS
from support.page_server import add_person, served_page, signed_in
from support.sheets import TITLES, rows
from support.visitor import HEADER, PageResponse, Visitor, csv_content, eventually, file_content
from support.zoho import StandIn, stand_in_on

_ROLES = {
    "Anna": (EVERY_ORG, Role.ADMINISTRATOR),
    "Ben": (EVERY_ORG, Role.ADMINISTRATOR),
    "Vera": ("acme", Role.VIEWER),
    "Noel": ("nowhere", Role.VIEWER),
}
# Four eyes hold for acme; nobody has connected these orgs.
_ORGS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("acme", "production", {"web": {"four_eyes": True}}),
    ("box", "sandbox", {}),
    ("crate", "production", {}),
    ("drum", "production", {}),
)


@dataclass(frozen=True, slots=True)
class View:
    """A page as one person sees it."""

    path: str
    person: str = "Anna"
    """Who looks at it; empty: somebody who has not signed in."""
    click: str = ""
    """The start of the name of the button that leads from the path to the view."""
    fill: Mapping[str, str] = field(default_factory=dict)
    """What is typed before that, by the name of the input."""


@dataclass(frozen=True, slots=True)
class EveryView:
    """The views of a server by name."""

    url: str
    cookies: Mapping[str, str]
    """By person."""
    views: Mapping[str, View]

    def open(self, tab: Page, name: str) -> None:
        """Show a view in a tab."""
        view = self.views[name]
        if view.person:
            cookie, _, value = self.cookies[view.person].partition("=")
            tab.context.add_cookies([{"name": cookie, "value": value, "url": self.url}])
        tab.goto(self.url + view.path)
        for field_name, text in view.fill.items():
            tab.locator(f'[name="{field_name}"]').first.fill(text)
        if view.click:
            button(tab, view.click).first.click()
            tab.wait_for_load_state()
        if name == "running":
            expect(tab.get_by_text("Sending.")).to_be_visible()

    def fetch(self, name: str, language: str = "en") -> PageResponse:
        """Return the answer to a browser with a language, without a browser."""
        view = self.views[name]
        visitor = Visitor(self.url, self.cookies.get(view.person, ""))
        accepted = {"Accept-Language": language}
        if not view.click:
            return visitor.get(view.path, accepted)
        page = visitor.get(view.path, {"Accept-Language": "en"})
        forms = re.findall(r'<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>', page.text, re.DOTALL)
        action, content = next(
            (action, content)
            for action, content in forms
            if re.search(rf"<button[^>]*>{re.escape(view.click)}", content)
        )
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', content))
        return visitor.post(action, {**hidden, **view.fill}, accepted)


@contextmanager
def every_view(
    loop: asyncio.AbstractEventLoop, folder: Path, translations: Path
) -> Iterator[EveryView]:
    """Serve the page with files and runs in every state; yield its views.

    `translations` is the folder with languages of the page besides English.
    """
    with stand_in_on(loop, "--latency", "100ms") as zoho:
        zoho.change("inventory", {"records": {"Leads": RECORDS}}, method="PATCH")
        zoho.config(
            folder / "config.yaml",
            state_directory=str(folder / "state"),
            retry={"attempts": 2, "first_wait": "10ms"},
            # One run goes on beside all tests: it should take little CPU.
            limits={"in_flight": 4},
            results={"previous_reason": "always"},
            web={"translations": str(translations)},
        )
        _add_orgs_and_people(folder, zoho)
        with served_page(folder) as page:
            people = {name: signed_in(page, name) for name in _ROLES}
            cookies = {name: person.cookie for name, person in people.items()}
            views = _views_of_default(people["Anna"]) | _views_of_others(people) | _ERRORS
            yield EveryView(page.url, cookies, views)


def _add_orgs_and_people(folder: Path, zoho: StandIn) -> None:
    with Store(folder / "state") as store:
        store.orgs.put(
            [
                StoredOrg(
                    name=name,
                    data_center="eu",
                    environment=environment,
                    api_url=zoho.url,
                    accounts_url=zoho.url,
                    settings=settings,
                )
                for name, environment, settings in _ORGS
            ]
        )
        for person, (org, role) in _ROLES.items():
            store.grants.put(Grant(person=person, org=org, role=role))
    for person in _ROLES:
        add_person(folder, person)


def _views_of_default(anna: Visitor) -> dict[str, View]:
    """Create files and runs of the org that the page can send to."""
    home = anna.home = "/orgs/default"
    found = anna.post(f"{home}/locks", {"module": "Leads"}).location
    files = _checked(anna, _FILES)
    results, done = (_started(anna, files[name]) for name in ("problems", "done"))
    for run in (found, results, done):
        anna.results(run)
    anna.results(anna.confirm(f"{results}/retry").location)  # so that the results have a story
    # Two that are interrupted: one ends, and one waits for somebody who resumes it.
    paused, stopped = (_started(anna, files[name]) for name in ("paused", "stopped"))
    for run, what in ((paused, "pause"), (stopped, "stop")):
        anna.post(f"{run}/{what}")
    anna.results(stopped)
    anna.wait_for(paused, "Nothing is sent until")
    # The check of a file says now what its run has left.
    again = _checked(anna, {name: _FILES[name] for name in ("problems", "done")})
    tomorrow = f"{local_now() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    options = {"with_options": "1", "start_at": tomorrow, "note": "Ticket 4711"}
    return {
        "home": View(home),
        "check": View(again["problems"]),
        "check-done": View(again["done"]),
        **{name: View(files[name]) for name in _SHOWN},
        "correct": View(f"{again['problems']}/correct"),
        "options": View(f"{files['check-ready']}/options"),
        "options-run": View(f"{paused}/options"),
        "running": View(_started(anna, files["running"])),
        "queued": View(_started(anna, files["queued"])),
        "later": View(_started(anna, files["later"], options)),
        "paused": View(paused),
        "stopped": View(stopped),
        "results": View(results),
        "results-done": View(done),
        "undo": View(f"{done}/undo"),
        "confirm": View(stopped, click="Resume the run"),
        "confirm-unlock": View(
            files["check-unlock"], click="Unlock 1 record", fill={"unlocks": "7"}
        ),
        "error-request": View(f"{home}/locks", click="Find the locks"),
        "locks": View(f"{home}/locks"),
        "found": View(found),
        "found-none": View(f"{found}?words=nothing"),
        "history": View(f"{home}/history"),
        "choices": View(f"{home}/choices"),
        "log": View(f"{home}/log"),
        "connection-file": View(f"{home}/connection"),
    }


def _views_of_others(people: Mapping[str, Visitor]) -> dict[str, View]:
    """Create what waits for another person, and a sign-in to an org that is not connected."""
    ben, anna = people["Ben"], people["Anna"]
    ben.home = "/orgs/acme"
    files = _checked(ben, _FILES_OF_ACME)
    for file in files.values():
        ben.post(f"{file}/ask", {"start": "new", "comment": "For the audit"})
    request = re.search(r"/approvals/(\w+)/return", anna.get(files["returned"]).text)
    assert request is not None
    anna.post(f"{ben.home}/approvals/{request[1]}/return", {"comment": "Another reason"})
    _begin_to_connect(anna, "acme")
    for org, decision in (("crate", "approve"), ("drum", "deny")):
        link = _begin_to_connect(anna, org)
        with urlopen(link, urlencode({"decision": decision}).encode(), timeout=TIMEOUT_SECONDS):
            anna.post(f"/orgs/{org}/connection/ask")
    return {
        "overview": View("/"),
        "log-all": View("/log"),
        "approvals": View("/orgs/acme/approvals"),
        "approvals-none": View("/orgs/default/approvals"),
        "approval-decide": View(files["waiting"]),
        "approval-asked": View(files["waiting"], "Ben"),
        "approval-returned": View(files["returned"], "Ben"),
        "home-empty": View("/orgs/box"),
        "home-viewer": View("/orgs/acme", "Vera"),
        "history-empty": View("/orgs/box/history"),
        "locks-viewer": View("/orgs/acme/locks", "Vera"),
        "connection-code": View("/orgs/acme/connection"),
        "connection-accepted": View("/orgs/crate/connection"),
        "connection-refused": View("/orgs/drum/connection"),
        "connection-none": View("/orgs/box/connection"),
        "no-org": View("/", "Noel"),
        "account": View("/account"),
        "login": View("/login", ""),
    }


def _begin_to_connect(visitor: Visitor, org: str) -> str:
    """Ask for a code of an org; return the address where it is accepted."""
    client = {"client_id": "1004.me", "client_secret": "hush"}
    visitor.post(f"/orgs/{org}/connection/begin", client)
    page = visitor.get(f"/orgs/{org}/connection")
    link = re.search(r'href="([^"]+)" target="_blank"', page.text)
    assert link is not None, page.words
    return unescape(link[1])


def _checked(visitor: Visitor, files: Mapping[str, tuple[str, bytes]]) -> dict[str, str]:
    """Upload files and wait for their checks; return the path of each."""
    paths = {name: visitor.upload(file).location for name, file in files.items()}
    for path in paths.values():
        eventually(lambda path=path: "being read" not in visitor.get(path).text)  # type: ignore[misc]
    return paths


def _started(visitor: Visitor, file: str, form: Mapping[str, str] | None = None) -> str:
    """Start the run of a checked file; return its path."""
    answer = visitor.post(f"{file}/start", form)
    assert answer.status == 303, answer.words
    return answer.location


def _two_sheets() -> bytes:
    book = openpyxl.Workbook()
    for month in ("May", "June"):
        sheet = book.create_sheet(month)
        for row in [TITLES, *rows(2)]:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


_ERRORS = {"error": View("/nowhere"), "error-role": View("/orgs/default", "Vera")}
_UNLOCK = "Leads,5843104000000425565,,,unlock\n"
_FILES = {
    "problems": ("problem_rows.xlsx", file_content("samples/problem_rows.xlsx")),
    "done": ("done.csv", csv_content(3, first=50_001)),
    "paused": ("paused.csv", csv_content(400, first=60_001)),
    "stopped": ("stopped.csv", csv_content(400, first=70_001)),
    "check-ready": ("ready.csv", csv_content(1_000, first=80_001)),
    "check-unlock": ("unlock.csv", f"{HEADER.strip()},Action\n{_UNLOCK}".encode()),
    "check-empty": ("empty.csv", HEADER.encode()),
    "columns": ("odd.csv", b"Modul;ID-Nr;Grund\nLeads;5843104000000425565;x\n"),
    "sheets": ("months.xlsx", _two_sheets()),
    "encodings": ("cyrillic.csv", f"{HEADER}Leads,5843104000000425565,,Договор\n".encode("cp1251")),
    "unreadable": ("scan.pdf", b"%PDF-1.7"),
    "running": ("locks.csv", csv_content(20_000, first=1)),
    "queued": ("next.csv", csv_content(5, first=90_001)),
    "later": ("later.csv", csv_content(5, first=91_001)),
}
_FILES_OF_ACME = {
    "waiting": ("waiting.csv", csv_content(3, first=1)),
    "returned": ("returned.csv", csv_content(3, first=11)),
}
_SHOWN = (
    "check-ready",
    "check-unlock",
    "check-empty",
    "columns",
    "sheets",
    "encodings",
    "unreadable",
)
