"""What the page tells: a request for approval, and how a run has ended."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.notice_server import NoticeServer, notice_server
from support.page_server import add_person, served_page, signed_in
from support.visitor import csv_content, eventually
from support.zoho import Start

Configure = Callable[..., Path]


@pytest.fixture
def configure(stand_in: Start, tmp_path: Path) -> Configure:
    """Return a function that configures the page of an org with notices to a server."""

    def write(server: NoticeServer, *options: str, **sections: object) -> Path:
        stand_in(*options).config(
            tmp_path / "config.yaml",
            state_directory=str(tmp_path / "state"),
            retry={"attempts": 2, "first_wait": "10ms"},
            notify={
                "ping_url": f"{server.url}/ping",
                "webhook": f"{server.url}/hook",
                "messages": f"json{server.url[4:]}/message",
            },
            **sections,
        )
        return tmp_path

    return write


def test_a_run_tells_its_end_and_pings_nobody(configure: Configure) -> None:
    content = csv_content(3, first=900) + b"Leads,990000000000000103,6843104000000000009,why\n"
    with notice_server() as server, served_page(configure(server)) as page:
        visitor = page.visitor()
        run = visitor.start("in.csv", content)
        visitor.results(run)
        eventually(lambda: {"/hook", "/message"} <= {*server.paths})
    assert {*server.paths} == {"/hook", "/message"}
    (notice,) = (one.json for one in server.requests if one.path == "/hook")
    assert (notice["command"], notice["event"], notice["exit_code"]) == ("page", "end", 3)
    assert notice["file"] == "in.csv"
    assert notice["run_id"] in run
    assert (notice["rows"], notice["counts"]["rejected"]) == (4, 1)


def test_of_a_run_that_a_person_has_stopped_no_message_is_sent(configure: Configure) -> None:
    with (
        notice_server() as server,
        served_page(configure(server, "--latency", "200ms", limits={"in_flight": 1})) as page,
    ):
        visitor = page.visitor()
        run = visitor.start("in.csv", csv_content(500, first=1000))
        eventually(lambda: page.running() is not None)
        assert visitor.post(f"{run}/stop").status == 303
        visitor.results(run)
        eventually(lambda: "/hook" in server.paths)
    (notice,) = (one.json for one in server.requests)
    assert (notice["event"], notice["needs_person"]) == ("end", False)


def test_a_request_for_approval_needs_a_person(configure: Configure) -> None:
    with notice_server() as server:
        folder = configure(server, web={"four_eyes": True})
        for name in ("Pia", "Sam"):
            add_person(folder, name)
        with served_page(folder) as page:
            visitor = signed_in(page, "Pia")
            check = visitor.check("in.csv", csv_content(3, first=900))
            asked = visitor.post(f"{check}/ask", {"start": "new", "comment": "a secret comment"})
            assert asked.status == 303
            eventually(lambda: {"/hook", "/message"} <= {*server.paths})
    assert {*server.paths} == {"/hook", "/message"}
    bodies = {one.path: one.json for one in server.requests}
    assert (bodies["/hook"]["event"], bodies["/hook"]["needs_person"]) == ("person", True)
    assert bodies["/message"]["title"] == "batchlock default: page in.csv: waits for approval"
    assert (
        "Pia asks another person to approve the start of in.csv (3 rows)."
        in bodies["/message"]["message"]
    )
    assert "secret comment" not in b"".join(one.body for one in server.requests).decode()
