"""A person on the page starts, pauses and stops runs that a worker sends."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest
from support.fleet import Fleet, updates_of
from support.page_server import add_person, served_page, signed_in
from support.visitor import Visitor, write_config

MakeFleet = Callable[..., Fleet]

ROWS = 12
# Far more than are sent before a person has read the page and clicked.
MANY_ROWS = 3_000


@pytest.fixture
def fleet(make_fleet: MakeFleet) -> Fleet:
    return make_fleet("--latency", "100ms", "--in-flight-cap", "none")


@pytest.fixture
def anna(fleet: Fleet, database_url: str, tmp_path: Path) -> Iterator[Visitor]:
    """Return a person on a page whose runs a worker sends."""
    folder = tmp_path / "page"
    folder.mkdir()
    write_config(folder, f"database: {database_url}")
    add_person(folder, "Anna", database_url=database_url)
    with fleet.worker(), served_page(folder) as page:
        yield signed_in(page, "Anna")


def test_a_worker_sends_what_a_person_uploads(fleet: Fleet, anna: Visitor) -> None:
    run = anna.start("locks.csv", updates_of(1, ROWS).read_bytes())
    words = anna.results(run).words
    assert "Every row is as the file asks." in words
    assert "Started by Anna" in words
    workbook = anna.get(f"{run}/results.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(workbook.content), read_only=True)["Results"]
    assert [row[4].value for row in sheet.iter_rows(min_row=2)] == ["updated"] * ROWS
    assert anna.get(f"{run}/results.csv").text.count("SUCCESS") == ROWS
    assert "locks.csv" in anna.get(f"{anna.home}/history").words
    locks = fleet.stand_in.org(1).locks().values()
    assert [lock["updates"] for lock in locks if lock["updates"]] == [1] * ROWS


def test_a_worker_obeys_a_person(anna: Visitor) -> None:
    run = anna.start("many.csv", updates_of(1, MANY_ROWS).read_bytes())
    second = anna.start("second.csv", updates_of(1, ROWS).read_bytes())
    anna.wait_for(run, "Sending.")
    assert "1 run comes first" in anna.get(second).words
    anna.post(f"{run}/pause")
    anna.wait_for(run, "Paused by Anna. Nothing is sent until somebody resumes the run.")
    # A paused run leaves its place to the next one.
    assert f"{ROWS} updated" in anna.results(second).words
    anna.confirm(f"{run}/go-on")
    anna.wait_for(run, "Sending.")
    anna.post(f"{run}/stop")
    words = anna.results(run).words
    assert "Stopped by Anna" in words
    assert "Resume the run" in words
    assert "not_sent" in anna.get(f"{run}/results.csv").text
