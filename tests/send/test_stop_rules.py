import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import pytest
from support.delivery import (
    HAS_OUR_REASON,
    LOST,
    ONE_ATTEMPT,
    REFUSED,
    ScriptedApi,
    journal_of,
    send,
    updates_of,
)

from batchlock.core.reply import Reply
from batchlock.core.results import Result
from batchlock.core.runs import STOP_AT
from batchlock.core.stop import StopCode
from batchlock.send.settings import StopSettings
from batchlock.send.stop_rules import deadline, with_stop_at

# Answers to look-ups that end their rows, so that the rows end in order.
SETUP = replace(REFUSED, about_setup=True)
FAIL, REFUSE, SUCCEED = [LOST], [SETUP], [HAS_OUR_REASON]
OTHER_CODE = [replace(SETUP, code="NOT_ALLOWED")]
OTHER_STATUS = [replace(SETUP, http_status=403)]
OTHER_REMEDY = [replace(SETUP, remedy="Ask.")]
OTHER_WORDS = [replace(SETUP, message="about another row")]
ABOUT_ROW = [REFUSED]


@pytest.mark.parametrize(
    ("answers", "expected_calls"),
    [
        ([FAIL, FAIL, FAIL, SUCCEED], 3),
        ([SUCCEED, FAIL, FAIL, FAIL, SUCCEED], 4),
        ([FAIL, FAIL, SUCCEED, FAIL, FAIL, SUCCEED], 6),
        ([FAIL, FAIL, REFUSE, FAIL, FAIL, SUCCEED], 6),
        ([FAIL, FAIL, REFUSE, FAIL, FAIL, FAIL, SUCCEED], 6),
    ],
)
def test_consecutive_failures_stop_the_run(
    tmp_path: Path, answers: list[list[Reply]], expected_calls: int
) -> None:
    api = ScriptedApi(lookups=dict(enumerate(answers, 2)))
    path = journal_of(tmp_path / "j", updates_of(len(answers), lock_id=None))
    delivery = send(path, api, retry=ONE_ATTEMPT, stop=StopSettings(consecutive_failures=3))
    assert api.rows("look-up") == list(range(2, expected_calls + 2))
    not_sent = len(answers) - expected_calls
    assert delivery.results.count(Result.NOT_SENT) == not_sent
    if not_sent:
        assert delivery.reason.code is StopCode.RULE
        assert "3 rows in a row failed, the last one with: no answer" in delivery.reason.sentence
    else:
        assert delivery.error is None


@pytest.mark.parametrize(
    ("answers", "expected_calls"),
    [
        ([REFUSE, REFUSE, REFUSE, SUCCEED], 3),
        ([REFUSE, OTHER_WORDS, REFUSE, SUCCEED], 3),
        ([REFUSE, FAIL, REFUSE, REFUSE, SUCCEED], 4),
        ([SUCCEED, REFUSE, REFUSE, REFUSE, REFUSE], 5),
        ([REFUSE, REFUSE, SUCCEED, REFUSE, REFUSE, REFUSE], 6),
        ([REFUSE, REFUSE, OTHER_CODE, REFUSE, REFUSE, REFUSE], 6),
        ([REFUSE, REFUSE, OTHER_STATUS, REFUSE, REFUSE, REFUSE], 6),
        ([REFUSE, REFUSE, OTHER_REMEDY, REFUSE, REFUSE, REFUSE], 6),
        ([ABOUT_ROW, ABOUT_ROW, ABOUT_ROW, ABOUT_ROW, SUCCEED], 5),
        ([ABOUT_ROW, REFUSE, REFUSE, REFUSE, REFUSE], 5),
    ],
)
def test_the_same_refusal_of_all_first_rows_stops_the_run(
    tmp_path: Path, answers: list[list[Reply]], expected_calls: int
) -> None:
    api = ScriptedApi(lookups=dict(enumerate(answers, 2)))
    path = journal_of(tmp_path / "j", updates_of(len(answers), lock_id=None))
    delivery = send(path, api, retry=ONE_ATTEMPT, stop=StopSettings(same_refusal=3))
    assert api.rows("look-up") == list(range(2, expected_calls + 2))
    not_sent = len(answers) - expected_calls
    assert delivery.results.count(Result.NOT_SENT) == not_sent
    if not_sent:
        assert delivery.reason.code is StopCode.RULE
        assert "refused each of the first 3 rows for the same reason" in delivery.reason.sentence
        assert "Correct it." in delivery.reason.sentence
    else:
        assert delivery.error is None


def test_rows_after_an_outage_can_be_resumed(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(100))
    outage = {row: [LOST] for row in range(22, 102)}
    delivery = send(
        path, ScriptedApi(outage, outage), window=5, stop=StopSettings(consecutive_failures=10)
    )
    assert delivery.reason.code is StopCode.RULE
    counts = Counter(delivery.results)
    assert counts[Result.UPDATED] == 20
    assert counts[Result.FAILED] >= 10
    assert counts[Result.FAILED] + counts[Result.UNKNOWN] <= 10 + 5 * 2
    delivery = send(path, ScriptedApi(), window=5)
    assert Counter(delivery.results) == {
        Result.FAILED: counts[Result.FAILED],
        Result.UPDATED: 100 - counts[Result.FAILED],
    }


@pytest.fixture
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be set here")
@pytest.mark.usefixtures("_berlin")
@pytest.mark.parametrize(
    ("started_at", "until", "hours"),
    [
        ("2026-01-15 05:00", "06:00", 1),
        ("2026-01-15 06:00", "06:00", 24),
        ("2026-01-15 22:00", "06:00", 8),
        ("2026-01-31 22:00", "06:00", 8),
        ("2026-12-31 22:00", "00:00", 2),
        ("2026-03-28 22:00", "06:00", 7),  # the clocks go forward
        ("2026-03-29 01:30", "06:00", 3.5),
        ("2026-10-24 22:00", "06:00", 9),  # and back
        ("2026-10-25 01:30", "06:00", 5.5),
        ("2026-10-25 06:00", "06:00", 24),
        ("2026-03-28 06:30", "06:00", 22.5),
    ],
)
def test_until_is_the_next_such_local_time(started_at: str, until: str, hours: float) -> None:
    local = datetime.fromisoformat(started_at).astimezone()
    stop = StopSettings(until=time_of_day.fromisoformat(until))
    for moment in (local, local.astimezone(UTC)):
        end = deadline(stop, started_monotonic=500.0, started_at=moment)
        assert end == 500.0 + hours * 3600


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be set here")
@pytest.mark.usefixtures("_berlin")
@pytest.mark.parametrize(
    ("started_at", "until", "hours"),
    [
        ("2026-06-01T22:00+02:00", "06:00", 8),
        ("2026-06-01T05:00+02:00", "06:00", 1),
        ("2026-06-01T06:00+02:00", "06:00", 24),
        ("2026-03-28T22:00+01:00", "06:00", 7),
        ("2026-03-29T00:30+01:00", "06:00", 4.5),
        ("2026-10-24T22:00+02:00", "06:00", 9),
        ("2026-10-25T00:30+02:00", "06:00", 6.5),
        ("2026-12-31T23:00+01:00", "06:00", 7),
        ("2026-03-28T21:00+00:00", "06:00", 7),
        ("2026-03-29T01:40+01:00", "02:30", 1 / 3),  # at 2:00 the clocks go to 3:00
        ("2026-03-29T03:00+02:00", "02:30", 23.5),
        ("2026-10-25T01:30+02:00", "02:30", 1),
        ("2026-10-25T02:45+02:00", "02:30", 0.75),  # at 3:00 the clocks go back to 2:00
        ("2026-10-25T02:45+01:00", "02:30", 23.75),
    ],
)
def test_until_is_right_in_the_night_of_a_clock_change(
    started_at: str, until: str, hours: float
) -> None:
    end = deadline(
        StopSettings(until=time_of_day.fromisoformat(until)),
        started_monotonic=0.0,
        started_at=datetime.fromisoformat(started_at),
    )
    assert end is not None
    assert end / 3600 == pytest.approx(hours)


@pytest.mark.parametrize(
    ("max_runtime", "has_until", "end"),
    [(None, False, None), (60.0, False, 63.0), (60.0, True, 63.0), (9e9, True, 3603.0)],
)
def test_the_earlier_of_max_runtime_and_until_ends_the_run(
    max_runtime: float | None, has_until: bool, end: float | None
) -> None:
    started_at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    until = (started_at.astimezone() + timedelta(hours=1)).time() if has_until else None
    stop = StopSettings(max_runtime=max_runtime, until=until)
    assert deadline(stop, started_monotonic=3.0, started_at=started_at) == end


def test_a_run_that_begins_after_its_end_has_no_time() -> None:
    chosen_at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    until = (chosen_at.astimezone() + timedelta(hours=1)).time()
    options = with_stop_at({"stop.until": "x"}, until, chosen_at)
    assert options == {"stop.until": "x", STOP_AT: "2026-01-15T13:00:00+00:00"}
    end = deadline(
        StopSettings(until=until),
        started_monotonic=7203.0,
        started_at=chosen_at + timedelta(hours=2),
        stop_at=datetime.fromisoformat(options[STOP_AT]),
    )
    assert end == 3603.0
