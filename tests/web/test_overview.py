"""The page of all orgs: what it says about each, and how its script asks for changes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.overview_orgs import add_orgs, org_name
from support.page_server import PageServer, add_person, served_page, signed_in
from support.postgres import PostgresServer
from support.run_info import figures_of, run_info, run_record
from support.visitor import Visitor, write_config

from batchlock.core.runs import RunState
from batchlock.store.overview import OrgRuns, OrgState
from batchlock.store.store import Store
from batchlock.web.overview.lines import OrgActivity, org_line
from batchlock.web.templating import OrgLabel

ORGS = 8
SILENT, NOT_DONE, STOPPED = org_name(1), org_name(5), org_name(7)


@pytest.fixture(scope="module")
def orgs_page(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("overview")
    with postgres_server.database() as url:
        write_config(folder, f"database: {url}")
        with Store(folder / "state", url) as store:
            add_orgs(store, ORGS)
        add_person(folder, "Anna", database_url=url)
        with served_page(folder) as page:
            yield page


@pytest.fixture
def anna(orgs_page: PageServer) -> Visitor:
    return signed_in(orgs_page, "Anna")


def line(words: str, org: str) -> str:
    """Return what the page says about an org."""
    return words.partition(org)[2].partition(" production ")[2].partition(" production ")[0]


def test_each_org_has_a_line_with_its_last_run(anna: Visitor) -> None:
    words = anna.get("/").words
    assert f"{ORGS} orgs, 3 need attention" in words
    words = words.rpartition("need attention")[2]  # the schedules name the orgs, too
    assert "Rows not done 403 of 415 done" in line(words, NOT_DONE)
    assert "Stopped early 100 of 421 done" in line(words, STOPPED)
    assert "schedule nightly-005" in line(words, NOT_DONE)
    assert "command line" in line(words, org_name(6))
    assert "49,315" in line(words, NOT_DONE)  # credits
    assert "Does not report" in line(words, SILENT)
    assert words.index(NOT_DONE) < words.index(org_name(0))


def test_the_orgs_can_be_filtered(anna: Visitor) -> None:
    problems = anna.get("/?show=problems").words
    assert f"3 of {ORGS} orgs" in problems
    assert org_name(0) not in problems
    some = anna.get("/?words=sandbox").words
    assert f"1 of {ORGS} orgs" in some
    assert org_name(3) in some
    assert "No org fits the filter." in anna.get("/?words=nowhere").words


def test_the_script_gets_the_parts_only_when_they_have_changed(anna: Visitor) -> None:
    first = anna.get("/overview?words=sandbox")
    etag = first.headers["ETag"]
    # Opened as a page it is saved, and not shown.
    assert first.headers["Content-Type"] == "application/json; charset=utf-8"
    assert first.headers["Content-Disposition"] == 'attachment; filename="batchlock.json"'
    assert org_name(3) in first.text
    again = anna.get("/overview?words=sandbox", {"If-None-Match": etag})
    assert (again.status, again.content) == (304, b"")
    assert anna.get("/overview?words=", {"If-None-Match": etag}).status == 200


def test_a_run_that_is_being_sent_is_shown_with_its_rate() -> None:
    run = run_record(
        state=RunState.RUNNING,
        heartbeat_at=datetime.now(UTC),
        figures=figures_of(updated=2, left=3),
    )
    waiting = run_record(run_info(run_id="20260315-020304-1f3a"), state=RunState.QUEUED)
    label = OrgLabel(name="acme", environment="production", api="", data_center="EU")
    shown = org_line(label, OrgState(), OrgRuns(active=[run, waiting]), {run.run_id: 7.5})
    assert (shown.activity, shown.run, shown.done) == (OrgActivity.SENDING, run, 2)
    assert (shown.rate, shown.waiting, shown.problem) == (7.5, 1, "")


def test_the_number_of_queries_does_not_depend_on_the_number_of_orgs(tmp_path: Path) -> None:
    counts = []
    for number in (2, 20):
        with Store(tmp_path / str(number)) as store:
            add_orgs(store, number)
            statements: list[str] = []

            def record(*arguments: object, seen: list[str] = statements) -> None:
                seen.append(str(arguments[2]))

            sa.event.listen(store._engine, "before_cursor_execute", record)
            runs = store.overview.runs([org.name for org in store.orgs.all()])
            assert len(runs) == number
            assert all(one.last is not None for one in runs.values())
            store.overview.orgs()
            store.overview.schedules()
            counts.append(len(statements))
    assert counts == [4, 4]
