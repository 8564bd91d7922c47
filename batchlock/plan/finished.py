"""Say in a plan that the same thing was finished before."""

from dataclasses import replace
from datetime import datetime

from batchlock.core.reading import Note
from batchlock.store.journal import Journal

FINISHED_BEFORE = "finished_before"
"""The code of the note."""


def note_finished_run(plan: Journal, finished_at: datetime | None, *, is_fresh: bool) -> None:
    """Store in a plan when the same content was last finished, with a note about it.

    Whoever asks for a fresh run knows of the earlier one, so there is no note then.
    """
    if finished_at is None:
        return
    plan.set_finished_before(finished_at)
    reading = plan.reading
    # The page notes it when it checks a file and again when the run starts, maybe days later.
    others = tuple(note for note in reading.notes if note.code != FINISHED_BEFORE)
    notes = others if is_fresh else (*others, _note(finished_at))
    plan.set_reading(replace(reading, notes=notes))


def _note(finished_at: datetime) -> Note:
    return Note(
        code=FINISHED_BEFORE,
        message=f"The same file was finished before, on {finished_at:%Y-%m-%d at %H:%M} UTC. "
        "Rows that are done are left alone, the others go out again; --fresh sends every row.",
    )
