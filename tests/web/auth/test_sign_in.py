"""Signing in by link and by password, and what ends a session."""

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.page_server import (
    PASSWORD,
    SCRYPT_HASH,
    PageServer,
    add_person,
    served_page,
    signed_in,
)
from support.visitor import Visitor, csv_content, write_config

from batchlock.store.schema import people
from batchlock.store.store import Store
from batchlock.web.auth.passwords import hash_password, needs_rehash
from batchlock.web.security import local_path

_READ = """
import sys
from pathlib import Path

database = Path(sys.argv[1])
for path in database.parent.glob(f"{database.name}*"):
    sys.stdout.buffer.write(path.read_bytes())
"""


def login_statuses(
    page: PageServer, names: list[str], addresses: list[str], password: str = "wrong"
) -> list[int]:
    """Try to sign in with each name from each address; return the statuses."""
    visitor = Visitor(page.url)
    visitor.get("/login")
    return [
        visitor.post(
            "/login", {"name": name, "password": password}, {"X-Forwarded-For": address}
        ).status
        for name, address in zip(names, addresses, strict=True)
    ]


def test_a_link_works_once(page: PageServer) -> None:
    link = page.link()
    first, second = Visitor(page.url), Visitor(page.url)
    assert first.get(link).status == 303
    assert second.get(link).status == 403
    assert second.get("/").location == "/login"
    assert first.get("/").location == "/orgs/simulator"
    log = first.get("/orgs/simulator/log").words
    assert "an unknown name tried to sign in by a link 127.0.0.1" in log
    assert page.visitor().get("/").status == 303


def test_a_link_does_not_work_once_there_are_people(tmp_path: Path) -> None:
    write_config(tmp_path)
    with served_page(tmp_path, simulate=True) as page:
        someone = page.visitor()
        add_person(tmp_path, "Anna")
        assert someone.get("/").location == "/login"
        assert Visitor(page.url).get(page.link()).status == 403


def test_people_sign_in_with_their_passwords(guarded: PageServer) -> None:
    assert not any("/enter/" in line for line in guarded.output)
    headers = {"X-Forwarded-For": "10.0.1.1"}
    visitor = Visitor(guarded.url, headers=headers)
    visitor.get("/login")
    cookie = visitor.cookie
    for name in ("Anna", "Nobody"):
        assert visitor.post("/login", {"name": name, "password": "wrong"}).status == 403
    anna = signed_in(guarded, "Anna", headers)
    assert anna.cookie != cookie
    assert "Anna" in anna.get(anna.home).words
    assert anna.post("/logout").location == "/login"
    assert anna.get("/").location == "/login"


def test_a_hash_of_0_1_0_is_replaced_at_the_next_sign_in(guarded: PageServer) -> None:
    store = Store(guarded.state)
    store.people.put("Otto", SCRYPT_HASH)
    store.sessions.start("another browser", "Otto")
    signed_in(guarded, "Otto", {"X-Forwarded-For": "10.0.1.2"})
    otto = store.people.find("Otto")
    assert otto is not None
    assert not needs_rehash(otto.password_hash)
    assert store.sessions.name("another browser", max_idle_seconds=60) == "Otto"
    store.close()
    signed_in(guarded, "Otto", {"X-Forwarded-For": "10.0.1.2"})


def test_wrong_passwords_hold_for_their_address_alone(guarded: PageServer) -> None:
    add_person(guarded.folder, "Berta")
    # The last attempts follow each other at once on any machine: the wait has grown to minutes.
    statuses = login_statuses(guarded, ["Berta", "bertA"] * 6, ["10.0.2.1"] * 12)
    assert statuses[:5] == [403] * 5
    assert 429 in statuses[5:]
    assert login_statuses(guarded, ["Berta"], ["10.0.2.2"], PASSWORD) == [303]


def test_the_case_of_a_name_does_not_matter(guarded: PageServer) -> None:
    anna = signed_in(guarded, "aNNa", {"X-Forwarded-For": "10.0.1.3"})
    assert "Anna Sign out" in anna.get(anna.home).words


def test_of_two_people_whose_names_differ_in_case_nobody_is_taken_for_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, run_in_process: RunCommand
) -> None:
    config = write_config(tmp_path)
    with Store(tmp_path / "state") as store, store._engine.begin() as connection:
        for name in ("Anna", "anna"):  # as an older version stored them
            values = {"name": name, "password_hash": hash_password(PASSWORD)}
            connection.execute(people.insert().values(values))
    with served_page(tmp_path, simulate=True) as page:
        assert "Anna and anna are 2 people whose names differ only in case" in caplog.text
        assert login_statuses(page, ["ANNA"], [""], PASSWORD) == [403]
        for name in ("Anna", "anna"):
            words = signed_in(page, name).get("/orgs/simulator/log").words
        assert f"{name} Sign out" in words
        assert "Anna or anna tried to sign in with a name in the case of neither" in words
    refused = run_in_process("serve", "--config", config, "--remove-user", "ANNA")
    assert refused.code == 2
    assert "ANNA may be Anna or anna" in refused.err
    assert run_in_process("serve", "--config", config, "--remove-user", "anna").code == 0


def test_a_password_typed_as_a_name_is_not_kept(guarded: PageServer) -> None:
    assert login_statuses(guarded, ["my secret password"], ["10.0.1.4"]) == [403]
    assert login_statuses(guarded, ["ANNA"], ["10.0.1.5"]) == [403]
    anna = signed_in(guarded, "Anna", {"X-Forwarded-For": "10.0.1.6"})
    log = anna.get(f"{anna.home}/log").words
    assert "secret" not in log
    assert "an unknown name tried to sign in 10.0.1.4" in log
    assert "Anna tried to sign in 10.0.1.5" in log


def test_an_address_with_many_wrong_passwords_must_wait(guarded: PageServer) -> None:
    names = [f"Nobody {number}" for number in range(27)]
    assert 429 in login_statuses(guarded, names, ["10.0.3.1"] * 27)


def test_signing_in_leads_to_the_page_that_was_asked_for(guarded: PageServer) -> None:
    path = "/orgs/simulator/history?words=one+two&page=2"
    visitor = Visitor(guarded.url, headers={"X-Forwarded-For": "10.0.8.1"})
    form_path = visitor.get(path).location
    assert form_path.startswith("/login?next=")
    entered = {"name": "Anna", "password": PASSWORD, "next": next_in(visitor.get(form_path).text)}
    assert entered["next"] == path
    refused = visitor.post("/login", entered | {"password": "wrong"})
    assert next_in(refused.text) == path
    assert visitor.post("/login", entered).location == path
    assert visitor.get(path).status == 200
    assert visitor.get(form_path).location == path


def next_in(html: str) -> str:
    """Return the value of the hidden field that says where signing in leads."""
    value = re.search(r'name="next" value="([^"]*)"', html)
    return unescape(value[1]) if value else ""


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/\t/evil.example",
     "/\n/evil.example", "/x\r\nSet-Cookie: a=b", "javascript:alert(1)", "/\u202e"],
)  # fmt: skip
def test_signing_in_leads_to_this_site_alone(path: str) -> None:
    assert local_path(path) == "/"


def test_a_strange_path_is_no_error(guarded: PageServer) -> None:
    visitor = Visitor(guarded.url, headers={"X-Forwarded-For": "10.0.8.2"})
    visitor.get("/login")
    form = {"name": "Anna", "password": PASSWORD, "next": "/[%zz?:&#]"}
    assert visitor.post("/login", form).status == 303


def test_the_sentence_says_how_long_to_wait(guarded: PageServer) -> None:
    visitor = Visitor(guarded.url, headers={"X-Forwarded-For": "10.0.4.1"})
    visitor.get("/login")
    form = {"name": "Carla", "password": "wrong"}
    answers = [visitor.post("/login", form) for _ in range(12)]
    assert any("Too many wrong passwords" in answer.words for answer in answers)


def test_only_the_address_that_the_proxy_adds_counts(guarded: PageServer) -> None:
    names = ["No one"] * 12
    addresses = [f"10.0.0.{number}, 10.9.9.9" for number in range(12)]
    assert 429 in login_statuses(guarded, names, addresses)


def test_behind_tls_the_cookie_is_bound_to_the_host(guarded: PageServer) -> None:
    behind_tls = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.9.1"}
    answer = Visitor(guarded.url).get("/login", behind_tls)
    assert answer.headers["Set-Cookie"].startswith("__Host-batchlock_")
    for attribute in ("Secure", "Path=/", "HttpOnly"):
        assert attribute in answer.headers["Set-Cookie"]
    assert "Domain" not in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    anna = signed_in(guarded, "Anna", behind_tls)
    assert anna.get("/account").status == 200
    # A cookie without the prefix may have been set by a page without TLS.
    anna.cookie = anna.cookie.removeprefix("__Host-")
    assert anna.get("/account").status == 303


def test_without_tls_there_is_neither_the_prefix_nor_hsts(guarded: PageServer) -> None:
    for headers in ({}, {"X-Forwarded-Proto": "http"}):
        answer = Visitor(guarded.url).get("/login", headers)
        assert answer.headers["Set-Cookie"].startswith("batchlock_")
        assert answer.headers["Strict-Transport-Security"] is None


def test_a_cookie_is_sent_to_this_site_alone(page: PageServer) -> None:
    cookie = Visitor(page.url).get(page.link()).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_the_session_of_a_removed_person_ends_at_once(
    guarded: PageServer, run_in_process: RunCommand
) -> None:
    add_person(guarded.folder, "Rita")
    rita = signed_in(guarded, "Rita", {"X-Forwarded-For": "10.0.5.1"})
    assert rita.get(rita.home).status == 200
    assert "Rita" in run_in_process("serve", "--config", guarded.config, "--users").out.splitlines()
    remove = ("serve", "--config", guarded.config, "--remove-user", "Rita")
    assert run_in_process(*remove).code == 0
    assert rita.get("/").location == "/login"
    assert run_in_process(*remove).code == 2


def test_the_log_says_who_did_what(guarded: PageServer) -> None:
    add_person(guarded.folder, "Lena")
    lena = signed_in(guarded, "Lena", {"X-Forwarded-For": "10.0.6.1"})
    run = lena.start("logged.csv", csv_content(2, first=1))
    lena.results(run)
    lena.get(f"{run}/results.csv")
    log = lena.get(f"{lena.home}/log").words
    for action in (
        "signed in 10.0.6.1",
        "uploaded logged.csv",
        "started logged.csv",
        "downloaded",
    ):
        assert f"Lena {action}" in log


def test_no_password_and_no_cookie_is_on_the_disk(guarded: PageServer) -> None:
    anna = signed_in(guarded, "Anna", {"X-Forwarded-For": "10.0.7.1"})
    database = guarded.state / "store.sqlite"
    # In another process: closing a file ends the locks that this one, with the server, has on it.
    content = subprocess.run(
        [sys.executable, "-c", _READ, str(database)], stdout=subprocess.PIPE, check=True
    ).stdout
    assert b"SQLite format 3" in content
    assert PASSWORD.encode() not in content
    assert anna.cookie.partition("=")[2].encode() not in content
    if sys.platform != "win32":
        assert database.stat().st_mode & 0o77 == 0
