"""A night so far, and who is told about it."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from batchlock.core.night import FileOutcome, FileStatus, NightDigest
from batchlock.inboxes.listing import Version, version_of


class NightObserver:
    """Receives the events of a night; every method does nothing."""

    def on_start(self, digest: NightDigest) -> None:
        """Receive the beginning: a digest without files."""

    def on_file(self, outcome: FileOutcome) -> None:
        """Receive what became of a file, or of a run of an earlier night."""

    def on_end(self, digest: NightDigest) -> None:
        """Receive the end, also after a signal."""


@dataclass(slots=True)
class Night:
    """One night so far."""

    started_at: datetime
    files: list[FileOutcome] = field(default_factory=list)
    handled: dict[Path, Version | None] = field(default_factory=dict)
    """The files that stay in the folder, as they were."""
    ended_by: str = ""
    ended_code: int = 0
    stopped_in_a_row: int = 0

    def end(self, sentence: str, code: int) -> None:
        """Let no further file be taken; the first reason counts."""
        if not self.ended_by:
            self.ended_by, self.ended_code = sentence, code

    def is_handled(self, file: Path) -> bool:
        """Return whether a file was left as it is now."""
        return file in self.handled and self.handled[file] == version_of(file)


def left(file: Path, code: int, why: str, guard: str = "") -> FileOutcome:
    """Return the outcome of a file that stays where it is."""
    return FileOutcome(
        name=file.name, status=FileStatus.LEFT, exit_code=code, why=why, guard=guard, file=file
    )


def unexpected(name: str, error: Exception) -> str:
    """Return a sentence about an error that is a bug."""
    return f"{name}: an unexpected error ended it, which is in the log: {error!r}."
