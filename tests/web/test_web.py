import http.client
import io
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import PATIENCE, POSIX, Run, started
from support.sheets import lines, rows, sheet
from support.visitor import Page, Visitor, eventually, file, serving
from support.zoho import StandIn, Start

from batchlock.store.page import Store
from batchlock.web.auth.passwords import LoginThrottle, hashed, matches
from batchlock.web.uploads.files import safe_name

SAMPLE = "samples/lock_updates.xlsx"
PROBLEMS = "samples/problem_rows.xlsx"
HEADER = "Module,Record Id,Lock Id,Reason\n"


def once(zoho: StandIn, count: int) -> bool:
    """Tell whether so many locks were changed, and each of them once."""
    changed = [one["updates"] for one in zoho.locks().values()]
    return changed == [1] * count


def text(count: int, *, first: int = 1) -> bytes:
    return (HEADER + "".join(f"{','.join(row)}\n" for row in rows(count, first=first))).encode()


@pytest.fixture
def page() -> Iterator[Page]:
    with serving("--simulate") as served:
        yield served


@pytest.fixture
def someone(page: Page) -> Visitor:
    return page.visitor()


# -- the way from a spreadsheet to its results -------------------------------------------------


def test_a_file_is_uploaded_checked_run_and_downloaded(page: Page, someone: Visitor) -> None:
    where = someone.checked("locks.xlsx", file(SAMPLE))
    check = someone.get(where)
    assert "can be sent 200" in check.words
    assert "No real record is touched" in check.words
    run = someone.post(f"{where}/start").to
    results = someone.finished(run)
    assert "Every row is as the file asks." in results.words
    book = someone.get(f"{run}/results.xlsx")
    assert "locks-results-" in book.headers["Content-Disposition"]
    found = openpyxl.load_workbook(io.BytesIO(book.content), read_only=True)["Results"]
    assert [row[5].value for row in found.iter_rows(min_row=2)] == ["updated"] * 200
    Path("again.csv").write_bytes(someone.get(f"{run}/results.csv").content)
    assert {line["Result"] for line in lines("again.csv")} == {"updated"}


def test_every_problem_stands_on_its_cell(someone: Visitor) -> None:
    where = someone.checked("problems.xlsx", file(PROBLEMS))
    told = someone.get(where).text
    assert len(set(re.findall(r'<th scope="row" class="number">(\d+)', told))) == 11
    assert all('class="problem"' in row for row in told.split("<tr class=")[1:])
    assert "did you mean" in told
    shown = someone.get(f"{where}?show=all")
    assert "60 rows" in shown.words
    assert "Page 1 of 2" in shown.words
    assert someone.get(f"{where}?show=all&page=2").text.count('<th scope="row"') == 10
    found = someone.get(f"{where}?show=all&words=unknown_module")
    assert "1 row" in found.words


def test_what_did_not_get_through_is_grouped_and_can_be_run_again(someone: Visitor) -> None:
    run = someone.started("problems.xlsx", file(PROBLEMS))
    told = someone.finished(run)
    assert "Zoho knows no such module." in told.words
    refused = someone.get(f"{run}?show=rejected&words=INVALID_MODULE")
    assert refused.text.count("<tr class=") == 1
    again = someone.post(f"{run}/retry").to
    assert again != run
    assert "the rest again" in someone.get("/history").words
    assert someone.finished(again).status == 200


def test_the_corrected_rows_go_out_and_no_others(someone: Visitor) -> None:
    bad = text(20) + b"Leads,5.8E+18,6843104000000000099,why\n"
    where = someone.checked("locks.csv", bad)
    assert "21 rows" in someone.get(where).words
    assert "Download the 1 row with problems" in someone.get(where).words
    few = someone.get(f"{where}/problems.xlsx")
    assert few.status == 200
    run = someone.post(f"{where}/start").to
    assert "20 updated, 1 invalid" in someone.finished(run).words
    book = openpyxl.load_workbook(io.BytesIO(someone.get(f"{run}/results.xlsx").content))
    book["Results"]["B22"] = "5843104000000000099"
    corrected = io.BytesIO()
    book.save(corrected)
    where = someone.checked("corrected.xlsx", corrected.getvalue())
    assert "done by an earlier run" in someone.get(where).words
    run = someone.post(f"{where}/start").to
    told = someone.finished(run)
    assert "1 updated, 20 unchanged" in told.words


def test_the_rows_with_problems_are_a_workbook_of_their_own(someone: Visitor) -> None:
    where = someone.checked("problems.xlsx", file(PROBLEMS))
    answer = someone.get(f"{where}/problems.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book["Results"].max_row == 1 + 11


def test_several_files_are_checked_each_by_itself(someone: Visitor) -> None:
    someone.checked("one.csv", text(2))
    someone.checked("two.csv", text(3, first=9))
    home = someone.get("/").words
    assert "one.csv" in home
    assert "two.csv" in home
    assert "Checked" in home


def test_columns_chosen_by_hand_are_remembered(someone: Visitor) -> None:
    odd = b"Modul;ID-Nr;Grund\nLeads;5843104000000425565;x\n"
    where = someone.checked("odd.csv", odd)
    refused = someone.get(where)
    assert "The columns are: Modul, ID-Nr, Grund" in refused.words
    chosen = {"module": "Modul", "record_id": "ID-Nr", "lock_id": "", "reason": "Grund"}
    assert someone.post(f"{where}/read", chosen).to == where
    eventually(lambda: "can be sent" in someone.get(where).text)
    where = someone.checked("next.csv", odd.replace(b";x", b";y"))
    told = someone.get(where).words
    assert "as they were chosen last time" in told
    assert "can be sent 1" in told


def test_a_sheet_can_be_chosen(someone: Visitor) -> None:
    book = openpyxl.Workbook()
    for name, count in (("May", 2), ("June", 3)):
        page = book.create_sheet(name)
        page.append(["Module", "Record Id", "Lock Id", "Reason"])
        for row in rows(count):
            page.append(row)
    content = io.BytesIO()
    book.save(content)
    where = someone.checked("months.xlsx", content.getvalue())
    assert "Which sheet shall be read?" in someone.get(where).words
    someone.post(f"{where}/read", {"sheet": "June"})
    eventually(lambda: "3 rows" in someone.get(where).words)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("scan.pdf", b"%PDF-1.7 ...", "PDF"),
        ("empty.csv", b"", "empty"),
        ("none.csv", b"a,b\n1,2\n", "The columns are"),
    ],
)
def test_a_wrong_file_is_refused_as_on_the_command_line(
    someone: Visitor, cli: Run, name: str, content: bytes, said: str
) -> None:
    Path(name).write_bytes(content)
    sentence = cli("check", name).err.strip().splitlines()[-1]
    told = someone.get(someone.checked(name, content)).words
    assert said in told
    assert sentence in told


def test_a_file_that_is_too_large_is_refused_and_not_kept(cli: Run) -> None:
    Path("config.yaml").write_text("web: {max_upload: 1 MiB}\nstate_directory: state\n")
    with serving("--simulate") as page:
        someone = page.visitor()
        answer = someone.upload(("large.csv", b"x" * (2**20 + 1)))
        assert answer.status == 413
        assert "larger than 1 MiB" in answer.words
        assert list(Path("state/web/files").iterdir()) == []


def test_an_upload_of_which_nothing_was_sent_can_be_removed(someone: Visitor) -> None:
    where = someone.checked("one.csv", text(2))
    assert someone.post(f"{where}/remove").to == "/"
    assert someone.get(where).status == 404
    run = someone.started("two.csv", text(2))
    someone.finished(run)


def test_a_start_from_a_page_that_is_out_of_date_sends_nothing(someone: Visitor) -> None:
    where = someone.checked("one.csv", text(3))
    someone.finished(someone.post(f"{where}/start").to)
    answer = someone.post(f"{where}/start")
    assert answer.status == 409
    assert "was finished meanwhile" in answer.words
    [seen] = re.findall(r'name="finished" value="(.+?)"', someone.get(where).text)
    assert someone.post(f"{where}/start", {"finished": seen}).status == 303


def test_strict_sends_nothing_of_a_file_with_problems() -> None:
    Path("config.yaml").write_text("input: {strict: true}\nstate_directory: state\n")
    with serving("--simulate") as page:
        someone = page.visitor()
        where = someone.checked("problems.xlsx", file(PROBLEMS))
        assert "/start" not in someone.get(where).text
        assert someone.post(f"{where}/start").status == 409


def test_more_files_than_a_page_takes_are_named(someone: Visitor) -> None:
    several = [(f"{n}.csv", text(1, first=n)) for n in range(1, 23)]
    answer = someone.upload(*several)
    assert answer.status == 413
    assert "21.csv was not taken" in answer.words
    assert "22.csv was not taken" in answer.words
    assert "The other files (20) were taken." in answer.words


@POSIX
def test_a_run_whose_file_has_no_name_in_unicode_is_shown(page: Page, cli: Run) -> None:
    name = os.fsdecode(b"Gr\xf6sse.csv")
    sheet(name, rows(2))
    assert cli("run", name, "--simulate", "-q", "-o", "out.csv").code == 0
    someone = page.visitor()
    assert "Gr\ufffdsse.csv" in someone.get("/history").words
    [run] = re.findall(r'href="(/runs/[\w-]+)"', someone.get("/").text)
    assert someone.get(run).status == 200
    assert someone.get(f"{run}/results.csv").status == 200


def test_starting_a_file_twice_at_once_makes_one_run(someone: Visitor) -> None:
    where = someone.checked("one.csv", text(30))
    first, second = someone.post(f"{where}/start").to, someone.post(f"{where}/start").to
    assert first == second
    someone.finished(first)


# -- a run as it goes --------------------------------------------------------------------------


@pytest.fixture
def slow(stand_in: Start) -> Iterator[tuple[Page, StandIn]]:
    """Serve a page for an org that takes its time."""
    zoho = stand_in("--latency", "200ms", "--in-flight-cap", "none")
    zoho.config(state_directory="state", limits={"in_flight": 2})
    with serving() as page:
        yield page, zoho


def test_a_run_is_paused_goes_on_and_is_stopped(slow: tuple[Page, StandIn]) -> None:
    page, zoho = slow
    someone = page.visitor()
    run = someone.started("locks.csv", text(60))
    eventually(
        lambda: zoho.state()["updates"] > 4 if "updates" in zoho.state() else bool(zoho.locks())
    )
    assert "Pause" in someone.get(run).words
    someone.post(f"{run}/pause")
    eventually(lambda: "Go on" in someone.get(run).words)
    assert "Paused by" in someone.get(run).words
    someone.post(f"{run}/go-on")
    eventually(lambda: "Sending." in someone.get(run).words)
    someone.post(f"{run}/stop")
    told = someone.finished(run).words
    assert "Stopped by" in told
    assert "Go on with what is left" in told
    someone.post(f"{run}/go-on")
    told = someone.finished(run).words
    assert "60 updated" in told
    assert once(zoho, 60)


def test_runs_wait_in_line(slow: tuple[Page, StandIn]) -> None:
    page, _ = slow
    someone = page.visitor()
    first = someone.started("one.csv", text(40))
    second = someone.started("two.csv", text(4, first=100))
    assert "Waiting in line" in someone.get(second).words
    assert "4 updated" in someone.finished(second).words
    assert "40 updated" in someone.finished(first).words


def test_all_watchers_see_the_same_run(slow: tuple[Page, StandIn]) -> None:
    page, _ = slow
    someone, other = page.visitor(), page.visitor()
    run = someone.started("locks.csv", text(60))
    eventually(lambda: "Sending." in other.get(run).words)
    told = [json.loads(one.get(f"{run}/now").text) for one in (someone, other)]
    assert {one["state"] for one in told} == {"working"}
    where = urlsplit(page.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
    connection.request("GET", f"{run}/events", headers={"Cookie": other.cookie})
    stream = connection.getresponse()
    assert stream.headers["Content-Type"] == "text/event-stream"
    first = json.loads(stream.readline().removeprefix(b"data: "))
    assert set(first["parts"]) == {"status", "bar", "figures", "causes", "chart"}
    connection.close()
    someone.post(f"{run}/stop")
    someone.finished(run)


def test_a_run_survives_the_server(stand_in: Start) -> None:
    zoho = stand_in("--latency", "100ms")
    zoho.config(state_directory="state", limits={"in_flight": 2})
    with serving() as page:
        someone = page.visitor()
        run = someone.started("locks.csv", text(60))
        eventually(lambda: "Sending." in someone.get(run).words)
        page.process.kill()
        page.process.wait()
    with serving() as page:
        someone = page.visitor()
        assert "60 updated" in someone.finished(run).words
    assert once(zoho, 60)


def test_a_server_that_starts_again_finds_a_run_that_has_hardly_begun(stand_in: Start) -> None:
    zoho = stand_in("--latency", "200ms")
    zoho.config(state_directory="state", limits={"in_flight": 2})
    with serving() as page:
        run = page.visitor().started("locks.csv", text(90))
        eventually(lambda: bool(list(Path("state/web/desks").glob("*/said"))))
        page.process.kill()
        page.process.wait()
    with serving() as page:
        someone = page.visitor()
        eventually(lambda: "Sending." in someone.get(run).words)
        someone.post(f"{run}/stop")
        assert "Stopped by" in someone.finished(run).words
    assert zoho.state()["in_flight"] == 0
    assert zoho.state()["updates"] < 90


@POSIX
def test_a_run_that_goes_on_at_a_terminal_is_shown_and_ended_there(
    slow: tuple[Page, StandIn],
) -> None:
    page, _ = slow
    someone = page.visitor()
    run = someone.started("locks.csv", text(60))
    eventually(lambda: "Sending." in someone.get(run).words)
    someone.post(f"{run}/pause")
    eventually(lambda: "Paused by" in someone.get(run).words)
    with started("resume", "--in-flight", 1) as process:
        eventually(lambda: "at work at a terminal" in someone.get(run).words)
        answer = someone.post(f"{run}/stop")
        assert answer.status == 409
        assert "ended there" in answer.words
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert "stopped" not in someone.get("/log").words
    eventually(lambda: "Go on" in someone.get(run).words)
    assert "Paused by" in someone.get(run).words


def test_a_run_that_is_just_ending_does_not_go_on_yet(slow: tuple[Page, StandIn]) -> None:
    page, _ = slow
    someone = page.visitor()
    run = someone.started("locks.csv", text(60))
    eventually(lambda: "Sending." in someone.get(run).words)
    someone.post(f"{run}/pause")
    assert someone.post(f"{run}/go-on").status == 409
    eventually(lambda: "Go on" in someone.get(run).words)
    assert someone.post(f"{run}/retry").status == 409
    someone.post(f"{run}/stop")
    assert someone.post(f"{run}/stop").status == 409


@POSIX
def test_a_run_whose_process_was_killed_goes_on_by_itself(slow: tuple[Page, StandIn]) -> None:
    page, _ = slow
    someone = page.visitor()
    run = someone.started("locks.csv", text(40))
    eventually(lambda: "Sending." in someone.get(run).words)
    holder = json.loads(Path("state/locks/default.run").read_text())
    os.kill(holder["process"], signal.SIGKILL)
    assert "40 updated" in someone.finished(run).words


def test_a_run_of_the_command_line_is_waited_for_and_shown(
    slow: tuple[Page, StandIn], cli: Run
) -> None:
    page, _ = slow
    someone = page.visitor()
    with started("run", sheet("terminal.csv", rows(40)), "--json") as process:
        eventually(Path("state/locks/default.run").exists)
        run = someone.started("one.csv", text(3, first=100))
        assert "Another run is at work on this org" in someone.get(run).words
        process.communicate(timeout=PATIENCE)
    assert "3 updated" in someone.finished(run).words
    told = someone.get("/history").words
    assert "terminal.csv" in told
    assert "command line" in told


def test_a_dead_sign_in_is_told_on_the_page(stand_in: Start) -> None:
    zoho = stand_in()
    zoho.config(state_directory="state", zoho={"refresh_token": "revoked"})
    with serving() as page:
        someone = page.visitor()
        run = someone.started("locks.csv", text(3))
        told = someone.finished(run).words
    assert "3 not sent" in told
    assert "batchlock login" in told


# -- who may come in ---------------------------------------------------------------------------


def test_a_link_opens_once(page: Page) -> None:
    link = page.link()
    first, second = Visitor(page.url), Visitor(page.url)
    assert first.get(link).status == 200
    assert second.get(link).status == 403
    assert second.get("/").to == "/login"
    assert first.get("/").status == 200
    assert page.visitor().get("/").status == 200


def test_nobody_is_let_in_without_a_session(page: Page) -> None:
    stranger = Visitor(page.url)
    run = "/runs/20260314-020304-1f3a"
    for path in ("/", "/history", "/log", "/files/0", run, f"{run}/now", f"{run}/events",
                 f"{run}/results.xlsx", "/template.xlsx", "/nowhere"):  # fmt: skip
        assert (stranger.get(path).status, stranger.get(path).to) == (303, "/login"), path
    stranger.get("/login")
    for path in (f"{run}/stop", f"{run}/pause", f"{run}/go-on", f"{run}/retry", "/files/0/start",
                 "/files/0/read", "/files/0/remove", "/logout"):  # fmt: skip
        assert stranger.post(path).status == 401, path
    assert stranger.upload(("a.csv", b"")).status == 401


def test_no_change_is_taken_without_its_token(page: Page, someone: Visitor) -> None:
    run = someone.started("one.csv", text(3))
    someone.finished(run)
    where = someone.checked("two.csv", text(3, first=50))
    for path in (f"{run}/stop", f"{run}/pause", f"{run}/go-on", f"{run}/retry", f"{where}/start",
                 f"{where}/read", f"{where}/remove", "/logout", "/login"):  # fmt: skip
        for token in ("", "0" * 64):
            assert someone.post(path, {"csrf": token}).status == 403, path
    assert someone.upload(("three.csv", text(1)), csrf="").status == 403
    assert "three.csv" not in someone.get("/").text
    assert someone.get(where).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json"},
    ],
)
def test_no_change_is_taken_from_another_site(someone: Visitor, headers: dict[str, str]) -> None:
    where = someone.checked("one.csv", text(1))
    assert someone.post(f"{where}/start", headers=headers).status in (403, 415)
    assert someone.get("/history").words.count("one.csv") == 0


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_foreign_name_is_refused(someone: Visitor, host: str) -> None:
    assert someone.get("/", {"Host": host}).status == 421
    assert someone.post("/logout", headers={"Host": host}).status == 421
    assert someone.get("/").status == 200


def test_a_name_can_be_allowed() -> None:
    Path("config.yaml").write_text("web: {hosts: [locks.acme.test]}\nstate_directory: state\n")
    with serving("--simulate") as page:
        assert page.visitor().get("/", {"Host": "Locks.Acme.test:443"}).status == 200


def test_every_answer_carries_its_policy(page: Page, someone: Visitor) -> None:
    for path in ("/", "/login", "/static/style.css", "/nowhere", "/template.xlsx"):
        headers = someone.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Server"] is None
    assert Visitor(page.url).get("/", {"Host": "x"}).headers["X-Frame-Options"] == "DENY"


def test_the_cookie_is_for_this_site_alone(page: Page) -> None:
    visitor = Visitor(page.url)
    given = visitor.get(page.link()).headers["Set-Cookie"]
    assert "HttpOnly" in given
    assert "SameSite=Strict" in given
    assert "Secure" not in given


def person(name: str = "Anna", password: str = "a long password") -> None:
    store = Store(Path("state").absolute())
    store.put_person(name, hashed(password))
    store.close()


@pytest.fixture
def guarded() -> Iterator[Page]:
    """Serve a page on which people sign in."""
    Path("config.yaml").write_text(
        "web: {session: 1h, trusted_proxy: [127.0.0.1]}\nstate_directory: state\n"
    )
    person()
    with serving("--simulate") as page:
        yield page


def signed_in(page: Page, name: str = "Anna", password: str = "a long password") -> Visitor:
    visitor = Visitor(page.url)
    visitor.get("/login")
    answer = visitor.post("/login", {"name": name, "password": password})
    assert answer.status == 200, answer.words
    visitor.get("/")
    return visitor


def test_people_sign_in_with_their_passwords(guarded: Page) -> None:
    assert not any("/enter/" in line for line in guarded.said)
    visitor = Visitor(guarded.url)
    visitor.get("/login")
    before = visitor.cookie
    assert visitor.post("/login", {"name": "Anna", "password": "wrong"}).status == 403
    assert visitor.post("/login", {"name": "Nobody", "password": "wrong"}).status == 403
    anna = signed_in(guarded)
    assert anna.cookie != before
    assert "Anna" in anna.get("/").words
    assert anna.post("/logout").to == "/login"
    assert anna.get("/").to == "/login"


def test_whoever_guesses_waits(guarded: Page) -> None:
    visitor = Visitor(guarded.url)
    visitor.get("/login")
    found = [visitor.post("/login", {"name": "Anna", "password": "x"}).status for _ in range(7)]
    assert found[0] == 403
    assert found[-1] == 429
    assert "Too many wrong passwords" in visitor.post("/login", {"name": "Anna"}).words
    elsewhere = {"X-Forwarded-For": "10.0.0.9"}
    assert visitor.post("/login", {"name": "Bert", "password": "x"}, elsewhere).status == 403


def test_whoever_guesses_cannot_hide_behind_a_header(guarded: Page) -> None:
    visitor = Visitor(guarded.url)
    visitor.get("/login")
    found = [
        visitor.post(
            "/login",
            {"name": f"Nobody {n}", "password": "x"},
            {"X-Forwarded-For": f"10.0.0.{n}, 10.9.9.9"},
        ).status
        for n in range(7)
    ]
    assert found[-1] == 429


def test_a_link_is_worth_nothing_once_there_are_people() -> None:
    Path("config.yaml").write_text("state_directory: state\n")
    with serving("--simulate") as page:
        someone = page.visitor()
        person()
        assert someone.get("/").to == "/login"
        assert Visitor(page.url).get(page.link()).status == 403


def test_a_cookie_behind_tls_is_secure(guarded: Page) -> None:
    visitor = Visitor(guarded.url)
    assert "Secure" in visitor.get("/login", {"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]


def test_a_person_who_is_removed_is_out_at_once(guarded: Page, cli: Run) -> None:
    anna = signed_in(guarded)
    assert cli("serve", "--users").out == "Anna\n"
    assert cli("serve", "--remove-user", "Anna").code == 0
    assert anna.get("/").to == "/login"
    assert cli("serve", "--remove-user", "Anna").code == 2


def test_who_did_what_is_written_down(guarded: Page) -> None:
    anna = signed_in(guarded)
    run = anna.started("locks.csv", text(2))
    anna.finished(run)
    anna.get(f"{run}/results.csv")
    told = anna.get("/log").words
    for what in ("signed in", "uploaded locks.csv", "started locks.csv", "downloaded"):
        assert what in told
    assert told.count("Anna") >= 4


def test_no_password_and_no_cookie_is_on_the_disk(guarded: Page) -> None:
    anna = signed_in(guarded)
    store = Path("state/web/web.sqlite")
    kept = b"".join(path.read_bytes() for path in store.parent.glob("web.sqlite*"))
    assert b"a long password" not in kept
    assert anna.cookie.partition("=")[2].encode() not in kept
    if sys.platform != "win32":
        assert store.stat().st_mode & 0o77 == 0


def test_strangers_need_people(cli: Run) -> None:
    done = cli("serve", "--simulate", "--host", "0.0.0.0", "--port", 0)
    assert done.code == 2
    assert "--add-user" in done.err


def test_a_port_that_is_taken_is_said(page: Page, cli: Run) -> None:
    Path("config.yaml").write_text("state_directory: another\n")
    done = cli("serve", "--simulate", "--port", urlsplit(page.url).port)
    assert done.code == 2
    assert "--port" in done.err


def test_one_server_at_a_time_looks_after_an_org(page: Page, cli: Run) -> None:
    done = cli("serve", "--simulate", "--port", 0)
    assert done.code == 2
    assert "served already" in done.err


# -- what is hostile ---------------------------------------------------------------------------

NAMES = (
    "../../etc/passwd.csv",
    "..\\..\\windows\\system32\\evil.csv",
    "/etc/cron.d/x.csv",
    "C:\\autoexec.csv",
    "CON.csv",
    "a\x00b.csv",
    "<img src=x onerror=alert(1)>.csv",
    "\"; rm -rf ~; '.csv",
    "a" * 300 + ".csv",
    ".htaccess",
    "..",
    "\u202etxt.csv",
    "naïve Größe 表.csv",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_harms_nothing(name: str) -> None:
    safe = safe_name(name)
    assert safe not in ("", ".", "..")
    assert not set(safe) & set('/\\<>:"|?*\0\u202e')
    assert len(safe.encode()) <= 160
    assert Path(safe).name == safe
    assert not safe.lower().startswith(("con.", "nul."))


@pytest.mark.parametrize("name", ["plan.journal", "plan.1.partial", "wish", "表" * 95 + ".csv"])
def test_a_file_with_a_name_of_ours_is_read_like_any_other(someone: Visitor, name: str) -> None:
    assert "can be sent 2" in someone.get(someone.checked(name, text(2))).words


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"csrf=%ff", {"Content-Type": "application/x-www-form-urlencoded; charset=bogus"}),
        (b"csrf=\xff", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"csrf=x", {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "a=\xff"}),
        (b"", {"Content-Type": "multipart/form-data"}),
        (b"nonsense", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
    ],
)
@pytest.mark.parametrize("path", ["/files", "/logout", "/login"])
def test_a_malformed_request_is_no_surprise(
    someone: Visitor, path: str, body: bytes, headers: dict[str, str]
) -> None:
    assert 400 <= someone.ask("POST", path, body, headers).status < 500


@given(st.text())
def test_any_name_is_made_safe(name: str) -> None:
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert safe_name(safe) == safe


def test_cells_and_names_are_always_escaped(someone: Visitor) -> None:
    evil = "<script>alert(1)</script>"
    content = (
        f'"{evil}",Module,Record Id,Lock Id,Reason\n'
        f'"{evil}",Leads,5843104000000000001,6843104000000000001,"{evil}"\n'
        f'"=cmd()",{evil},5843104000000000002,6843104000000000002,x\n'
    ).encode()
    where = someone.checked("<b>x.csv", content)
    run = someone.post(f"{where}/start").to
    someone.finished(run)
    for path in (f"{where}?show=all", run, f"{run}?words={evil}", "/", "/history", "/log"):
        told = someone.get(path).text
        assert "<script>alert" not in told, path
        assert "<b>x" not in told, path
    results = someone.get(f"{run}/results.csv").content.decode("utf-8-sig")
    assert "'=cmd()" in results


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/runs/..%2f..%2fweb.sqlite",
        "/runs/../files",
        "/files/..%2f..%2fweb.sqlite",
        "/files/..",
        "/runs/20260314-020304-1f3a/results.exe",
        "/files/zz/problems.xlsx",
    ],
)
def test_no_path_reaches_the_disk(someone: Visitor, path: str) -> None:
    assert someone.get(path).status == 404


def test_an_unexpected_error_has_a_number_and_no_traceback(page: Page, someone: Visitor) -> None:
    run = someone.started("locks.csv", text(2))
    someone.finished(run)
    [journal] = Path.home().rglob("runs/simulator/*.journal")
    with sqlite3.connect(journal) as sql:
        sql.execute("UPDATE progress SET finished_at = 'noon'")
    answer = someone.get(run)
    assert answer.status == 500
    assert re.search(r"Tell your administrator: [0-9a-f]{8}", answer.words)
    assert "Traceback" not in answer.text
    assert "batchlock/" not in answer.text


def test_what_is_kept_of_a_password_is_a_slow_hash() -> None:
    kept = hashed("a long password")
    assert kept.startswith("scrypt$32768$8$1$")
    assert matches("a long password", kept)
    assert not matches("a long passwore", kept)
    assert not matches("", None)
    assert hashed("a long password") != kept


def test_patience_doubles_and_ends() -> None:
    now = [0.0]
    patience = LoginThrottle(lambda: now[0])
    waits = []
    for _ in range(20):
        patience.wrong(["name x"])
        waits.append(patience.wait(["name x", "address y"]))
    assert waits[:7] == [0, 0, 0, 0, 1, 2, 4]
    assert max(waits) == 900
    assert patience.wait(["address y"]) == 0
    patience.right(["name x"])
    assert patience.wait(["name x"]) == 0
