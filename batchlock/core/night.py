"""What became of the files of a folder in one night: values, and the text for people.

`NightDigest` is what `batchlock inbox` prints, what its notices say, and what the function for
Python returns. Its texts name rows by their numbers, and never by ids or reasons of records.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from batchlock.core.results import Result, Summary, cause_heading

_SEVERITY = (0, 7, 2, 3, 4, 6, 5, 1)
"""Exit codes, the least severe first; those of signals are above all of them.

The order is that of the numbers with three exceptions. 7 is the lowest: the files are taken the
next time. 5 is above 6, since a person must act. 1 is above all others: a bug.
"""

# An unexpected error, a wrong setting or another org, a refused sign-in. Other codes are those of
# files, which say themselves whether they need a person, or pass by themselves.
_PERSON_CODES = frozenset({1, 2, 5})

# More names of files make the digest of a night unreadable; the JSON has them all.
_LISTED_FILES = 20
_LISTED_CAUSES = 10


class FileStatus(StrEnum):
    """Where a file is after the night."""

    DONE = "done"
    """In done/: every row is as the file asks."""
    ATTENTION = "attention"
    """In attention/, with a text that says why."""
    LEFT = "left"
    """Still in the folder, for the next time."""
    GONE = "gone"
    """Removed by somebody else before it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """What became of one file."""

    name: str
    """Its name in the folder."""
    status: FileStatus
    exit_code: int
    """As of `batchlock run` for this file; 0 for one that is taken the next time without a fault.
    """
    why: str
    """What happened, in sentences."""
    guard: str = ""
    """The code of the guard that refused it, such as `no_rows`; empty when none did."""
    file: Path | None = None
    """Where it is now; None when it is gone."""
    results: Path | None = None
    summary: Summary | None = None
    """How its run has ended; None when it led to no run."""
    is_resumed_next: bool = False
    """Whether the next night goes on with its run by itself."""
    is_refused: bool = False
    """Whether a rule has stopped its run, and Zoho has refused rows before."""
    is_blocked: bool = False
    """Whether the disk or the folder keeps it from going on, which does not pass by itself."""

    @property
    def needs_person(self) -> bool:
        """Whether a person has to look at it.

        That holds for a refused run that is resumed, too: where locking is not set up, each night
        would have the next twenty rows refused.
        """
        if self.is_blocked:
            return True
        is_stuck = self.is_refused or not self.is_resumed_next
        return self.status is FileStatus.ATTENTION and is_stuck

    @property
    def run_id(self) -> str | None:
        """The id of its run; None when it led to no run."""
        return None if self.summary is None else self.summary.run_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NightCause:
    """Rows of several files that have the same result for the same reason."""

    result: Result
    code: str
    remedy: str
    rows: int
    files: tuple[tuple[str, str], ...]
    """The files with the numbers of their rows, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightDigest:
    """What became of the files of a folder."""

    folder: Path
    org: str
    environment: str
    started_at: datetime
    """UTC, as `finished_at`."""
    finished_at: datetime
    files: tuple[FileOutcome, ...] = ()
    """In the order in which they were taken."""
    ended_by: str = ""
    """Why the night ended before its last file, in a sentence; empty when it did not."""
    ended_code: int = 0
    """The exit code that goes with `ended_by`."""

    @property
    def exit_code(self) -> int:
        """The most severe exit code of the night; 0 for an empty folder."""
        return most_severe([self.ended_code, *(file.exit_code for file in self.files)])

    @property
    def done(self) -> tuple[FileOutcome, ...]:
        """The files whose rows are all as they ask."""
        return self._with(FileStatus.DONE)

    @property
    def need_person(self) -> tuple[FileOutcome, ...]:
        """The files that a person has to look at."""
        return tuple(file for file in self.files if file.needs_person)

    @property
    def needs_person(self) -> bool:
        """Whether a person must act: for a file, or since the next night would end alike."""
        codes = {self.ended_code, *(file.exit_code for file in self.files)}
        return bool(self.need_person) or not codes.isdisjoint(_PERSON_CODES)

    @property
    def left(self) -> tuple[FileOutcome, ...]:
        """The other files that the next night takes, or whose runs it resumes."""
        return tuple(
            file
            for file in self.files
            if not file.needs_person and (file.status is FileStatus.LEFT or file.is_resumed_next)
        )

    @property
    def counts(self) -> Mapping[Result, int]:
        """Rows by result, over all files."""
        counts: Counter[Result] = Counter()
        for summary in self._summaries():
            counts.update(summary.counts)
        return {result: counts[result] for result in Result}

    @property
    def rows(self) -> int:
        """The rows of all files that led to a run."""
        return sum(self.counts.values())

    @property
    def credits_used(self) -> int:
        """The credits of all runs, earlier sessions included."""
        return sum(summary.credits_used for summary in self._summaries())

    @property
    def results(self) -> tuple[Path, ...]:
        """The results of all runs."""
        return tuple(file.results for file in self.files if file.results is not None)

    @property
    def causes(self) -> tuple[NightCause, ...]:
        """Why rows were not done, over all files, the most frequent first."""
        groups: dict[tuple[Result, str, str], list[tuple[int, str, str]]] = {}
        for file in self.files:
            for cause in () if file.summary is None else file.summary.causes:
                key = (cause.result, cause.code, cause.remedy)
                groups.setdefault(key, []).append((cause.rows, file.name, cause.ranges))
        causes = (
            NightCause(
                result=result,
                code=code,
                remedy=remedy,
                rows=sum(rows for rows, _, _ in parts),
                files=tuple((name, ranges) for _, name, ranges in parts),
            )
            for (result, code, remedy), parts in groups.items()
        )
        return tuple(sorted(causes, key=lambda cause: -cause.rows))

    @property
    def title(self) -> str:
        """What happened, in one line."""
        person, left = len(self.need_person), len(self.left)
        parts = [f"{len(self.done):,} {_files(len(self.done))} done"]
        if person:
            parts.append(f"{person:,} {'needs' if person == 1 else 'need'} a person")
        if left:
            parts.append(f"{left:,} left for the next time")
        if not self.files:
            parts = ["no file was taken" if self.ended_by else "there were no files"]
        return f"Inbox {self.folder}, org {self.org}: {', '.join(parts)}."

    @property
    def text(self) -> str:
        """The whole digest, in lines."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.title
        if self.ended_by:
            yield self.ended_by
        counts = [f"{count:,} {result.words}" for result, count in self.counts.items() if count]
        if counts:
            yield f"Rows: {', '.join(counts)}."
        for heading, files in (("Needs a person", self.need_person), ("Left", self.left)):
            yield from _listed(heading, files)
        for cause in self.causes[:_LISTED_CAUSES]:
            heading = cause_heading(cause.result, cause.rows, cause.code)
            where = "; ".join(f"{name}: {ranges}" for name, ranges in cause.files[:_LISTED_FILES])
            yield f"{heading} {cause.remedy}".rstrip()
            yield f"  {where}"
        if len(self.causes) > _LISTED_CAUSES:
            yield f"and {len(self.causes) - _LISTED_CAUSES} more causes"
        for path in self.results[:_LISTED_FILES]:
            yield f"Results: {path}"
        if len(self.results) > _LISTED_FILES:
            yield f"and {len(self.results) - _LISTED_FILES:,} more results"

    def _with(self, status: FileStatus) -> tuple[FileOutcome, ...]:
        return tuple(file for file in self.files if file.status is status)

    def _summaries(self) -> Iterator[Summary]:
        return (file.summary for file in self.files if file.summary is not None)


def most_severe(codes: Sequence[int]) -> int:
    """Return the most severe of some exit codes; 0 for none."""
    return max(codes, key=_severity, default=0)


def _severity(code: int) -> int:
    return _SEVERITY.index(code) if code in _SEVERITY else len(_SEVERITY) + code


def _listed(heading: str, files: Sequence[FileOutcome]) -> Iterator[str]:
    for file in files[:_LISTED_FILES]:
        # Many sentences begin with the name.
        name = "" if file.why.startswith(file.name) else f"{file.name}: "
        yield f"{heading}: {name}{file.why}"
    if len(files) > _LISTED_FILES:
        yield f"and {len(files) - _LISTED_FILES:,} more files"


def _files(count: int) -> str:
    return "file" if count == 1 else "files"
