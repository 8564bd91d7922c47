"""The guards: why a file of a folder is not sent without a person.

too_old        nobody has written to it for longer than `inbox.max_age`
same_content   an earlier run of the same content was finished
stopped_run    a person has paused or stopped a run of the same content
no_rows        there is a header, and nothing below it
unusual_rows   far fewer or more rows than `inbox.usual_rows`
unlocks        rows unlock records, and --yes was not typed
wrong_org, wrong_environment
               the sign-in is for another org, or for a sandbox in place of the production

Nobody is asked, since nobody is there at night: the file goes to attention/, and nothing is sent.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.core.errors import GuardRefusal
from batchlock.core.results import Result
from batchlock.core.runs import Run
from batchlock.inboxes.settings import InboxSettings, RowRange, around
from batchlock.plan.child import sha256_of
from batchlock.start import note_finished
from batchlock.store.journal import Journal, send_done_rows

if TYPE_CHECKING:
    from batchlock.store.store import Store

# `auto` knows what is usual from so many files. The median of five is stable, and a list that
# grows is followed within a few nights.
_FEWEST_KNOWN = 3
_MOST_KNOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """The guards of one folder, as settings and options have them."""

    settings: InboxSettings
    store: "Store"
    again: bool = False
    """Whether a file is sent whose content was finished before: all of its rows."""
    may_unlock: bool = False

    def check_age(self, name: str, age_seconds: float) -> None:
        """Raise GuardRefusal for a file that nobody has written to for too long."""
        max_age = self.settings.max_age
        if max_age is not None and age_seconds > max_age:
            raise GuardRefusal(
                "too_old",
                f"{name} is {_age(age_seconds)} old, and inbox.max_age is {_age(max_age)}. Nothing "
                "was sent. If it is the right file, save it again, or run it with `batchlock run`.",
            )

    def check_runs(self, org: str, file: Path) -> None:
        """Raise GuardRefusal for a content whose run a person has paused or stopped.

        Raises UnreadableFile when the file cannot be opened.
        """
        run = self.store.inbox_runs.ended_by_a_person(org, sha256_of(file))
        if run is not None and not self.again:
            why = f" ({run.reason.sentence})" if run.reason and run.reason.sentence else ""
            raise GuardRefusal(
                "stopped_run",
                f"{file.name}: run {run.run_id} of the same content was ended by a person{why}, "
                "and has rows left. Nothing was sent. Resume it with "
                f"`batchlock resume {run.run_id}`, or add --again to the inbox or schedule.",
            )

    def check_plan(self, plan: Journal) -> None:
        """Raise GuardRefusal for a plan that is not to be sent; its run is not stored yet."""
        self._check_rows(plan)
        self._check_content(plan)
        if not self.may_unlock and (unlocks := plan.to_unlock()):
            rows = "1 row unlocks a record" if unlocks == 1 else f"{unlocks:,} rows unlock records"
            raise GuardRefusal(
                "unlocks",
                f"{plan.info.file_name}: {rows}, and nobody can be asked at night. Nothing was "
                "sent. Add --yes to the inbox or schedule if that is meant, or run the file with "
                "`batchlock run`.",
            )

    def _check_content(self, plan: Journal) -> None:
        finished_at, info = plan.finished_before, plan.info
        if finished_at is None:
            return
        if self.again:
            send_done_rows(plan)
            note_finished(plan, self.store, is_fresh=True)
            return
        earlier = next((run for run in self.store.runs.same_content(info) if run.finished_at), None)
        run = "" if earlier is None else f" by run {earlier.run_id}"
        raise GuardRefusal(
            "same_content",
            f"{info.file_name}: the same content was finished before, on "
            f"{finished_at:%Y-%m-%d at %H:%M} UTC{run}.{_rows_left(earlier)} Nothing was sent. Add "
            "--again to the inbox or schedule to send such files once more.",
        )

    def _check_rows(self, plan: Journal) -> None:
        rows, name = plan.figures().rows, plan.info.file_name
        if not rows:
            raise GuardRefusal(
                "no_rows",
                f"{name} has a header and no rows. Nothing was sent. Look whether the export that "
                "writes it has failed.",
            )
        usual = self._usual_rows(plan)
        if usual is not None and not usual[0] <= rows <= usual[1]:
            raise GuardRefusal(
                "unusual_rows",
                f"{name} has {rows:,} rows, and {usual[0]:,} to {usual[1]:,} are usual "
                "(inbox.usual_rows). Nothing was sent. If it is the right file, run it with "
                "`batchlock run`, or change the setting.",
            )

    def _usual_rows(self, plan: Journal) -> RowRange | None:
        usual = self.settings.usual_rows
        if usual != "auto":
            return usual
        counts = self.store.inbox_runs.rows_of_similar(plan.info, limit=_MOST_KNOWN)
        if len(counts) < _FEWEST_KNOWN:
            return None
        return around(min(counts), max(counts))


def _rows_left(run: Run | None) -> str:
    if run is None or run.figures.settled == run.figures.rows:
        return ""
    left = run.figures.rows - run.figures.settled
    refused = run.figures.counts.get(Result.INVALID, 0) == left
    what = f"{left:,} of its {run.figures.rows:,} rows were not done"
    if refused:
        return f" {what}, because they have problems: correct them in the file."
    return f" {what}: `batchlock retry {run.run_id}` sends these."


def _age(seconds: float) -> str:
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:,.0f} days"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:,.0f} hours"
    return f"{seconds / 60:,.0f} minutes"
