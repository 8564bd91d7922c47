"""The log: search, links, download, what is recorded, and how long it is kept."""

import csv
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support.commands import run_with_input
from support.page_server import PageServer, add_person, served_page, signed_in
from support.visitor import Visitor, csv_content, eventually, write_config

from batchlock.core.org import StoredOrg
from batchlock.store.audit_log import LogFilter
from batchlock.store.schema import audit_log, sessions
from batchlock.store.store import Store
from batchlock.web.retention import _prune_log

DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def log_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve a page for two people behind a trusted proxy, with some entries in its log."""
    folder = tmp_path_factory.mktemp("log")
    write_config(folder, "web: {trusted_proxy: [127.0.0.1], keep_log: 30d}")
    for name in ("Anna", "Ben"):
        add_person(folder, name)
    with Store(folder / "state") as store:
        store.audit_log.add("simulator", "Carl", "uploaded", "=cmd|' /C calc'!A1.csv")
        store.audit_log.add("simulator", "Carl", "uploaded", "older.csv")
        with store._engine.begin() as connection:
            of_old = audit_log.update().where(audit_log.c.subject == "older.csv")
            connection.execute(of_old.values(at=audit_log.c.at - 10 * DAY_SECONDS))
    with served_page(folder, simulate=True) as page:
        yield page


@pytest.fixture(scope="module")
def anna(log_page: PageServer) -> Visitor:
    return signed_in(log_page, "Anna", {"X-Forwarded-For": "10.3.0.1"})


def log_words(visitor: Visitor, **search: str) -> str:
    """Return the entries that a search of the log shows."""
    page = visitor.get(f"{visitor.home}/log?{urlencode(search)}")
    assert page.status == 200
    return page.words.partition("What Address")[2]


def test_the_log_is_searched_by_words_person_and_day(anna: Visitor) -> None:
    assert "=cmd" in log_words(anna, words="CARL calc")
    assert log_words(anna, words="Carl calc nothing") == ""
    assert "Anna" not in log_words(anna, person="carl")
    assert "Carl" not in log_words(anna, person="anna")
    old_day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 10 * DAY_SECONDS))
    on_old_day = log_words(anna, **{"from": old_day, "until": old_day})
    assert "older.csv" in on_old_day
    assert "=cmd" not in on_old_day
    assert "older.csv" not in log_words(anna, **{"from": time.strftime("%Y-%m-%d", time.gmtime())})
    page = anna.get(f"{anna.home}/log?person=carl&from=2020-01-01")
    assert 'value="carl"' in page.text
    assert 'value="2020-01-01"' in page.text


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "9999-12-31x"])
def test_a_day_that_is_none_is_refused_with_a_sentence(anna: Visitor, day: str) -> None:
    refused = anna.get(f"{anna.home}/log?from={day}")
    assert refused.status == 400
    assert f'"{day}" is not a day' in refused.words


def test_no_search_is_an_error(anna: Visitor) -> None:
    for text in ("%00", "%25_", "'", "%F0%9F%98%80", "x" * 5_000, "9999-12-31"):
        for name in ("words", "person"):
            assert anna.get(f"{anna.home}/log?{name}={text}").status == 200
    assert anna.get(f"{anna.home}/log?until=9999-12-31&from=0001-01-01").status == 200


def test_entries_lead_to_their_uploads_and_runs(anna: Visitor) -> None:
    run = anna.start("linked.csv", csv_content(2, first=1))
    anna.results(run)
    anna.get(f"{run}/results.csv")
    page = anna.get(f"{anna.home}/log?words=linked.csv")
    links = re.findall(rf'href="({anna.home}/(?:files|runs)/[^"]+)"', page.text)
    assert run in links
    assert len(set(links)) == 2
    assert "batchlock ended linked.csv (finished): 2 updated run" in page.words
    assert all(anna.get(link).status == 200 for link in links)
    assert "10.3.0.1" in page.words


def test_the_download_has_what_the_search_finds_and_no_formula(anna: Visitor) -> None:
    link = re.search(r'href="([^"]+log\.csv[^"]*)"', anna.get(f"{anna.home}/log?words=calc").text)
    assert link is not None
    answer = anna.get(link[1].replace("&amp;", "&"))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    titles, *lines = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert titles[:4] == ["When (UTC)", "Org", "Who", "What"]
    assert lines[-1][1:5] == ["simulator", "Carl", "uploaded", "'=cmd|' /C calc'!A1.csv"]
    assert "downloaded the log words calc" in log_words(anna, words="downloaded log")


def test_sign_ins_sign_outs_and_ends_of_sessions_are_recorded(
    log_page: PageServer, anna: Visitor
) -> None:
    ben = signed_in(log_page, "Ben", {"X-Forwarded-For": "10.3.0.2"})
    ben.post("/logout")
    ben = signed_in(log_page, "Ben", {"X-Forwarded-For": "10.3.0.3"})
    words = log_words(anna, person="Ben")
    assert "Ben signed out 10.3.0.2" in words
    assert "Ben signed in 10.3.0.3" in words


def test_a_session_that_ran_out_is_recorded(tmp_path: Path) -> None:
    write_config(tmp_path, "web: {session: 20m, session_limit: 2h}")
    with Store(tmp_path / "state") as store:
        for name, column, seconds in (("Ben", "last_seen", 1_300), ("Eva", "started_at", 7_300)):
            store.sessions.start(f"key of {name}", name, address="10.3.0.4")
            with store._engine.begin() as connection:
                of_name = sessions.update().where(sessions.c.name == name)
                connection.execute(of_name.values({column: sessions.c[column] - seconds}))
        wanted = LogFilter(orgs=["simulator"], words="was signed out")
        with served_page(tmp_path, simulate=True):
            eventually(lambda: store.audit_log.count(wanted) == 2)
        entries = store.audit_log.entries(wanted, limit=9)
    assert {(one.person, one.subject, one.address) for one in entries} == {
        ("Ben", "after 20 min without activity", "10.3.0.4"),
        ("Eva", "after 2 h 0 min", "10.3.0.4"),
    }


def test_users_that_are_added_at_a_terminal_are_recorded(tmp_path: Path) -> None:
    config = str(write_config(tmp_path))
    typed = "one long pass phrase\none long pass phrase\n"
    for _ in range(2):
        done = run_with_input(["serve", "--config", config, "--add-user", "Dora"], typed=typed)
        assert done.returncode == 0, done.stderr
    with Store(tmp_path / "state") as store:
        changed, added = store.audit_log.entries(LogFilter(orgs=["default"]), limit=9)
    assert (added.action, added.subject) == ("added the user", "Dora")
    assert (changed.action, changed.subject) == ("changed the password of", "Dora")
    assert added.person.startswith("terminal (")


def test_old_entries_are_removed_and_that_is_an_entry(
    log_page: PageServer, tmp_path: Path, anna: Visitor
) -> None:
    assert "Kept for 30 days." in anna.get(f"{anna.home}/log").words
    write_config(tmp_path, "web: {keep_log: 7d}")
    with Store(tmp_path / "state") as store:
        for file in ("first.csv", "second.csv", "new.csv"):
            store.audit_log.add("simulator", "Carl", "uploaded", file)
        with store._engine.begin() as connection:
            of_old = audit_log.update().where(audit_log.c.subject != "new.csv")
            connection.execute(of_old.values(at=audit_log.c.at - 10 * DAY_SECONDS))
        every = LogFilter(orgs=["simulator"], words="csv")
        with served_page(tmp_path, simulate=True):
            eventually(lambda: store.audit_log.count(every) == 1)
        of_server = LogFilter(orgs=["simulator"], person="batchlock")
        [removal] = store.audit_log.entries(of_server, limit=9)
        _prune_log(store, "simulator", time.time() - 7 * DAY_SECONDS)
        assert store.audit_log.count(of_server) == 1
    assert removal.action == "removed"
    assert removal.subject.startswith("2 entries of this log from before 20")


def test_a_person_of_several_orgs_has_one_log_of_them(tmp_path: Path) -> None:
    write_config(tmp_path)
    with Store(tmp_path / "state") as store:
        names = ("acme", "globex")
        store.orgs.put([StoredOrg(name=name, data_center="eu", environment="sandbox")
                        for name in names])  # fmt: skip
        for name in names:
            store.audit_log.add(name, "Carl", "uploaded", f"of-{name}.csv")
    with served_page(tmp_path) as page:
        someone = page.visitor()
        assert 'href="/log"' in someone.get("/").text
        words = someone.get("/log").words
        assert "of-acme.csv" in words
        assert "of-globex.csv" in words
        assert "of-globex.csv" not in someone.get("/log?org=acme").words
        assert "of-acme.csv" not in someone.get("/log?org=nowhere").words
        assert "of-globex.csv" not in someone.get("/orgs/acme/log?org=globex").words
        assert b"globex,Carl" in someone.get("/log.csv").content
