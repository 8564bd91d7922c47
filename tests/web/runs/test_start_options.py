"""A run that starts later, has limits of its own, has a note, and moves in the line."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from support.page_server import PageServer
from support.visitor import PageResponse, Visitor, csv_content, eventually

from batchlock.core.errors import UsageError
from batchlock.core.runs import STOP_AT, Run, RunState
from batchlock.store.store import Store
from batchlock.web.queue import StartOptions
from batchlock.web.runs.start_options import local_now, start_options_in

NOON = datetime(2026, 3, 14, 12).astimezone()
MARK = {"with_options": "1"}


@pytest.fixture(scope="module")
def someone(slow_page: PageServer) -> Visitor:
    return slow_page.visitor()


def record(page: PageServer, path: str) -> Run:
    with Store(page.state) as store:
        run = store.runs.get(path.rpartition("/")[2])
    assert run is not None
    return run


def in_hours(hours: int) -> str:
    """Return a time as a browser sends it."""
    return f"{local_now() + timedelta(hours=hours):%Y-%m-%dT%H:%M}"


def send(visitor: Visitor, page: PageResponse, **typed: str) -> PageResponse:
    """Fill in the form of a page, and confirm it where the page asks."""
    path = re.search(r'<form class="card" method="post" action="([^"]+)"', page.text)
    assert path is not None, page.words
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', page.text))
    form = {**fields, **typed, "csrf": visitor.csrf}
    answer = visitor.post(path[1], form)
    if answer.status == 200:
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', answer.text))
        answer = visitor.post(path[1], {**fields, "csrf": visitor.csrf})
    return answer


def test_nothing_is_chosen_without_the_fields() -> None:
    assert start_options_in({"start_at": "2026-03-14T22:00"}, NOON) == StartOptions()
    assert start_options_in(MARK, NOON) == StartOptions(settings={})


def test_what_was_typed_is_read() -> None:
    form = {
        **MARK,
        "start_at": "2026-03-14T22:00",
        "stop_at": "6:00",
        "most_credits": " 1,500 ",
        "note": " Ticket\n4711 ",
    }
    assert start_options_in(form, NOON) == StartOptions(
        start_at=datetime(2026, 3, 14, 22).astimezone(),
        settings={"stop.until": "06:00", "limits.max_credits": "1500"},
        note="Ticket 4711",
    )


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("start_at", "2026-03-14T12:00", "is past"),
        ("start_at", "tonight", "is no day and time"),
        ("start_at", "2031-01-01T00:00", "more than a year away"),
        ("start_at", "0001-01-01T00:00", "is "),
        ("stop_at", "25:00", "is no time of day"),
        ("stop_at", "06:00+02:00", "is no time of day"),
        ("most_credits", "many", "is no number of credits"),
        ("most_credits", "0", "is no number of credits"),
        ("most_credits", "-5", "is no number of credits"),
        ("most_credits", "9" * 30, "is no number of credits"),
        ("note", "x" * 201, "201 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused(field: str, typed: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        start_options_in({**MARK, field: typed}, NOON)


def test_a_run_starts_later_with_its_limits(slow_page: PageServer, someone: Visitor) -> None:
    check = someone.check("later.csv", csv_content(12, first=500))
    form = someone.get(f"{check}/options")
    assert "Times are those of the server" in form.words
    assert send(someone, form, start_at="2020-01-01T00:00").status == 409
    started = send(
        someone, form, start_at=in_hours(5), most_credits="3", note="Ticket <4711>"
    ).location
    run = record(slow_page, started)
    assert (run.state, run.note) == (RunState.PAUSED, "Ticket <4711>")
    assert run.start_at is not None
    assert abs(run.start_at - datetime.now(UTC) - timedelta(hours=5)) < timedelta(minutes=2)
    shown = someone.get(started).words
    assert "It starts at" in shown
    assert "Ticket <4711>" in shown
    assert "Starts 20" in someone.get(someone.home).words
    # Its time is changed, then somebody does not wait for it.
    form = someone.get(f"{started}/options")
    assert (
        'name="most_credits" inputmode="numeric" maxlength="15" autocomplete="off" value="3"'
        in (form.text)
    )
    send(someone, form, start_at=in_hours(6), most_credits="3", note=run.note)
    changed = record(slow_page, started).start_at
    assert changed is not None
    assert changed > run.start_at
    someone.confirm(f"{started}/go-on")
    results = someone.results(started)
    assert "spent the 3 credits it may" in results.words
    assert record(slow_page, started).start_at is None
    # Without the limit, the rest is sent.
    assert "at most 3 credits" in results.words
    assert send(someone, someone.get(f"{started}/options"), note="").status == 303
    assert "Every row is as the file asks" in someone.results(started).words


def test_a_run_that_is_due_is_sent_without_a_person(
    slow_page: PageServer, someone: Visitor
) -> None:
    check = someone.check("due.csv", csv_content(2, first=600))
    started = send(someone, someone.get(f"{check}/options"), start_at=in_hours(5)).location
    run = record(slow_page, started)
    with Store(slow_page.state) as store:
        store.runs.enqueue(
            run.run_id, start=StartOptions(start_at=datetime.now(UTC)).later_start("x")
        )
    eventually(lambda: record(slow_page, started).state is RunState.FINISHED)


def test_the_line_and_the_notes_can_be_changed(slow_page: PageServer, someone: Visitor) -> None:
    first, *others = [
        someone.start(f"line{number}.csv", csv_content(600, first=1000 * number))
        for number in range(1, 4)
    ]
    eventually(lambda: record(slow_page, first).state is RunState.RUNNING)
    assert "To the front of the line" in someone.get(others[1]).words
    assert someone.post(f"{others[1]}/move", {"to": "front"}).status == 303
    with Store(slow_page.state) as store:
        line = [run.run_id for run in store.runs.queue("default")]
    assert line == [path.rpartition("/")[2] for path in reversed(others)]
    assert someone.post(f"{others[1]}/move", {"to": "earlier"}).status == 409
    assert someone.post(f"{first}/note", {"note": "For Ada"}).status == 303
    assert "For Ada" in someone.get(first).words
    assert "For Ada" in someone.get(someone.home).words
    assert someone.post(f"{first}/note", {"note": "x" * 201}).status == 409
    for path in (*others, first):
        someone.post(f"{path}/stop")
    eventually(lambda: record(slow_page, first).state is RunState.STOPPED)


def test_a_page_from_before_a_later_start_does_not_start_it_now(
    slow_page: PageServer, someone: Visitor
) -> None:
    check = someone.check("twice.csv", csv_content(2, first=700))
    form = someone.get(f"{check}/options")
    start_at = in_hours(5)
    started = send(someone, form, start_at=start_at, most_credits="500").location
    assert send(someone, form, start_at=start_at, most_credits="500").location == started
    answer = someone.post(f"{check}/start", {"choice": "new"})
    assert answer.status == 409
    assert "have changed since the page was opened" in answer.words
    assert send(someone, form, start_at=in_hours(6)).status == 409
    assert record(slow_page, started).state is RunState.PAUSED
    someone.post(f"{started}/stop")


def test_time_and_limits_for_a_run_that_was_started_meanwhile_are_refused(
    slow_page: PageServer, someone: Visitor
) -> None:
    content = csv_content(60, first=2_000_000)
    check = someone.check("meanwhile.csv", content)
    form = someone.get(f"{check}/options")
    started = someone.post(f"{check}/start").location
    for typed in ({"most_credits": "5"}, {"start_at": in_hours(5)}, {"stop_at": "06:00"}):
        answer = send(someone, form, **typed)
        assert answer.status == 409
        assert "without the time and the limits that were chosen here" in answer.words
    assert send(someone, form).location == started
    someone.post(f"{started}/stop")
    eventually(lambda: record(slow_page, started).state is RunState.STOPPED)


def test_a_run_stops_at_the_time_that_was_meant_when_it_begins_later(
    slow_page: PageServer, someone: Visitor
) -> None:
    check = someone.check("past.csv", csv_content(3, first=800))
    stop_at = in_hours(9).partition("T")[2]
    started = send(
        someone, someone.get(f"{check}/options"), start_at=in_hours(5), stop_at=stop_at
    ).location
    run = record(slow_page, started)
    assert run.start_at is not None
    assert run.stop_at is not None
    assert run.stop_at - run.start_at == timedelta(hours=4)
    past = {**run.options, STOP_AT: (datetime.now(UTC) - timedelta(minutes=30)).isoformat()}
    with Store(slow_page.state) as store:  # as if it had waited behind another run, or was killed
        store.runs.enqueue(run.run_id, options=past)
    eventually(lambda: record(slow_page, started).state is RunState.STOPPED)
    assert record(slow_page, started).figures.remaining == 3
    # A person who resumes it means the next such time.
    assert someone.confirm(f"{started}/go-on").status == 303
    eventually(lambda: record(slow_page, started).state is RunState.FINISHED)
