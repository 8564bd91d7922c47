"""What the page of a run that waits in line says about the runs that come first."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

from support.run_info import run_info

from batchlock.core.results import Result
from batchlock.core.runs import Run, RunFigures, RunState, Totals
from batchlock.web.runs.events import LiveRun
from batchlock.web.runs.live import RunView
from batchlock.web.templating import Frame, OrgLabel, Templates

ORG = OrgLabel(name="acme", environment="production", api="https://example.com", data_center="EU")
FIRST = Run(
    info=run_info(),
    parent="",
    state=RunState.RUNNING,
    requested_by="Anna",
    file_name="long.csv",
    heartbeat_at=datetime(2026, 3, 14, 10, 0, 20, tzinfo=UTC),
    # The totals are those of an earlier session.
    queued_at=datetime(2026, 3, 14, 9, 59, 50, tzinfo=UTC),
    figures=RunFigures(
        counts={Result.UPDATED: 100, Result.NOT_SENT: 500}, totals=Totals(seconds=30.0)
    ),
)


def status(*before: Run) -> str:
    """Return the HTML of what a run says that waits for others."""
    view = RunView(
        run=replace(FIRST, state=RunState.QUEUED),
        counts={},
        remaining=1,
        causes=(),
        throughput=None,
        credits_used=0,
    )
    live = LiveRun(
        view=view, runs_before=before, waits_for_other_orgs=False, problem="", chart=None
    )
    return Templates(lambda _: Frame()).render_part("live/status.html", live, ORG)


def words(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", "", html)).split())


def test_the_run_that_comes_first_is_named_with_its_expected_end() -> None:
    html = status(FIRST)
    # 500 rows are left, at 100 rows a minute.
    assert words(html) == (
        "Waiting in line. 1 run comes first: long.csv (Anna). It is expected to end at "
        "2026-03-14 10:05 UTC."
    )
    assert f'href="/orgs/acme/runs/{FIRST.run_id}"' in html


def test_the_runs_in_line_count_for_the_expected_end() -> None:
    waiting = replace(FIRST, state=RunState.QUEUED, requested_by="", heartbeat_at=None)
    assert words(status(FIRST, waiting)) == (
        "Waiting in line. 2 runs come first: long.csv (Anna), long.csv (command line). They are "
        "expected to end at 2026-03-14 10:10 UTC."
    )


def test_no_end_is_expected_before_a_run_has_a_pace() -> None:
    new = replace(FIRST, figures=RunFigures(counts={Result.NOT_SENT: 600}))
    assert words(status(new)).endswith("When it ends is not known yet.")
