"""One session of a run: from the first token to the reason why sending ended."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken, until_cancelled
from batchlock.core.errors import DATABASE_ERRORS, BatchlockError, Stopped
from batchlock.core.observer import RunObserver
from batchlock.core.records import FIND_KIND
from batchlock.core.runs import RunFigures
from batchlock.core.stop import COMPLETED, TIME_IS_OVER, StopReason
from batchlock.send.calls import CallCosts, Calls
from batchlock.send.composite import CompositeApi, Support
from batchlock.send.composite_memory import load_support, save_support
from batchlock.send.journal_writer import JournalWriter, ThreadWriter
from batchlock.send.org_check import check_org, require_org
from batchlock.send.org_enquiry import OrgEnquiry
from batchlock.send.org_memory import OrgMemory
from batchlock.send.pacing.ceiling import Pace, load_pace, save_pace
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.search import search_modules
from batchlock.send.sender import deliver
from batchlock.store.journal import Journal
from batchlock.zoho.connect import Connection

if TYPE_CHECKING:
    from batchlock.send.row import LockApi

_ENDING = "Ending; the calls under way are finished."


async def send(
    journal: Journal,
    connection: Connection,
    enquiry: OrgEnquiry,
    settings: Settings,
    *,
    memory: OrgMemory,
    deadline_monotonic: float | None,
    cancel_token: CancelToken,
    observer: RunObserver,
    writer: JournalWriter | None = None,
) -> StopReason:
    """Send the rows of a journal that are left, and return why the sending ended.

    `memory` has what earlier runs of the org have found, and gets what this one finds. Without a
    `writer`, a thread writes to the journal.

    Raises BatchlockError only for an unexpected error, whose exit code is 1.
    """
    writer = writer or ThreadWriter(journal)
    # In threads, since another process may make every query wait.
    info = await asyncio.to_thread(lambda: journal.info)
    figures = await asyncio.to_thread(journal.figures)
    is_find = info.kind == FIND_KIND
    if not is_find:
        observer.on_sending(rows=figures.rows, remaining=figures.remaining)
    pace = await asyncio.to_thread(load_pace, memory.pace, datetime.now(UTC))
    known = await asyncio.to_thread(load_support, memory.composite, datetime.now(UTC))
    limiter = CallLimiter(
        settings.limits,
        settings.retry,
        ceiling=pace.ceiling,
        known_good=pace.good,
        credits_used=figures.totals.credits_used,
        deadline_monotonic=deadline_monotonic,
    )
    support = Support(dict(known.methods))
    timer = asyncio.create_task(cancel_at_deadline(limiter, cancel_token))
    try:
        with cancel_token.callbacks_while(lambda: observer.on_message(_ENDING)):
            ready = _ready(connection, enquiry, limiter, settings.retry)
            await until_cancelled(ready, cancel_token)
            if sentence := enquiry.take_sentence():
                observer.on_message(sentence)
            await record_costs(enquiry, writer)
            if is_find:
                await _search(
                    journal, writer, connection, limiter, settings.retry, cancel_token, observer
                )
                figures = await asyncio.to_thread(journal.figures)
                observer.on_sending(rows=figures.rows, remaining=figures.remaining, only_looks=True)
            api: LockApi = connection.client
            if settings.limits.composite == "auto":
                api = CompositeApi(
                    connection.client,
                    support,
                    in_flight=lambda: limiter.in_flight,
                    window=lambda: limiter.window,
                    on_learned=observer.on_message,
                    rows=_rows_for_trials(figures, settings.limits),
                    per_second=settings.limits.per_second,
                )
            await deliver(
                journal,
                api,
                limiter,
                retry=settings.retry,
                stop=settings.stop,
                cancel_token=cancel_token,
                observer=observer,
                previous_reason=settings.results.previous_reason,
                writer=writer,
            )
    except DATABASE_ERRORS:
        raise  # another session goes on when it is back
    except BatchlockError as error:
        if error.exit_code == BatchlockError.exit_code:
            raise
        reason = StopReason.of(error)
        is_stopped = reason.exit_code == Stopped.exit_code
        if is_stopped and not await asyncio.to_thread(journal.remaining):
            # The stop came after the last row, so it kept no row from being sent.
            return COMPLETED
        return reason
    finally:
        timer.cancel()
        await asyncio.to_thread(_remember, memory, pace, known, support, limiter)
    return COMPLETED


def _remember(
    memory: OrgMemory, pace: Pace, known: Support, support: Support, limiter: CallLimiter
) -> None:
    """Store what this session has found; `pace` and `known` are what it began with."""
    now = datetime.now(UTC)
    save_support(memory.composite, before=known, support=support, now=now)
    pace_now = Pace(limiter.ceiling, limiter.highest_ok)
    save_pace(memory.pace, before=pace, now=pace_now, at=now)
    if (credits_left := limiter.snapshot.credits_left) is not None:
        memory.save_credits(credits_left, now)


def _rows_for_trials(figures: RunFigures, limits: Limits) -> int:
    """Return for how many rows composite calls would be useful."""
    if limits.max_credits is None:
        return figures.remaining
    # A trial may cost a credit more than its rows, so a run with few credits makes none.
    return min(figures.remaining, limits.max_credits - figures.totals.credits_used)


async def _ready(
    connection: Connection, enquiry: OrgEnquiry, limiter: CallLimiter, retry: Retry
) -> None:
    """Wait for a token, and begin with the limits of the right org."""
    await connection.first_token()
    facts = await enquiry.facts()
    limiter.charge(enquiry.costs.credits_used)
    if facts is not None and facts.in_flight_cap is not None:
        limiter.begin_at_cap(facts.in_flight_cap)
    if connection.org_id is not None and (facts is None or not facts.ids):
        facts = await require_org(connection.client, limiter, retry, costs=enquiry.costs)
    if facts is not None:
        check_org(facts, org_id=connection.org_id, environment=connection.environment)


async def record_costs(enquiry: OrgEnquiry, writer: JournalWriter) -> None:
    """Record in the journal what the questions about the org have cost."""
    costs = enquiry.costs.drain(now=enquiry.costs.since, peak=0)
    if costs.requests:
        await writer.commit([], costs=costs)


async def _search(
    journal: Journal,
    writer: JournalWriter,
    connection: Connection,
    limiter: CallLimiter,
    retry: Retry,
    cancel_token: CancelToken,
    observer: RunObserver,
) -> None:
    """Find the records whose locks are looked at then. Raises Cancelled and as `search_modules`."""
    costs_so_far = CallCosts(since=limiter.clock.monotonic())
    calls = Calls(limiter, retry, cancel_token, costs=costs_so_far)
    try:
        with cancel_token.callbacks_while(limiter.close, calls.abort_after_timeout):
            await search_modules(journal, connection.records, calls, observer)
    finally:
        # Also what the last calls have cost that brought no page.
        await writer.reload()
        costs = calls.costs.drain(now=limiter.clock.monotonic(), peak=limiter.peak)
        await writer.commit([], costs=costs)
        calls.close()
    cancel_token.raise_if_cancelled()


async def cancel_at_deadline(limiter: CallLimiter, cancel_token: CancelToken) -> None:
    """Cancel the run at its deadline, even while it waits for a token or a call."""
    if limiter.deadline_monotonic is None:
        return
    seconds = max(0.0, limiter.deadline_monotonic - limiter.clock.monotonic())
    await limiter.clock.wait(asyncio.Event(), seconds)
    cancel_token.cancel(TIME_IS_OVER)
