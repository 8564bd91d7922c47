"""Say in a plan that the same thing was finished before."""

from dataclasses import replace
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.reading import Note
from batchlock.store.history import History
from batchlock.store.journal import Journal, SessionEnd

_CODE = "finished_before"


def note_finished_run(plan: Path, history: History, *, is_fresh: bool) -> None:
    """Store in a plan when the same thing was last finished, with a note about it.

    Whoever asks for a fresh run knows of the earlier one, so there is no note then.
    """
    with Journal.open(plan) as journal:
        try:
            finished = history.finished(journal.info.identity)
        except BatchlockError:
            # A check needs no state folder. A run has read the folder before, and stopped there.
            return
        if finished is None:
            return
        journal.set_finished_before(finished.finished_at)
        reading = journal.reading
        # The page notes it when it checks a file and again when the run starts, maybe days later.
        others = tuple(note for note in reading.notes if note.code != _CODE)
        notes = others if is_fresh else (*others, _note(finished))
        journal.set_reading(replace(reading, notes=notes))


def _note(finished: SessionEnd) -> Note:
    return Note(
        code=_CODE,
        message=f"The same file was finished before, on {finished.finished_at:%Y-%m-%d at %H:%M} "
        "UTC. See its results with batchlock runs.",
    )
