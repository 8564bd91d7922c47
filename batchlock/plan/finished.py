"""Say in a plan that the same thing was finished before."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.reading import Note
from batchlock.store.earlier import earlier_runs
from batchlock.store.history import StoredRun
from batchlock.store.journal import Journal

FINISHED_BEFORE = "finished_before"
"""The code of the note."""


def note_finished_run(plan: Path, runs: Iterable[StoredRun], *, is_fresh: bool) -> None:
    """Store in a plan when the same thing was last finished, with a note about it.

    `runs` are all runs of the org, newest first.

    Whoever asks for a fresh run knows of the earlier one, so there is no note then.
    """
    with Journal.open(plan) as journal:
        try:
            finished_at = earlier_runs(runs, journal.info).finished_at
        except BatchlockError:
            # A check needs no state folder. A run has read the folder before, and stopped there.
            return
        if finished_at is None:
            return
        journal.set_finished_before(finished_at)
        reading = journal.reading
        # The page notes it when it checks a file and again when the run starts, maybe days later.
        others = tuple(note for note in reading.notes if note.code != FINISHED_BEFORE)
        notes = others if is_fresh else (*others, _note(finished_at))
        journal.set_reading(replace(reading, notes=notes))


def _note(finished_at: datetime) -> Note:
    return Note(
        code=FINISHED_BEFORE,
        message=f"The same file was finished before, on {finished_at:%Y-%m-%d at %H:%M} UTC. "
        "Rows that are done are left alone, the others go out again; --fresh sends every row.",
    )
