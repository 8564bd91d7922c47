"""Results files as input: of which run they are, and which of their rows are not done any more."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.core.reading import Note
from batchlock.core.runs import Run, RunInfo
from batchlock.report.destination import displayable_name, run_id_in_name
from batchlock.store.earlier import run_of_results
from batchlock.store.journal import Journal, forget_results
from batchlock.zoho.settings import SIMULATOR

if TYPE_CHECKING:
    from batchlock.store.store import Store


def original_of(info: RunInfo, store: "Store") -> Run | None:
    """Return the run that a retry or undo is of, or whose results a file is; None: not known."""
    run_id = info.retry_of or info.undo_of or info.results_of or run_id_in_name(Path(info.file))
    return None if run_id is None else store.runs.get(run_id)


def recognise_results(plan: Journal, store: "Store") -> None:
    """Store in a plan whose results its file has, as far as its name or its rows say it."""
    reading, info = plan.reading, plan.info
    run = original_of(info, store)
    if run is None and reading.result_samples:
        # Those of a rehearsal too, because nothing of it has reached the org.
        runs = store.runs.of_orgs([*dict.fromkeys((info.org, SIMULATOR))])
        candidates = [
            one for one in runs if one.info.org == SIMULATOR or is_same_org(one.info, info)
        ]
        run = run_of_results(store, candidates, reading.result_samples)
    if run is not None:
        plan.set_info(replace(info, results_of=run.run_id))


def is_same_org(one: RunInfo, other: RunInfo) -> bool:
    """Return whether two runs send to the same org."""
    return (one.org, one.environment, one.api_url) == (other.org, other.environment, other.api_url)


def send_rows_done_elsewhere(plan: Journal, store: "Store") -> None:
    """Let all rows of a results file go out that are done elsewhere, or not done any more.

    The file reports rows as done. But nothing of what a run of another org, or a rehearsal, has
    done has reached this org, and what was undone does not stand any more.
    """
    original = original_of(plan.info, store)
    if original is None:
        return
    run_id = original.run_id
    if not is_same_org(original.info, plan.info):
        place = "a rehearsal" if original.info.org == SIMULATOR else f"the org {original.info.org}"
        has_rows = forget_results(plan)
        note = Note(
            code="results_of_another_org",
            message=f"The file has the results of run {run_id} of {place}. Nothing of it has "
            "reached this org, so every row goes out.",
        )
    else:
        undos = [run for run in store.runs.family(original) if run.info.undo_of == run_id]
        has_rows = store.journals.forget_undone_results(plan, [run.info for run in undos])
        note = Note(
            code="results_of_an_undone_run",
            message=f"The file has the results of run {run_id}, which was undone since then, so "
            "the rows that were put back go out again.",
        )
    if has_rows:
        reading = plan.reading
        plan.set_reading(replace(reading, notes=(*reading.notes, note)))


def refuse_results_of_undo(info: RunInfo, store: "Store", options: RunOptions) -> None:
    """Raise UsageError when a file has the results of an undo, and nothing says its action.

    Its cells are those of the run that was undone, so `run` would change everything again.
    """
    original = original_of(info, store)
    if original is None or original.info.undo_of is None:
        return
    name, run_id = displayable_name(info.file), original.run_id
    command = options.command("undo", run_id)
    fact = (
        f"{name} has the results of run {run_id}, which has put back what run "
        f"{original.info.undo_of} changed. Its rows still say what that run was to do, so they "
        "would change it again."
    )
    raise UsageError(
        f"{fact} Nothing was sent. Use `{command}` if that is meant, or "
        "save rows that you have changed under another name.",
        page_message=f"{fact} Undo that run if that is meant, or save rows that you have changed "
        "under another name.",
    )
