"""The first page, the results of a run, and the history."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.core.records import FIND_KIND
from batchlock.core.results import Cause, Result, ResultRow, Summary
from batchlock.core.rows import Field
from batchlock.core.runs import ACTIVE, Run, RunState
from batchlock.report.story import Story
from batchlock.report.summaries import closed_because, stop_reason_of, summary_of
from batchlock.start import rows_of_retry
from batchlock.store.approvals import Approval
from batchlock.store.journal import RowFilter, undo_forecast
from batchlock.store.uploads import Upload
from batchlock.web import security
from batchlock.web.approvals.rule import ApprovalView, FourEyes
from batchlock.web.context import AppContext
from batchlock.web.locks.found import found_page
from batchlock.web.runs.chart import Chart, chart
from batchlock.web.runs.events import LiveViews
from batchlock.web.runs.live import CHART_BARS
from batchlock.web.runs.table import PageOfTable, search_words
from batchlock.web.runs.undo import can_be_undone, undo_in_words
from batchlock.web.templating import Page
from batchlock.web.uploads.rows import CheckedColumn, checked_columns
from batchlock.zoho.error_codes import FINAL_REMEDIES

_LATEST_RUNS = 5
# Uploads are never removed by themselves unless web.keep says so, and the first page lists them.
_MAX_UPLOADS = 100
_FIRST_FIELDS = (Field.RECORD_ID, Field.REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage(Page):
    """The first page: the upload, what is active, and the latest runs."""

    template: ClassVar[str] = "home.html"
    active_runs: Sequence[Run]
    uploads: Sequence[Upload]
    approvals: Mapping[str, Approval]
    """The newest request about each upload, by the id of the upload."""
    latest_runs: Sequence[Run]
    stories: Mapping[str, Story]
    """The stories of families of several runs, by `Run.parent`."""
    max_upload_bytes: int


@dataclass(frozen=True, slots=True)
class DisplayedRow:
    """A row of the results table."""

    row: ResultRow
    cells: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage(Page):
    """The page of a run that is not active."""

    template: ClassVar[str] = "results.html"
    run: Run
    family: Sequence[Run]
    """The run and the runs that belong to it, oldest first."""
    story: Story
    summary: Summary
    columns: Sequence[CheckedColumn]
    """The record id and the reason first, then the other columns, as far as a screen shows them."""
    hidden_columns: int
    rows: Sequence[DisplayedRow]
    selected: str
    """The results that the table is filtered by, joined by commas, or `all`."""
    table: PageOfTable
    chart: Chart | None
    rows_to_resume: int
    """Rows that the run has left to send."""
    rows_to_retry: int
    """Rows that a retry sends: those that are not done, without those of `left_out`."""
    failed_to_retry: int
    """Rows that a retry without any refused row sends."""
    left_out: Sequence[Cause]
    """Why Zoho refused rows that it would refuse again as they are."""
    invalid: int
    can_correct: bool
    """Whether cells of its upload can be corrected on the page."""
    undo: str
    """What an undo does, in words; empty when nothing can be put back."""
    approval: ApprovalView | None
    """How the request about the run stands; None where a start needs no approval."""
    approved: Approval | None
    """The request by which the run was started."""

    @property
    def stories(self) -> Mapping[str, Story]:
        """The story of the family, if it has several runs."""
        return {self.run.parent: self.story} if self.story.runs > 1 else {}

    @property
    def later(self) -> Sequence[tuple[Run, int]]:
        """The later runs that have done rows which this one has not, and how many."""
        counts = self.story.settled_later.get(self.run.run_id, {})
        return [(run, counts[run.run_id]) for run in self.family if run.run_id in counts]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage(Page):
    """The list of all runs."""

    template: ClassVar[str] = "history.html"
    runs: Sequence[Run]
    stories: Mapping[str, Story]
    """As on the first page."""
    table: PageOfTable
    keep_seconds: float | None
    """How long runs are kept; None for ever."""


class RunPages:
    """The handlers that show runs."""

    def __init__(self, context: AppContext, live: LiveViews) -> None:
        self._context = context
        self._live = live

    async def home(self, request: web.Request) -> web.Response:
        """Show the upload, the active runs, and the latest ones."""
        store, org = self._context.store, self._context.org
        runs = await asyncio.to_thread(self._context.all_runs)
        uploads = store.uploads.without_run(org, limit=_MAX_UPLOADS)
        active_runs = [run for run in runs if run.state in ACTIVE]
        latest_runs = [run for run in runs if run.state not in ACTIVE][:_LATEST_RUNS]
        listed_runs = [*active_runs, *latest_runs]
        page = HomePage(
            stories=await asyncio.to_thread(self._context.stories.by_parent, listed_runs, runs),
            active_runs=active_runs,
            uploads=uploads,
            approvals=store.approvals.of_uploads(org, [upload.id for upload in uploads]),
            latest_runs=latest_runs,
            max_upload_bytes=self._context.settings.web.max_upload,
        )
        return self._context.templates.render_page(request, page)

    async def show(self, request: web.Request) -> web.Response:
        """Show the progress of an active run, or the results of another."""
        run, person = self._context.run_in(request), request[security.NAME]
        page: Page
        if run.state in ACTIVE:
            page = await self._live.running_page(run, person)
        elif run.info.kind == FIND_KIND:
            page = await asyncio.to_thread(found_page, self._context, run, request.query)
        else:
            page = await asyncio.to_thread(_results_page, self._context, run, request.query, person)
        return self._context.templates.render_page(request, page)

    async def history(self, request: web.Request) -> web.Response:
        """Show all runs of this org, those of the command line too."""
        words = search_words(request.query)
        runs = await asyncio.to_thread(self._context.all_runs)
        matching_runs = [run for run in runs if _matches(run, words)]
        table = PageOfTable.requested(request.query, len(matching_runs))
        listed_runs = matching_runs[table.offset : table.offset + table.size]
        page = HistoryPage(
            runs=listed_runs,
            stories=await asyncio.to_thread(self._context.stories.by_parent, listed_runs, runs),
            table=table,
            keep_seconds=self._context.settings.web.keep,
        )
        return self._context.templates.render_page(request, page)


def _matches(run: Run, words: str) -> bool:
    """Return whether every one of the words occurs in what the list shows of the run."""
    text = (
        f"{run.file_name} {run.run_id} {run.requested_by} {run.info.started_at:%Y-%m-%d}"
    ).casefold()
    return all(word in text for word in words.casefold().split())


def _place_in_results(column: CheckedColumn) -> int:
    """Return the rank of a column, so that record and reason stand beside the message."""
    return _FIRST_FIELDS.index(column.field) if column.field in _FIRST_FIELDS else 2


def _can_correct(context: AppContext, run: Run) -> bool:
    if run.upload is None or not run.is_closed:
        return False
    uploads = context.store.uploads
    return uploads.get(context.org, run.upload) is not None and uploads.open_run(run.upload) is None


def _results_page(
    context: AppContext, run: Run, query: Mapping[str, str], person: str
) -> ResultsPage:
    four_eyes = FourEyes(context)
    family = context.family(run)
    with context.store.open_journal(run) as journal:
        reason = stop_reason_of(run, remaining=journal.remaining())
        summary = summary_of(journal, run.info, reason, run.run_id)
        names = query.get("show", "all").split(",")
        results = frozenset(Result(name) for name in names if name in set(Result))
        row_filter = RowFilter(results=results, text=search_words(query))
        table = PageOfTable.requested(query, journal.count_rows(row_filter))
        rows = journal.page(
            row_filter,
            offset=table.offset,
            limit=table.size,
            closed_because=closed_because(reason),
        )
        throughput = journal.throughput(CHART_BARS)
        rows_to_resume = journal.remaining()
        forecast = undo_forecast(journal)
    sources = summary.preview.read_as.fields
    table_columns = checked_columns(run.info.titles, sources, is_whole=False)
    columns = sorted(table_columns.columns, key=_place_in_results)
    story = context.stories.of(family)
    can_retry = (
        run.is_closed
        and run.state is not RunState.SUPERSEDED
        and not story.is_complete
        and not story.done_otherwise(run, family)
    )
    return ResultsPage(
        run=run,
        family=family,
        story=story,
        summary=summary,
        columns=columns,
        hidden_columns=table_columns.hidden,
        rows=[DisplayedRow(row, [column.text_in(row) for column in columns]) for row in rows],
        selected=",".join(results) or "all",
        table=table,
        chart=chart(throughput),
        rows_to_resume=rows_to_resume,
        rows_to_retry=rows_of_retry(run, context.store, final=False) if can_retry else 0,
        failed_to_retry=rows_of_retry(run, context.store, refused=False) if can_retry else 0,
        left_out=[
            cause
            for cause in summary.causes
            if cause.result is Result.REJECTED and cause.remedy in FINAL_REMEDIES
        ],
        invalid=summary.counts[Result.INVALID],
        can_correct=_can_correct(context, run),
        undo=undo_in_words(forecast) if can_be_undone(run, forecast) else "",
        approval=four_eyes.view_of_run(run, person),
        approved=context.store.approvals.of_run(run.run_id),
    )
