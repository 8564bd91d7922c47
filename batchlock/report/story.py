"""The story of a family of runs: a file, its corrections and its retries, with one total."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchlock.core.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The total of a family of runs; each row of the file counts once."""

    runs: int
    rows: int
    settled: int
    """Rows that are as the file asks now."""
    requests: int
    credits_used: int

    @property
    def is_complete(self) -> bool:
        """Whether every row of the file is done, by several runs together."""
        return self.runs > 1 and 0 < self.rows == self.settled

    @property
    def sentence(self) -> str:
        """The total in a sentence for people."""
        return (
            f"Together: {self.runs} runs, {self.settled:,} of {self.rows:,} rows done, "
            f"{self.requests:,} calls, {self.credits_used:,} credits."
        )


def complete_families(runs: Sequence[Run]) -> frozenset[str]:
    """Return the families (`Run.parent`) whose runs have done every row together.

    `runs` are whole families, newest first.
    """
    families: dict[str, list[Run]] = {}
    for run in reversed(runs):
        families.setdefault(run.parent, []).append(run)
    return frozenset(parent for parent, family in families.items() if story_of(family).is_complete)


def story_of(family: Sequence[Run]) -> Story:
    """Return the total of a family, which is in the order of time.

    A retry has only the rows that were not done before it, so its rows add to those that are done.
    An undo takes away the rows that it has put back. Every other run has all rows of the file, and
    counts those that were done before it. A retry whose run was removed begins the story.
    """
    rows = settled = 0
    sign: dict[str, int] = {}  # whether a run does or undoes what the file asks
    counted: set[str] = set()  # the last run of the whole file, and the retries that continue it
    for position, run in enumerate(family):
        undone = run.info.undo_of
        sign[run.run_id] = 1 if undone is None else -sign.get(undone, 1)
        if undone is not None and position:
            settled += sign[run.run_id] * run.figures.settled
        elif not position or run.info.retry_of is None:
            rows, settled = run.figures.rows, run.figures.settled
            counted = {run.run_id}
        elif run.info.retry_of in counted:
            settled += run.figures.settled
            counted.add(run.run_id)
    return Story(
        runs=len(family),
        rows=rows,
        settled=settled,
        requests=sum(run.figures.totals.requests for run in family),
        credits_used=sum(run.figures.totals.credits_used for run in family),
    )
