"""The page of the own account: sessions, and the password."""

import json
import re
import sqlite3
from contextlib import closing

import pytest
from support.page_server import PASSWORD, PageServer, add_person, signed_in
from support.visitor import Visitor

from batchlock.web.auth.tokens import session_key

NEW_PASSWORD = "velvet otter lantern nine"


def person(page: PageServer, name: str, address: str) -> Visitor:
    """Return a visitor who has signed in from an address."""
    return signed_in(page, name, {"X-Forwarded-For": address, "User-Agent": f"Browser {address}"})


def is_signed_in(visitor: Visitor) -> bool:
    return visitor.get("/account").status == 200


def test_a_person_ends_one_session(guarded: PageServer) -> None:
    add_person(guarded.folder, "Sina")
    here, there = person(guarded, "Sina", "10.1.0.1"), person(guarded, "Sina", "10.1.0.2")
    anna = person(guarded, "Anna", "10.1.0.3")
    account = here.get("/account")
    assert "Browser 10.1.0.1 this session" in account.words
    assert "Browser 10.1.0.2" in account.words
    assert "10.1.0.3" not in account.words
    [key] = re.findall(r'name="session" value="(\w+)"', account.text)
    anna.get("/account")
    anna.post("/account/end", {"session": key})
    assert is_signed_in(there)
    assert here.post("/account/end", {"session": key}).location == "/account"
    assert not is_signed_in(there)
    assert is_signed_in(here)
    assert "Sina ended a session" in here.get(f"{here.home}/log").words


def test_a_person_ends_all_other_sessions(guarded: PageServer) -> None:
    add_person(guarded.folder, "Theo")
    visitors = [person(guarded, "Theo", f"10.1.1.{number}") for number in range(3)]
    anna = person(guarded, "Anna", "10.1.1.9")
    visitors[0].post("/account/end-others")
    assert [is_signed_in(visitor) for visitor in visitors] == [True, False, False]
    assert is_signed_in(anna)
    assert "End all others" not in visitors[0].get("/account").words


def test_a_person_changes_the_password(guarded: PageServer) -> None:
    add_person(guarded.folder, "Uta")
    here, there = person(guarded, "Uta", "10.1.2.1"), person(guarded, "Uta", "10.1.2.2")
    cookie = here.cookie
    form = {"old": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD}
    for wrong, status, words in (
        ({"old": "wrong"}, 403, "The old password is not right."),
        ({"again": "another"}, 422, "differ"),
        ({"new": "short", "again": "short"}, 422, "at least 12 characters"),
        ({"new": "password1234", "again": "password1234"}, 422, "leaked"),
    ):
        refused = here.post("/account/password", form | wrong)
        assert refused.status == status, wrong
        assert words in refused.words
    assert is_signed_in(there)
    changed = here.post("/account/password", form)
    assert "Your password is changed." in here.get(changed.location).words
    assert here.cookie != cookie
    assert is_signed_in(here)
    assert not is_signed_in(there)
    there.get("/login")
    assert there.post("/login", {"name": "Uta", "password": PASSWORD}).status == 403
    assert there.post("/login", {"name": "Uta", "password": NEW_PASSWORD}).status == 303


def test_the_strength_of_a_new_password_is_told(guarded: PageServer) -> None:
    anna = person(guarded, "Anna", "10.1.4.1")
    for password, score, reason in (
        ("", 0, "at least 12 characters"),
        ("kD8#qv0!zLw", 2, "at least 12 characters"),
        ("password1234", 1, "leaked"),
        (NEW_PASSWORD, 4, ""),
    ):
        told = json.loads(anna.post("/account/strength", {"new": password}).content)
        assert told["score"] == score, password
        assert reason in told["reason"]
        assert bool(told["reason"]) == bool(reason)


def test_whoever_came_by_a_link_has_no_password(page: PageServer) -> None:
    someone = page.visitor()
    account = someone.get("/account")
    assert "Change your password" not in account.words
    assert "local user" in account.words
    assert "this session" in account.words
    form = {"old": "", "new": NEW_PASSWORD, "again": NEW_PASSWORD}
    assert someone.post("/account/password", form).status == 409


@pytest.mark.parametrize(
    ("path", "headers", "is_use"),
    [
        ("/", {}, True),
        ("/", {"Accept": "text/html", "Sec-Fetch-Dest": "document"}, True),
        ("/account/active", {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}, True),
        ("/", {"Accept": "*/*"}, False),
        ("/", {"Accept": "application/json"}, False),
        ("/", {"Sec-Fetch-Dest": "empty"}, False),
        ("/", {"If-None-Match": '"x"'}, False),
        # Without the script the browser loads the page again.
        ("/?refreshed", {"Accept": "text/html", "Sec-Fetch-Dest": "document"}, False),
    ],
)
def test_what_a_page_requests_by_itself_is_no_use_of_the_session(
    page: PageServer, path: str, headers: dict[str, str], *, is_use: bool
) -> None:
    someone = page.visitor()
    key = session_key(someone.cookie.partition("=")[2])
    with closing(sqlite3.connect(page.state / "store.sqlite")) as sql:
        with sql:
            sql.execute("UPDATE sessions SET last_seen = last_seen - 1000")
        [(before,)] = sql.execute("SELECT last_seen FROM sessions WHERE key = ?", [key])
        someone.get(path, headers)
        [(after,)] = sql.execute("SELECT last_seen FROM sessions WHERE key = ?", [key])
    assert (after > before) == is_use


def test_a_session_ends_at_its_limit(guarded: PageServer) -> None:
    anna = person(guarded, "Anna", "10.1.3.1")
    key = session_key(anna.cookie.partition("=")[2])
    with closing(sqlite3.connect(guarded.state / "store.sqlite")) as sql, sql:
        sql.execute("UPDATE sessions SET started_at = started_at - 7000 WHERE key = ?", [key])
    assert is_signed_in(anna)
    with closing(sqlite3.connect(guarded.state / "store.sqlite")) as sql, sql:
        sql.execute("UPDATE sessions SET started_at = started_at - 300 WHERE key = ?", [key])
    assert not is_signed_in(anna)
