"""Unlocks need the number of rows typed, whatever starts them; and the undo of a run."""

import pytest
from support.page_server import PageServer
from support.visitor import Visitor
from support.zoho import StandIn

HEADER = "Module,Record Id,Reason,Action\n"
# Ids that no other test of these servers uses.
_FIRST = 5843104000000060011


@pytest.fixture
def anna(slow_page: PageServer) -> Visitor:
    """Return a visitor of an org that keeps its locks between two runs."""
    return slow_page.visitor()


def content(*endings: str, first: int) -> bytes:
    """Return a CSV file with a row of Leads for each reason and action."""
    lines = [f"Leads,{_FIRST + first + n},{ending}\n" for n, ending in enumerate(endings)]
    return (HEADER + "".join(lines)).encode()


def runs_named(visitor: Visitor, name: str) -> int:
    return visitor.get(f"{visitor.home}/history?words={name}").text.count(
        f'href="{visitor.home}/runs/'
    )


def test_no_click_unlocks_without_the_number_of_rows(someone: Visitor) -> None:
    upload = someone.check("gone.csv", content(",unlock", ",unlock", "a,lock", first=0))
    assert "Start 3 rows: Unlock 2 records in simulator rehearsal" in someone.get(upload).words
    for form in ({}, {"unlocks": "3"}, {"unlocks": "two"}):
        asked = someone.post(f"{upload}/start", form)
        assert (asked.status, asked.location) == (200, "")
        assert "Unlock 2 records?" in asked.words
        assert ("is not the number" in asked.words) == bool(form)
    assert runs_named(someone, "gone.csv") == 0
    run = someone.post(f"{upload}/start", {"unlocks": " 2 "}).location
    assert "1 locked, 2 unlocked" in someone.results(run).words


def test_the_question_repeats_what_was_requested(someone: Visitor) -> None:
    upload = someone.check("again.csv", content(",unlock", first=100))
    asked = someone.post(f"{upload}/start", {"choice": "new", "finished": '"><b>x'})
    assert '<input type="hidden" name="choice" value="new">' in asked.text
    assert "<b>x" not in asked.text
    assert f'action="{upload}/start"' in asked.text


def test_what_a_run_has_changed_is_put_back_and_again(anna: Visitor, slow_org: StandIn) -> None:
    free = {"id": f"{_FIRST + 201}", "lock": None}
    slow_org.change("inventory", {"records": {"Leads": [free]}}, method="PATCH")
    upload = anna.check("undo.csv", content(",unlock", "b,lock", "c,update", first=200))
    run = anna.post(f"{upload}/start", {"unlocks": "1"}).location
    assert "Undo: Put back 1 reason, lock 1 again, unlock 1" in anna.results(run).words
    page = anna.get(f"{run}/undo").words
    assert "Put back 1 reason, lock 1 again, unlock 1" in page
    assert "Undo: Unlock 1 record in default production, 3 rows in all" in page
    assert "Unlock 1 record?" in anna.post(f"{run}/undo").words
    assert runs_named(anna, "undo.csv") == 1
    undo = anna.post(f"{run}/undo", {"unlocks": "1"}).location
    assert "1 updated, 1 locked, 1 unlocked" in anna.results(undo).words
    assert f'href="{run}"' in anna.get(undo).text  # the story of the file
    again = anna.post(f"{undo}/undo", {"unlocks": "1"}).location
    assert "1 updated, 1 locked, 1 unlocked" in anna.results(again).words


def test_a_run_that_changed_nothing_has_no_undo(someone: Visitor) -> None:
    refused = f"{HEADER}Leads,990000000000000101,why,update\n".encode()
    run = someone.start("nothing.csv", refused)
    assert "Undo:" not in someone.results(run).words
    assert "nothing that can be put back" in someone.get(f"{run}/undo").words
    answer = someone.post(f"{run}/undo")
    assert answer.status == 409


def test_a_retry_of_unlocks_needs_the_number_too(anna: Visitor, slow_org: StandIn) -> None:
    refused = {"id": f"{_FIRST + 300}", "unlock_refusal": "no_permission", "lock": {"id": "1" * 18}}
    slow_org.change("inventory", {"records": {"Leads": [refused]}}, method="PATCH")
    upload = anna.check("refused.csv", content(",unlock", first=300))
    run = anna.post(f"{upload}/start", {"unlocks": "1"}).location
    assert "Retry the rest" in anna.results(run).words
    assert "Unlock 1 record?" in anna.post(f"{run}/retry").words
    assert runs_named(anna, "refused.csv") == 1
    retry = anna.post(f"{run}/retry", {"unlocks": "1"}).location
    assert "retry of the rest" in anna.results(retry).words
