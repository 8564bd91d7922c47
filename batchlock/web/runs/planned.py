"""What the resumption, the retry or the undo of a run would send, for whoever approves it."""

from batchlock.core.preview import ModuleRows
from batchlock.core.rows import Action
from batchlock.core.runs import Run
from batchlock.start import rows_of_retry
from batchlock.store.approvals import subject_of_run
from batchlock.store.journal import undo_forecast
from batchlock.web.approvals.rule import PlannedStart, StartKind
from batchlock.web.context import AppContext


def planned_run_start(context: AppContext, run: Run, kind: StartKind) -> PlannedStart:
    """Return what a start would send that belongs to a run."""
    counts, digest = _sent_by(context, run, kind)
    upload = None
    if run.upload is not None:
        upload = context.store.uploads.get(context.org, run.upload)
    return PlannedStart(
        subject=subject_of_run(run.run_id),
        title=run.file_name,
        kind=kind,
        digest=digest,
        counts=counts,
        upload=upload,
    )


def _sent_by(context: AppContext, run: Run, kind: StartKind) -> tuple[tuple[ModuleRows, ...], str]:
    """Return the rows that a start sends, and the digest of them."""
    store = context.store
    if kind is StartKind.RESUME:
        with store.open_journal(run) as journal:
            return tuple(journal.rows_to_send()), journal.digest()
    if kind is StartKind.UNDO:
        with store.open_journal(run) as journal:
            forecast = undo_forecast(journal)
        actions: dict[str, int] = {
            Action.UPDATE: forecast.reasons,
            Action.LOCK: forecast.locks,
            Action.UNLOCK: forecast.unlocks,
        }
    else:
        rows = rows_of_retry(run, store, refused=kind is StartKind.RETRY, final=False)
        actions = {run.info.action: rows}
    counts = tuple(
        ModuleRows(module="", action=action, rows=rows) for action, rows in actions.items() if rows
    )
    # The rows of a run never change, and what became of them changes only while it is being sent. A
    # resumption meanwhile may leave as many rows, but others. What a retry sends depends on the
    # newest run of its lineage too.
    newest = store.runs.lineage(run)[0]
    ended = [one.finished_at and one.finished_at.isoformat() for one in (run, newest)]
    return counts, f"{kind} {newest.run_id} {ended} {sorted(actions.items())}"
