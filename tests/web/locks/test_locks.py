"""Find locks on the page, and change or unlock the ones that were found."""

import asyncio
import csv
import io
from collections.abc import Iterator

import pytest
from support.page_server import PageServer, served_page
from support.visitor import Visitor, eventually
from support.zoho import StandIn, stand_in_on


@pytest.fixture(scope="module")
def org(stand_in_loop: asyncio.AbstractEventLoop) -> Iterator[StandIn]:
    with stand_in_on(stand_in_loop, "--inventory-size", "60") as org:
        yield org


@pytest.fixture(scope="module")
def lock_page(org: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("locks")
    org.config(folder / "config.yaml", state_directory=str(folder / "state"))
    with served_page(folder) as page:
        yield page


@pytest.fixture
def anna(lock_page: PageServer) -> Visitor:
    return lock_page.visitor()


def found(visitor: Visitor, **form: str) -> tuple[str, list[dict[str, str]]]:
    """Find locks; return the path of the run and the lines of its CSV file."""
    run = visitor.post(f"{visitor.home}/locks", {"module": "Leads", **form}).location
    visitor.results(run)
    text = visitor.get(f"{run}/results.csv").content.decode("utf-8-sig")
    return run, list(csv.DictReader(io.StringIO(text)))


def test_locks_are_found_changed_and_unlocked(anna: Visitor, org: StandIn) -> None:
    run, lines = found(anna)
    assert lines
    page = anna.get(run)
    assert all(line["Record Id"] in page.text for line in lines)
    by_hand = [line for line in lines if line["Source"] != "Automatic"]
    one = by_hand[0]["Record Id"]
    assert "Unlock this record" in anna.get(f"{run}?words={one}").words

    change = anna.post(f"{run}/use", {"words": one, "reason": "<i>new\r\nreason"}).location
    eventually(lambda: "being read" not in anna.get(change).text)
    assert "Change the reason 1 lock Leads 1" in anna.get(change).words
    assert "<i>new" not in anna.get(change).text
    # The search knows the old reason, so Zoho is not asked for it.
    old = " ".join(by_hand[0]["Reason"].split())
    assert f"before: {old} <i>new" in anna.get(change).words

    unlock = anna.post(f"{run}/use", {"words": one, "action": "unlock"}).location
    eventually(lambda: "being read" not in anna.get(unlock).text)
    assert "Unlock 1 record in default production" in anna.get(unlock).words
    assert org.state()["unlocked"] == 0
    assert "Unlock 1 record?" in anna.post(f"{unlock}/start").words
    result = anna.post(f"{unlock}/start", {"unlocks": "1"}).location
    assert "1 unlocked" in anna.results(result).words
    assert org.state()["unlocked"] == 1


def test_the_search_reports_only_what_its_filter_lets_pass(anna: Visitor) -> None:
    _, every = found(anna)
    _, automatic = found(anna, source_automatic="on")
    assert {line["Source"] for line in automatic} <= {"Automatic"}
    assert len(automatic) < len(every)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"module": ""}, "Choose at least one module."),
        ({"module": "Nonsense"}, "Choose at least one module."),
        ({"module": "Leads", "since": "soon"}, "is no day"),
        ({"module": "Leads", "since": "2026-02-01", "until": "2026-01-01"}, "later than"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(
    anna: Visitor, form: dict[str, str], sentence: str
) -> None:
    answer = anna.post(f"{anna.home}/locks", form)
    assert answer.status == 409
    assert sentence in answer.words


def test_a_run_of_a_file_has_no_locks_to_use(anna: Visitor) -> None:
    content = b"Module,Record Id,Reason\nLeads,5843104000000070011,why\n"
    run = anna.start("file.csv", content)
    anna.results(run)
    assert anna.post(f"{run}/use", {"action": "unlock"}).status == 409


def test_a_change_needs_a_reason(anna: Visitor) -> None:
    run, _ = found(anna)
    answer = anna.post(f"{run}/use", {"reason": "  "})
    assert answer.status == 409
    assert "Type the new reason" in answer.words
