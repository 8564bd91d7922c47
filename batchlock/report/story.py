"""The story of a family of runs: a file, its corrections, retries and undos, with one total."""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from batchlock.core.results import SETTLED, Result, Status
from batchlock.core.runs import Run
from batchlock.store.journal import UNDONE, LatestStatuses

if TYPE_CHECKING:
    from batchlock.store.store import Store

# To read the rows of a family takes 0.2 s for 100,000 rows of each run; a list shows many families.
_REMEMBERED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The total of a family of runs; each row of the file counts once."""

    runs: int
    rows: int
    """Rows of the first file, and those of later ones that it lacks."""
    settled: int
    """Rows that are as the file asks now."""
    requests: int
    credits_used: int
    counts: Mapping[Result, int] = field(default_factory=dict)
    """Rows by the latest status of each; a duplicate counts as the row that it repeats."""
    undone: int = 0
    """Rows whose change was put back, and which no later run has changed again."""
    put_back: Mapping[str, int] = field(default_factory=dict)
    """How many rows of a run its undos have put back, by its id; empty when all are done again."""
    settled_later: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How many of the rows that a run has not done each later run has, by their ids."""

    @property
    def is_complete(self) -> bool:
        """Whether every row of the file is done, by several runs together."""
        return self.runs > 1 and 0 < self.rows == self.settled

    @property
    def sentence(self) -> str:
        """The total in a sentence for people."""
        undone = f", {self.undone:,} put back" if self.undone else ""
        return (
            f"Together: {self.runs} runs, {self.settled:,} of {self.rows:,} rows done{undone}, "
            f"{self.requests:,} calls, {self.credits_used:,} credits."
        )

    def done_later(self, run_id: str) -> int:
        """Return how many of the rows that a run has not done later runs have done."""
        return sum(self.settled_later.get(run_id, {}).values())

    def done_otherwise(self, run: Run, family: Sequence[Run]) -> bool:
        """Return whether another run than a retry has done rows that a run has not.

        That was with values of another file, over which a retry of the run would send its own.
        """
        later = self.settled_later.get(run.run_id, {})
        return any(
            one.run_id in later and one.info.retry_of is None and one.info.undo_of is None
            for one in family
        )


class Stories:
    """Reads the stories of families from their journals, and remembers them.

    A story is read again when a run of its family has changed. Threads may share it.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._stories: OrderedDict[tuple[str, ...], Story] = OrderedDict()
        self._lock = Lock()

    def of(self, family: Sequence[Run]) -> Story:
        """Return the story of a family, which is in the order of time."""
        if len(family) < 2:  # its own figures say all
            return story_of(family)
        key = tuple(_version(run) for run in family)
        with self._lock:
            story = self._stories.get(key)
        if story is None:
            story = read_story(self._store, family)
            with self._lock:
                self._stories[key] = story
                while len(self._stories) > _REMEMBERED:
                    self._stories.popitem(last=False)
        return story

    def by_parent(self, listed_runs: Sequence[Run], runs: Sequence[Run]) -> dict[str, Story]:
        """Return the stories of the families of the listed runs, by `Run.parent`.

        `runs` are whole families, newest first. A run without a family has no story.
        """
        families: dict[str, list[Run]] = {run.parent: [] for run in listed_runs}
        for run in reversed(runs):
            if run.parent in families:
                families[run.parent].append(run)
        return {parent: self.of(family) for parent, family in families.items() if len(family) > 1}


def read_story(store: "Store", family: Sequence[Run]) -> Story:
    """Return the story of a family, which is in the order of time, from its journals."""
    if len(family) < 2:
        return story_of(family)
    return story_of(family, store.journals.latest_statuses([run.info for run in family]))


def story_of(family: Sequence[Run], statuses: LatestStatuses | None = None) -> Story:
    """Return the story of a family from the latest status of each row.

    Without `statuses`, the family has one run at most, whose figures say all.
    """
    requests = sum(run.figures.totals.requests for run in family)
    credits_used = sum(run.figures.totals.credits_used for run in family)
    if statuses is None:
        return Story(
            runs=len(family),
            rows=sum(run.figures.rows for run in family),
            settled=sum(run.figures.settled for run in family),
            requests=requests,
            credits_used=credits_used,
            counts=family[0].figures.counts if family else {},
        )
    counts = dict.fromkeys(Result, 0)
    for status, count in statuses.counts.items():
        if status != UNDONE:
            counts[Result.of(Status(status))] += count
    settled_later: dict[str, dict[str, int]] = {}
    for (run_id, later_id), count in statuses.settled_later.items():
        settled_later.setdefault(run_id, {})[later_id] = count
    undone = statuses.counts.get(UNDONE, 0)
    put_back: Counter[str] = Counter()
    for run in family if undone else ():
        if run.info.undo_of is not None:
            put_back[run.info.undo_of] += run.figures.settled
    return Story(
        runs=len(family),
        rows=sum(statuses.counts.values()),
        settled=sum(count for status, count in statuses.counts.items() if status in SETTLED),
        requests=requests,
        credits_used=credits_used,
        counts=counts,
        undone=undone,
        put_back=put_back,
        settled_later=settled_later,
    )


def _version(run: Run) -> str:
    """Return a text that changes with what the store says about a run."""
    return f"{run.run_id} {run.state} {run.heartbeat_at} {run.finished_at} {run.figures.settled}"
