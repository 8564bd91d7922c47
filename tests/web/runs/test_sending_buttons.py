"""What the buttons that send say, and what they leave out; and the question of a production org."""

import re

import pytest
from support.page_server import PageServer
from support.visitor import HEADER, Visitor, csv_content

# Records that the stand-in refuses or that fail; see docs/simulator.md.
_REFUSED_FOR_GOOD = "Leads,990000000000000103,,why\n"
_REFUSED_NOW = "Leads,990000000000000111,,why\n"
_FAILS = "Leads,990000000000000201,,why\n"
_INVALID = "Leads,12,,why\n"


@pytest.fixture
def anna(slow_page: PageServer) -> Visitor:
    """Return a visitor of an org in production."""
    return slow_page.visitor()


def buttons(visitor: Visitor, path: str) -> list[tuple[str, str]]:
    """Return the classes and the words of each button that sends."""
    text = visitor.get(path).text
    return re.findall(r'<button class="(send \w+)(?: second)?">(.*?)</button>', text)


def content(*lines: str, first: int) -> bytes:
    return csv_content(1, first=first) + "".join(lines).encode()


def test_a_retry_leaves_out_what_would_end_in_the_same_way(someone: Visitor) -> None:
    lines = (_REFUSED_FOR_GOOD, _REFUSED_NOW, _FAILS, _INVALID)
    run = someone.start("rest.csv", content(*lines, first=80_001))
    page = someone.results(run).words
    assert "1 updated, 2 rejected, 1 failed, 1 invalid" in page
    assert buttons(someone, run) == [
        ("send rehearsal", "Retry the rest: Send 2 updates to the rehearsal"),
        ("send rehearsal", "Only what Zoho has not refused: Send 1 update to the rehearsal"),
    ]
    assert "1 row with problems in its cells" in page
    assert "1 row that Zoho would refuse again: the related id given seems to be invalid" in page
    retry = someone.post(f"{run}/retry").location
    assert "1 rejected, 1 failed, 1 invalid" in someone.results(retry).words


def test_without_a_row_that_can_be_sent_again_there_is_no_retry(someone: Visitor) -> None:
    run = someone.start("final.csv", content(_REFUSED_FOR_GOOD, first=80_010))
    page = someone.results(run).words
    assert buttons(someone, run) == []
    assert "Correct these rows in the downloaded workbook" in page
    answer = someone.post(f"{run}/retry")
    assert answer.status == 409
    assert "No row of this run can be sent again as it is." in answer.words


def test_a_retry_of_production_asks_once_with_the_number(anna: Visitor) -> None:
    lines = HEADER + _REFUSED_NOW
    upload = anna.check("production.csv", lines.encode())
    assert buttons(anna, upload) == [
        ("send production", "Start: Send 1 update to default production")
    ]
    run = anna.post(f"{upload}/start").location
    anna.results(run)
    for form in ({}, {"confirmed": "2"}):
        asked = anna.post(f"{run}/retry", form)
        assert (asked.status, asked.location) == (200, "")
        assert "Send 1 update to default production? " in asked.words
        assert "Nothing is sent yet." in asked.words
    assert anna.get(f"{anna.home}/history?words=production.csv").text.count("/runs/") == 1
    retry = anna.confirm(f"{run}/retry").location
    assert "1 rejected" in anna.results(retry).words


def test_a_run_of_production_is_resumed_after_the_question(anna: Visitor) -> None:
    run = anna.start("paused.csv", csv_content(40, first=81_000))
    anna.wait_for(run, "Sending.")
    anna.post(f"{run}/pause")
    anna.wait_for(run, "Resume: Send ")
    assert re.search(r"Send \d+ updates to default production\?", anna.post(f"{run}/go-on").words)
    assert "Paused by" in anna.get(run).words
    assert anna.confirm(f"{run}/go-on").location == run
    assert "40 updated" in anna.results(run).words


def test_sending_all_again_to_production_asks_with_the_number(anna: Visitor) -> None:
    content = csv_content(3, first=82_000)
    run = anna.start("again.csv", content)
    anna.results(run)
    upload = anna.check("again.csv", content)
    form = re.search(r'value="fresh">.*?</form>', anna.get(upload).text, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', form[0]))
    request = {**fields, "choice": "fresh"}
    asked = anna.post(f"{upload}/start", request)
    assert (asked.status, asked.location) == (200, "")
    assert "Send 3 updates to default production?" in asked.words
    again = anna.confirm(f"{upload}/start", request).location
    assert again != run
    assert "3 updated" in anna.results(again).words


def test_a_run_is_resumed_from_its_check_after_the_question(anna: Visitor) -> None:
    content = csv_content(40, first=83_000)
    run = anna.start("half.csv", content)
    anna.wait_for(run, "Sending.")
    anna.post(f"{run}/stop")
    anna.results(run)
    upload = anna.check("half.csv", content)
    request = {"choice": "resume", "unfinished": run.rpartition("/")[2]}
    asked = anna.post(f"{upload}/start", request)
    assert re.search(r"Send \d+ updates to default production\?", asked.words)
    assert anna.confirm(f"{upload}/start", request).location == run
    assert "40 updated" in anna.results(run).words
