"""Four eyes: one person prepares and asks, and another one starts or sends back."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.page_server import PageServer, add_person, served_page, signed_in
from support.sheets import record
from support.visitor import PageResponse, Visitor, csv_content, write_config
from support.zoho import StandIn, stand_in_on

from batchlock import config
from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.core.runs import RunState
from batchlock.core.stop import StopReason
from batchlock.store.approvals import ApprovalState
from batchlock.store.grants import Grant, Role
from batchlock.store.journal import Journal
from batchlock.store.store import Store
from batchlock.web.server import serving

ROLES = {
    "Vera": Role.VIEWER,
    "Pia": Role.PREPARER,
    "Sam": Role.SENDER,
    "Sue": Role.SENDER,
    "Ada": Role.ADMINISTRATOR,
}
ORG = "default"
FAILING = b"Leads,990000000000000201,,why\n"  # a record that the stand-in answers with 500


@pytest.fixture(scope="module")
def org(stand_in_loop: asyncio.AbstractEventLoop) -> Iterator[StandIn]:
    with stand_in_on(stand_in_loop) as org:
        yield org


@pytest.fixture(scope="module")
def page(org: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page of an org with four eyes, for people of each role."""
    folder = tmp_path_factory.mktemp("four-eyes")
    org.config(
        folder / "config.yaml",
        state_directory=str(folder / "state"),
        web={"four_eyes": True},
        results={"previous_reason": "always"},
        retry={"attempts": 2, "first_wait": "10ms"},
    )
    with Store(folder / "state") as store:
        for name, role in ROLES.items():
            store.grants.put(Grant(person=name, org=ORG, role=role))
        store.grants.put(Grant(person="Olga", org="other", role=Role.SENDER))
    for name in (*ROLES, "Olga"):
        add_person(folder, name)
    with served_page(folder) as page:
        yield page


@pytest.fixture(scope="module")
def people(page: PageServer) -> dict[str, Visitor]:
    return {name: signed_in(page, name) for name in (*ROLES, "Olga")}


@pytest.fixture
def pia(people: dict[str, Visitor]) -> Visitor:
    return people["Pia"]


@pytest.fixture
def sam(people: dict[str, Visitor]) -> Visitor:
    return people["Sam"]


@pytest.fixture
def sue(people: dict[str, Visitor]) -> Visitor:
    return people["Sue"]


def form_of(visitor: Visitor, path: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the form on a page that posts to a path."""
    page = visitor.get(path)
    forms = re.findall(rf'<form[^>]*action="{action}".*?</form>', page.text, re.DOTALL)
    assert forms, page.words
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', forms[0]))
    del fields["csrf"]  # it is of the person who posts the form
    return fields


def ask(visitor: Visitor, path: str, start: str = "new", comment: str = "") -> None:
    answer = visitor.post(f"{path}/ask", {"start": start, "comment": comment})
    assert answer.status == 303, answer.words


def approve(visitor: Visitor, path: str, action: str, comment: str = "") -> str:
    """Approve what waits on a page; return the path of the run."""
    form = form_of(visitor, path, action) | {"comment": comment}
    answer = visitor.post(action, form)
    if answer.status == 200:  # production asks once more
        answer = visitor.confirm(action, form)
    assert answer.status == 303, answer.words
    return answer.location


def log_of(visitor: Visitor) -> str:
    return visitor.get(f"/orgs/{ORG}/log").words


def count_of(visitor: Visitor) -> int:
    """Return the number of requests that the navigation shows."""
    found = re.search(r"data-count>(\d+)", visitor.get(f"/orgs/{ORG}").text)
    return int(found[1]) if found else 0


def refusal(answer: PageResponse, words: str) -> None:
    """Check that an answer forbids something, and says why."""
    assert answer.status == 403, (answer.status, answer.words)
    assert words in answer.words


def test_a_file_is_asked_for_sent_back_corrected_and_started(pia: Visitor, sam: Visitor) -> None:
    file = csv_content(3, first=100).replace(b"Lock Id,Reason\n", b"Lock Id,Reason,Reason B\n")
    file = b"\n".join(
        line + b",better" if b"Reason" not in line and line else line for line in file.split(b"\n")
    )
    check = pia.check("story.csv", file)
    words = pia.get(check).words
    assert "Ask another person to approve it" in words
    assert "/start" not in pia.get(check).text
    ask(pia, check, comment="for the audit")
    assert "Waiting for approval to start" in pia.get(check).words
    assert "Take the request back" in pia.get(check).words
    assert count_of(sam) == 1
    assert count_of(pia) == 0
    queue = sam.get(f"/orgs/{ORG}/approvals").words
    assert "story.csv Start Change the reason: Leads 3 Pia" in queue
    assert "for the audit" in queue
    home = pia.get(f"/orgs/{ORG}").words
    assert "Waiting for approval" in home

    answer = sam.post(
        form_action(sam, check, "return"), {"comment": ""}
    )  # says what must change, or nothing happens
    assert answer.status == 409
    answer = sam.post(form_action(sam, check, "return"), {"comment": "use the column Reason B"})
    assert answer.status == 303
    assert "Sent back by Sam" in pia.get(check).words
    assert "use the column Reason B" in pia.get(check).words
    assert "Sent back" in pia.get(f"/orgs/{ORG}").words
    assert count_of(sam) == 0

    pia.post(f"{check}/read", {"reason": "Reason B"})
    pia.wait_for(check, "better")
    ask(pia, check, comment="now with column B")
    assert "better" in sam.get(check).words
    run = approve(sam, check, f"{check}/start", comment="looks right")
    results = sam.results(run).words
    assert "3 updated" in results
    assert "Pia had asked for it ( now with column B ), Sam approved it ( looks right )" in results
    assert "Approved by Sam" in pia.get(check).words
    log = log_of(pia)
    for entry in (
        "Pia asked for approval of story.csv (new, 3 rows): for the audit",
        "Sam sent back story.csv (new, 3 rows, asked for by Pia): use the column Reason B",
        "Pia read again story.csv: Reason B as reason",
        "Pia asked for approval of story.csv (new, 3 rows): now with column B",
        "Sam approved story.csv (new, 3 rows, asked for by Pia): looks right",
        "Sam started story.csv",
    ):
        assert entry in log, entry


def form_action(visitor: Visitor, path: str, end: str) -> str:
    """Return the path of a form of a request for approval."""
    found = re.search(rf'action="(/orgs/[^"]+/approvals/\w+/{end})"', visitor.get(path).text)
    assert found, visitor.get(path).words
    return found[1]


def test_each_person_may_start_only_what_others_have_prepared(
    people: dict[str, Visitor], sue: Visitor
) -> None:
    check = sue.check("own.csv", csv_content(2, first=200))
    start = f"{check}/start"
    # Nobody starts what was not asked for, not even another person.
    for name in ("Sue", "Sam", "Ada"):
        refusal(people[name].post(start, {"choice": "new"}), "another person must approve")
    ask(sue, check)
    form = form_of(people["Sam"], check, start)
    back = form_action(people["Sam"], check, "return")
    withdraw = back.replace("/return", "/withdraw")
    for name, words in (
        ("Sue", "Another person must approve it"),  # who has uploaded it and asked
        ("Pia", "prepare files for default, but not send"),
        ("Vera", "look at default, but not send"),
    ):
        refusal(people[name].post(start, form), words)
        refusal(people[name].post(back, {"comment": "no"}), words)
    refusal(people["Vera"].post(f"{check}/ask", {"start": "new"}), "look at default")
    refusal(people["Sam"].post(withdraw), "Only who has asked")
    for path in (start, back, withdraw, f"{check}/ask"):
        assert people["Olga"].post(path, form).status == 404
    # A sender who changes how the file is read has prepared it, too.
    people["Sam"].post(f"{check}/read", {"reason": "Reason"})
    people["Sam"].wait_for(check, "as you named it")
    assert "Waiting for approval" not in people["Sam"].get(check).words
    assert "withdrew, by a change, the request about own.csv" in log_of(sue)
    answer = people["Ada"].post(start, form)
    assert answer.status == 409
    assert "it was withdrawn by Sam" in answer.words
    ask(sue, check)
    refusal(
        people["Sam"].post(start, form_of(people["Ada"], check, start)),
        "Another person must approve it",
    )
    run = approve(people["Ada"], check, start)
    assert "2 updated" in sue.results(run).words


def test_the_start_that_is_approved_is_the_one_that_was_asked_for(
    pia: Visitor, sam: Visitor, page: PageServer
) -> None:
    first = pia.check("one.csv", csv_content(2, first=300))
    second = pia.check("two.csv", csv_content(2, first=310))
    ask(pia, first)
    ask(pia, second)
    other = form_of(sam, second, f"{second}/start")
    refusal(sam.post(f"{first}/start", other), "asks for something else")
    fresh = form_of(sam, first, f"{first}/start") | {"choice": "fresh"}
    refusal(sam.post(f"{first}/start", fresh), "asks for something else")
    # What would be sent is compared with what was asked for, whatever has changed it.
    plan = page.state / "web" / "files" / first.rpartition("/")[2] / "plan.journal"
    with Journal.open(plan) as journal, journal.database.transaction() as sql:
        sql.execute("UPDATE rows SET reason = 'another' WHERE row = 2")
    answer = sam.post(f"{first}/start", form_of(sam, first, f"{first}/start"))
    assert answer.status == 409
    assert "has changed since Pia asked" in answer.words
    assert count_of(sam) == 1
    take_back = form_action(pia, second, "withdraw")
    assert pia.post(take_back).status == 303
    assert pia.post(take_back).status == 409
    assert count_of(sam) == 0
    assert pia.post(f"{second}/remove").status == 303


def test_who_has_read_a_file_again_during_an_approval_cannot_approve_it(
    pia: Visitor, sam: Visitor, sue: Visitor, page: PageServer
) -> None:
    check = pia.check("during.csv", csv_content(2, first=620))
    ask(pia, check)
    form = form_of(sam, check, f"{check}/start")
    with Store(page.state) as store:
        # Sue approves, which fails in a moment, and meanwhile Sam reads the file in the same way.
        assert store.approvals.decide(form["approval"], ApprovalState.APPROVED, "Sue")
        assert sam.post(f"{check}/read", {}).status == 303
        sam.wait_for(check, "can be sent")
        store.approvals.reopen(form["approval"])
        refusal(sam.post(f"{check}/start", form), "Another person must approve it")
        assert sue.post(f"{check}/start", form).status == 303


def test_a_name_in_another_case_is_the_same_person(
    pia: Visitor, sam: Visitor, page: PageServer
) -> None:
    check = pia.check("case.csv", csv_content(1, first=630))
    ask(pia, check)
    with Store(page.state) as store:
        [waiting] = [one for one in store.approvals.waiting(ORG) if one.title == "case.csv"]
    assert not waiting.may_be_decided_by("PIA")
    assert waiting.may_be_decided_by("Sam")
    assert sam.post(form_action(sam, check, "return"), {"comment": "no"}).status == 303


def test_a_start_is_approved_for_a_later_time(pia: Visitor, sam: Visitor, sue: Visitor) -> None:
    check = pia.check("later.csv", csv_content(2, first=600))
    assert sam.get(f"{check}/options").location == check  # nothing is asked for yet
    ask(pia, check)
    assert pia.get(f"{check}/options").location == check
    form = form_of(sam, f"{check}/options", f"{check}/start")
    start_at = f"{datetime.now().astimezone() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    answer = sam.post(f"{check}/start", form | {"start_at": start_at, "comment": "tonight"})
    assert answer.status == 303, answer.words
    assert "Start now" in sam.get(answer.location).words
    assert "Sam approved later.csv (new, 2 rows, asked for by Pia): tonight" in log_of(sue)
    # It was approved, so either starts it now.
    assert sue.confirm(f"{answer.location}/go-on").status == 303
    assert "2 updated" in sue.results(answer.location).words


def test_a_corrected_cell_withdraws_the_request(pia: Visitor, sam: Visitor, sue: Visitor) -> None:
    check = pia.check("cell.csv", csv_content(2, first=610))
    ask(pia, check)
    form = form_of(sue, check, f"{check}/start")
    page = sam.get(f"{check}/correct?row=2").text
    [seen] = re.findall(r'name="seen-2-reason" value="(.*?)"', page)
    cell = {"row": "2", "new-2-reason": "corrected", "seen-2-reason": seen}
    assert sam.post(f"{check}/correct", cell).status == 303
    sam.wait_for(check, "can be sent")
    answer = sue.post(f"{check}/start", form)
    assert answer.status == 409
    assert "it was withdrawn by Sam" in answer.words
    ask(pia, check)
    refusal(sam.post(f"{check}/start", form_of(sue, check, f"{check}/start")), "Another person")


def test_retry_resume_and_undo_need_an_approval_of_their_own(
    people: dict[str, Visitor], pia: Visitor, sam: Visitor, sue: Visitor, org: StandIn
) -> None:
    check = pia.check("rest.csv", csv_content(2, first=400) + FAILING)
    ask(pia, check)
    run = approve(sam, check, f"{check}/start")
    assert "2 updated, 1 failed" in sam.results(run).words
    for action in ("retry", "undo"):
        refusal(sam.post(f"{run}/{action}"), "another person must approve")
        refusal(pia.post(f"{run}/{action}"), "but not send them")
        refusal(people["Vera"].post(f"{run}/ask", {"start": action}), "look at default")
    assert pia.post(f"{run}/ask", {"start": "new"}).status == 400
    assert sam.post(f"{run}/ask", {"start": "resume"}).status == 409
    ask(sam, run, "retry", "once more")
    refusal(sam.post(f"{run}/retry", form_of(sue, run, f"{run}/retry")), "Another person")
    refusal(sue.post(f"{run}/undo", form_of(sue, run, f"{run}/retry")), "asks for something else")
    retry = approve(sue, run, f"{run}/retry", "now it may work")
    assert "1 failed" in sue.results(retry).words

    ask(pia, run, "undo", "wrong list")
    waiting = sam.get(f"{run}/undo").words
    assert "Waiting for approval to undo the run" in waiting
    undo = approve(sam, run, f"{run}/undo")
    assert "2 updated" in sam.results(undo).words
    assert org.locks()["Leads/" + record(400)]["reason"] != "reason 400"


@pytest.mark.parametrize("kind", ["retry", "undo"])
def test_a_run_that_was_resumed_meanwhile_is_asked_about_again(
    pia: Visitor, sam: Visitor, page: PageServer, kind: str
) -> None:
    check = pia.check(f"{kind}.csv", csv_content(2, first=660 if kind == "undo" else 670) + FAILING)
    ask(pia, check)
    run = approve(sam, check, f"{check}/start")
    assert "1 failed" in sam.results(run).words
    ask(pia, run, kind)
    form = form_of(sam, f"{run}/undo" if kind == "undo" else run, f"{run}/{kind}")
    run_id = run.rpartition("/")[2]
    with Store(page.state) as store:  # as the end of another session with as many rows
        store.runs.end_session(run_id, RunState.FINISHED, StopReason())
    answer = sam.post(f"{run}/{kind}", form | {"confirmed": "1"})
    assert answer.status == 409
    assert "has changed since Pia asked" in answer.words


def test_two_people_approve_at_once_and_click_twice(
    pia: Visitor, sam: Visitor, sue: Visitor, page: PageServer
) -> None:
    check = pia.check("twice.csv", csv_content(2, first=640) + FAILING)
    ask(pia, check)
    form = form_of(sam, check, f"{check}/start")
    first = [one.post(f"{check}/start", form) for one in (sam, sam)]
    [run] = {answer.location for answer in first}
    assert "1 failed" in sam.results(run).words
    assert sam.post(f"{check}/start", form).location == run  # also when the run has ended
    ask(pia, run, "retry")
    form = form_of(sam, run, f"{run}/retry") | {"confirmed": "1"}
    with ThreadPoolExecutor(4) as pool:
        people = (sam, sue, sam, sue)
        answers = [*pool.map(lambda one: one.post(f"{run}/retry", form), people)]
    started = {answer.location for answer in answers if answer.status == 303}
    assert len(started) == 1, [(answer.status, answer.words) for answer in answers]
    assert {answer.status for answer in answers} <= {303, 409}
    with Store(page.state) as store:
        ids = [one.run_id for one in store.runs.of_orgs([ORG]) if f"{one.info.retry_of}" in run]
        assert [f"/orgs/{ORG}/runs/{one}" for one in ids] == [*started]


def test_a_run_that_was_approved_is_resumed_without_asking(
    page: PageServer,
    org: StandIn,
    pia: Visitor,
    sam: Visitor,
    sue: Visitor,
    run_subprocess: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = tmp_path / "terminal.csv"
    file.write_bytes(csv_content(30, first=500))
    monkeypatch.setenv("BATCHLOCK_LIMITS__MAX_CREDITS", "3")
    done = run_subprocess("run", file, "--config", page.config, "--no-progress")
    assert done.code == 6, done.err
    monkeypatch.delenv("BATCHLOCK_LIMITS__MAX_CREDITS")
    found = re.search(r"batchlock resume .*?([\d-]+-[0-9a-f]{4})", done.out + done.err)
    assert found, done.out + done.err
    run = f"/orgs/{ORG}/runs/{found[1]}"
    refusal(sam.post(f"{run}/go-on"), "another person must approve")
    check = sam.check("terminal.csv", file.read_bytes())
    form = {"choice": "resume", "unfinished": found[1]}
    refusal(sam.post(f"{check}/start", form), "was not approved")
    ask(pia, run, "resume")
    org.change("behaviour", {"latency": 0.3})
    assert approve(sam, run, f"{run}/go-on") == run
    assert sue.post(f"{run}/stop").status == 303
    # Two people have started it, so either goes on with it.
    assert "Resume the run: " in sue.results(run).words
    org.change("behaviour", {"latency": 0.0})
    assert sue.confirm(f"{run}/go-on").status == 303
    assert "30 updated" in sam.results(run).words


def test_a_server_of_links_cannot_have_four_eyes(tmp_path: Path) -> None:
    file = write_config(tmp_path, "web: {four_eyes: true}")
    settings = config.load(file=file, environment={})
    page = serving(settings, RunOptions(), host="127.0.0.1", port=0, on_link=print)

    async def serve() -> None:
        async with page:
            raise AssertionError("it must not start")

    with pytest.raises(UsageError, match=r"web\.four_eyes.*--add-user"):
        asyncio.run(serve())
