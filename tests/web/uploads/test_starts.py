"""What a click on a check starts, when the same content was sent before."""

import re

import pytest
from support.page_server import PageServer
from support.sheets import record
from support.visitor import HEADER, Visitor, csv_content, eventually
from support.zoho import StandIn

# A record that the stand-in refuses; see docs/simulator.md.
REFUSED = "Leads,990000000000000101,,why\n"


@pytest.fixture
def anna(slow_page: PageServer) -> Visitor:
    return slow_page.visitor()


def buttons(visitor: Visitor, upload: str) -> dict[str, dict[str, str]]:
    """Return the hidden fields of each button that starts something, by the words on it."""
    forms = re.findall(
        rf'<form[^>]*action="{upload}/start".*?</form>', visitor.get(upload).text, re.DOTALL
    )
    return {
        re.findall(r"<button[^>]*>(.*?)</button>", form)[0]: dict(
            re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', form)
        )
        for form in forms
    }


def click(visitor: Visitor, upload: str, words: str) -> str:
    """Click a button of a check, and answer the question of production; return the run's path."""
    form = buttons(visitor, upload)[words]
    answer = visitor.post(f"{upload}/start", form)
    if answer.status == 200:
        answer = visitor.confirm(f"{upload}/start", form)
    assert answer.status == 303, answer.words
    return answer.location


def updates(org: StandIn, first: int, count: int) -> list[int]:
    """Return how often each of some locks was changed."""
    locks = org.locks()
    keys = [f"Leads/{record(number)}" for number in range(first, first + count)]
    return [locks[key]["updates"] if key in locks else 0 for key in keys]


def stopped(visitor: Visitor, content: bytes) -> str:
    """Start a run and stop it before its last row; return its path."""
    run = visitor.start("locks.csv", content)
    visitor.wait_for(run, "Sending.")
    visitor.post(f"{run}/stop")
    assert "Resume the run" in visitor.results(run).words
    return run


def test_rows_that_are_done_are_left_alone_and_counted(someone: Visitor) -> None:
    content = csv_content(20, first=30_000) + REFUSED.encode()
    run = someone.start("locks.csv", content)
    assert "20 updated, 1 rejected" in someone.results(run).words
    upload = someone.check("again.csv", content)
    check = someone.get(upload).words
    assert "can be sent 1" in check
    assert "done by an earlier run 20" in check
    assert "To send: 1 update: Leads 1" in check
    assert [*buttons(someone, upload)] == [
        "Start: Send 1 update to the rehearsal",
        "Send all again: Send 21 updates to the rehearsal",
    ]
    assert "An earlier run did this row on" in someone.get(f"{upload}?show=done").words
    again = click(someone, upload, "Start: Send 1 update to the rehearsal")
    assert "20 unchanged, 1 rejected" in someone.results(again).words


def test_all_rows_can_be_sent_again(anna: Visitor, slow_org: StandIn) -> None:
    content = csv_content(3, first=31_000)
    anna.results(anna.start("locks.csv", content))
    upload = anna.check("again.csv", content)
    check = anna.get(upload).words
    assert "All rows are done already" in check
    [words] = buttons(anna, upload)
    assert words == "Send all again: Send 3 updates to default production"
    assert "3 updated" in anna.results(click(anna, upload, words)).words
    assert updates(slow_org, 31_000, 3) == [2] * 3


def test_the_counts_follow_a_run_that_ended_since(someone: Visitor) -> None:
    content = csv_content(4, first=32_000)
    upload = someone.check("first.csv", content)
    assert [*buttons(someone, upload)] == ["Start: Send 4 updates to the rehearsal"]
    someone.results(someone.start("second.csv", content))
    assert [*buttons(someone, upload)] == ["Send all again: Send 4 updates to the rehearsal"]


def test_an_unfinished_run_is_resumed_from_the_check(anna: Visitor, slow_org: StandIn) -> None:
    content = csv_content(30, first=33_000)
    run = stopped(anna, content)
    upload = anna.check("again.csv", content)
    assert "A run of the same file was not finished" in anna.get(upload).words
    words = next(iter(buttons(anna, upload)))
    assert words.startswith("Resume the run: ")
    assert click(anna, upload, words) == run
    assert "30 updated" in anna.results(run).words
    assert updates(slow_org, 33_000, 30) == [1] * 30


def test_a_new_run_closes_the_unfinished_one(anna: Visitor, slow_org: StandIn) -> None:
    content = csv_content(30, first=34_000)
    run = stopped(anna, content)
    upload = anna.check("again.csv", content)
    assert "start a new run, which closes it" in anna.get(upload).words
    # The page of somebody who does not know of the run may not close it.
    [new] = [fields for fields in buttons(anna, upload).values() if fields["choice"] == "fresh"]
    assert anna.post(f"{upload}/start", {**new, "unfinished": ""}).status == 409
    [words] = [words for words in buttons(anna, upload) if words.startswith("Start a new run: ")]
    new_run = click(anna, upload, words)
    assert new_run != run
    anna.results(new_run)
    old = anna.get(run).words
    assert f"A new run of the file was started: {new_run.rpartition('/')[2]}." in old
    assert "Resume the run" not in old
    assert anna.post(f"{run}/go-on").status == 409
    assert "Retry the rest" not in old
    answer = anna.post(f"{run}/retry")
    assert answer.status == 409
    assert "Retry the rest of that run instead." in answer.words
    assert updates(slow_org, 34_000, 30) == [1] * 30


@pytest.mark.parametrize(
    ("state", "words"), [("running", "is being sent"), ("paused", "is paused")]
)
def test_a_run_that_is_under_way_is_not_closed(anna: Visitor, state: str, words: str) -> None:
    content = csv_content(200, first=35_000 if state == "running" else 36_000)
    run = anna.start("locks.csv", content)
    anna.wait_for(run, "Sending.")
    if state == "paused":
        anna.post(f"{run}/pause")
        anna.wait_for(run, "Paused by")
    upload = anna.check("again.csv", content)
    assert f"It {words}; to start a new run, stop that one first." in anna.get(upload).words
    assert buttons(anna, upload) == {}
    run_id = run.rpartition("/")[2]
    answer = anna.post(f"{upload}/start", {"choice": "new", "unfinished": run_id})
    assert answer.status == 409
    assert f"Run {run_id} of the same file {words}. A new run would close it: stop it" in (
        answer.words
    )
    anna.post(f"{run}/stop")
    eventually(lambda: "Resume the run" in anna.get(run).words)


def test_an_unfinished_run_with_another_reason_is_not_resumed_by_a_click(anna: Visitor) -> None:
    lines = "".join(f"Leads,{record(number)},\n" for number in range(37_000, 37_030))
    content = (HEADER.replace("Lock Id,", "") + lines).encode()

    def check(reason: str) -> str:
        upload = anna.check("locks.csv", content)
        anna.post(f"{upload}/read", {"reason_for_all": reason})
        anna.wait_for(upload, reason)
        return upload

    first = click(anna, check("Audit of May"), "Start: Send 30 updates to default production")
    anna.wait_for(first, "Sending.")
    anna.post(f"{first}/stop")
    anna.results(first)
    upload = check("Audit of June")
    assert "It reads the file in another way" in anna.get(upload).words
    [words] = buttons(anna, upload)
    assert words == "Start a new run: Send 30 updates to default production"
    second = click(anna, upload, words)
    assert "30 updated" in anna.results(second).words
    assert "A new run of the file was started" in anna.get(first).words
