"""Checks of the store: its tables, the key of its secrets, and what its runs and workers do."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from batchlock import __version__
from batchlock.config import Settings
from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.runs import CLOSED, Run, RunState
from batchlock.core.schedules import StoredSchedule
from batchlock.core.words import counted
from batchlock.doctor.checks import Check, bad, doubtful, good, skipped
from batchlock.store.read_only import StoreView
from batchlock.store.sealing import require_keys
from batchlock.store.store import Store
from batchlock.store.workers import StoredWorker
from batchlock.zoho.settings import SIMULATOR

# So many runs, workers or schedules are named in one message.
_MOST_NAMED = 3
# A worker looks for due schedules every few seconds.
_OVERDUE = timedelta(minutes=5)
# The files of a week or so name the modules that people use.
_RUNS_OF_MODULES = 3
# A copy of this size takes a moment.
_MOST_COPIED_BYTES = 64 * 2**20


def check_store(settings: Settings, view: StoreView | None) -> list[Check]:
    """Return the checks of the tables and of the key of the secrets."""
    if view is None:
        return [
            good(
                "store.tables",
                f"There is no store yet; the first run makes it in {settings.state}.",
            )
        ]
    return [_tables(settings, view), _key(settings, view.store)]


def _tables(settings: Settings, view: StoreView) -> Check:
    check_id = "store.tables"
    if settings.has_database:
        return good(
            check_id, f"The database answers and has the tables of this version ({view.revision})."
        )
    place = settings.state
    if view.has_old_state:
        return good(check_id, f"The next run takes over what version 0.1.0 has left in {place}.")
    if view.is_older:
        return good(
            check_id,
            f"The store is of an older version ({view.revision or 'unfinished'}); the next run "
            "brings it to this one, which works with a copy.",
        )
    return good(check_id, f"The store in {place} is whole and of this version ({view.revision}).")


def _key(settings: Settings, store: Store) -> Check:
    """Return whether the secrets in the store can be opened."""
    check_id = "store.key"
    names = sorted(store.orgs.with_secrets())
    if not names:
        return good(check_id, "The store holds no sign-in, so it needs no key.")
    keys = require_keys(settings.secrets, store.state, is_shared=store.is_shared)
    failed = []
    for name in names:
        try:
            store.orgs.secrets(name, keys)
        except UsageError:
            failed.append(name)
    if failed:
        return bad(
            check_id,
            f"The key does not open the sign-in of {_named(failed)}.",
            "Add the key with which they were sealed behind the first one of the setting "
            "`secrets`, or enter them again with `batchlock orgs add NAME --update`.",
        )
    return good(check_id, f"The key opens the sign-ins of all {counted(len(names), 'org')}.")


def check_work(settings: Settings, view: StoreView | None, *, org: str | None) -> list[Check]:
    """Return the checks of runs, workers and schedules: those of an org, or of all."""
    if view is None:
        return [good("work.runs", "There are no runs yet.")]
    store = view.store
    orgs = None if org is None else [org]
    all_runs = store.runs.all() if orgs is None else store.runs.of_orgs(orgs)
    # A rehearsal that was stopped leaves nothing behind that anybody waits for.
    runs = [run for run in all_runs if run.info.org != SIMULATOR]
    checks = [*_at_work(runs), *_unfinished(runs, settings), *_last(runs)]
    if store.is_shared:
        schedules = store.schedules.all(org)
        checks += [_workers(store.workers.all(), runs, schedules), _schedules(schedules)]
    else:
        checks.append(
            skipped("work.workers", "Without a database there are no workers and no schedules.")
        )
    return checks


def modules_in_use(view: StoreView, org: str) -> list[str]:
    """Return the modules of the rows of the newest runs of an org, as far as they can be read."""
    runs = sorted(view.store.runs.of_orgs([org]), key=lambda run: run.run_id, reverse=True)
    modules: dict[str, None] = {}
    for run in runs[:_RUNS_OF_MODULES]:
        # A journal that is missing, or too large to be copied, is of no use here.
        with suppress(BatchlockError), view.journal(run, max_bytes=_MOST_COPIED_BYTES) as journal:
            modules |= dict.fromkeys(rows.module for rows in journal.rows_to_send(with_done=True))
    return list(modules)


def last_credits(view: StoreView, org: str) -> int | None:
    """Return how many credits of the last day Zoho has named last; None: none, or long ago."""
    row = view.store.orgs.row(org)
    if row is None or row.credits_left is None or row.credits_at is None:
        return None
    is_recent = datetime.now(UTC) - row.credits_at < timedelta(days=1)
    return int(row.credits_left) if is_recent else None


def _at_work(runs: Sequence[Run]) -> list[Check]:
    alive = [run for run in runs if run.is_alive]
    waiting = [run for run in runs if run.state is RunState.QUEUED]
    if not alive:
        text = "No run is at work."
        if waiting:
            text = f"No run is at work; {counted(len(waiting), 'run')} {_wait(waiting)}."
        return [good("work.running", text)]
    names = _named([f"{run.run_id} ({run.info.org})" for run in alive])
    return [
        doubtful(
            "work.running",
            f"A run is at work: {names}.",
            "Wait for its end before you start another one of this org, which would end with exit "
            "code 7.",
        )
    ]


def _unfinished(runs: Sequence[Run], settings: Settings) -> list[Check]:
    states = (RunState.STOPPED, RunState.PAUSED, RunState.RUNNING)
    unfinished = [run for run in runs if run.state in states and not run.is_alive]
    if not unfinished:
        return [good("work.unfinished", "No run is unfinished.")]
    newest = max(unfinished, key=lambda run: run.run_id)
    option = "" if newest.info.org == settings.org else f" --org {newest.info.org}"
    others = f" and {len(unfinished) - 1:,} more" if len(unfinished) > 1 else ""
    is_paused = newest.state is RunState.PAUSED
    remedy = f"Resume it with: batchlock resume {newest.run_id}{option}"
    return [
        doubtful(
            "work.unfinished",
            f"Rows are left to send: {newest.figures.remaining:,} of run {newest.run_id}{others}.",
            f"{remedy}, or on the page." if is_paused else f"{remedy}.",
        )
    ]


def _last(runs: Sequence[Run]) -> list[Check]:
    closed = [run for run in runs if run.state in CLOSED and run.finished_at is not None]
    if not closed:
        return [good("work.last", "No run has ended yet.")]
    last = max(closed, key=lambda run: run.finished_at or datetime.min.replace(tzinfo=UTC))
    when = f"{last.finished_at:%Y-%m-%d %H:%M} UTC"
    if last.exit_code in (0, None):
        return [good("work.last", f"The last run ended well ({last.run_id}, {when}).")]
    return [
        doubtful(
            "work.last",
            f"The last run ended with exit code {last.exit_code} ({last.run_id}, {when}).",
            f"See why: batchlock show {last.run_id}.",
        )
    ]


def _workers(
    workers: Sequence[StoredWorker], runs: Sequence[Run], schedules: Sequence[StoredSchedule]
) -> Check:
    check_id = "work.workers"
    alive = [worker for worker in workers if worker.is_alive and not worker.stopping]
    lost = [worker for worker in workers if not worker.is_alive and not worker.stopping]
    waiting = [run for run in runs if run.state is RunState.QUEUED]
    if not alive:
        text = "No worker was heard of in the last minute"
        remedy = "Start one on each machine: batchlock worker."
        if waiting or any(schedule.paused_by is None for schedule in schedules):
            return bad(check_id, f"{text}, so nothing that waits is sent.", remedy)
        return doubtful(check_id, f"{text}.", remedy)
    others = Counter(worker.version for worker in alive if worker.version != __version__)
    if others:
        return doubtful(
            check_id,
            f"{counted(others.total(), 'worker')} of another version than {__version__}: "
            f"{', '.join(sorted(others))}.",
            "Bring all machines to the same version, and start their workers again.",
        )
    text = f"{counted(len(alive), 'worker')} of this version at work"
    if lost:
        return doubtful(
            check_id,
            f"{text}; not heard of any more: {_named([worker.worker for worker in lost])}.",
            "Start them again if they should be there; they leave the list after a day.",
        )
    return good(check_id, f"{text}.")


def _schedules(schedules: Sequence[StoredSchedule]) -> Check:
    check_id = "work.schedules"
    if not schedules:
        return good(check_id, "There are no schedules.")
    now = datetime.now(UTC)
    active = [schedule for schedule in schedules if schedule.paused_by is None]
    overdue = [
        schedule
        for schedule in active
        if schedule.next_at is not None and now - schedule.next_at > _OVERDUE
    ]
    ended = [schedule for schedule in active if schedule.next_at is None]
    if overdue:
        return doubtful(
            check_id,
            f"Schedules were due and no worker has fired them: {_schedule_names(overdue)}.",
            "See whether a worker is at work, and what its log says.",
        )
    if ended:
        return doubtful(
            check_id,
            f"Schedules will never be due again: {_schedule_names(ended)}.",
            "Remove them, or add them with another cron expression.",
        )
    paused = len(schedules) - len(active)
    text = f"{counted(len(schedules), 'schedule')}, {paused:,} of them paused."
    return good(check_id, text)


def _schedule_names(schedules: Sequence[StoredSchedule]) -> str:
    return _named([f"{schedule.schedule_id} ({schedule.org})" for schedule in schedules])


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _wait(runs: Sequence[Run]) -> str:
    return "waits" if len(runs) == 1 else "wait"
