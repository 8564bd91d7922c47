"""The question before unlocks: what a plan sends is shown first, then a person confirms it.

journal of a plan ─▶ preview ─▶ question with file, modules and org ─▶ the run is stored, or refused
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from batchlock.core.errors import UsageError
from batchlock.core.observer import RunObserver
from batchlock.report.destination import displayable_name
from batchlock.report.preview import preview_of
from batchlock.store.journal import Journal
from batchlock.zoho.settings import SIMULATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlocks:
    """The records that a run is going to unlock."""

    modules: tuple[tuple[str, int], ...]
    """The number of records by module, the most frequent module first."""
    file_name: str
    """The file that the rows are from."""
    org: str
    """The name of the org in the settings."""
    environment: str

    @property
    def count(self) -> int:
        """The number of records."""
        return sum(count for _, count in self.modules)

    def __str__(self) -> str:
        """Return the question with all of this, without how it is answered."""
        records = "1 record" if self.count == 1 else f"{self.count:,} records"
        modules = ", ".join(f"{module} {count:,}" for module, count in self.modules)
        is_rehearsal = self.org == SIMULATOR
        org = "a rehearsal" if is_rehearsal else f"the org {self.org}, {self.environment}"
        return f"Unlock {records} ({modules}) of {self.file_name} in {org}?"


ConfirmUnlocks = Callable[[Unlocks], bool]
"""Asks a person whether these records are to be unlocked.

Raises UsageError when nobody can be asked.
"""


def unlocks_left(journal: Journal) -> Unlocks:
    """Return what a run has left to unlock; its `count` is 0 when that is nothing."""
    info = journal.info
    return Unlocks(
        modules=tuple(journal.to_unlock_by_module()),
        file_name=displayable_name(info.file),
        org=info.org,
        environment=info.environment,
    )


def refuse_unlocks(unlocks: Unlocks) -> bool:
    """Raise UsageError: nobody was asked whether these records are to be unlocked."""
    count = unlocks.count
    rows = f"{'1 row unlocks a record' if count == 1 else f'{count:,} rows unlock records'}"
    raise UsageError(
        f"{rows}, and nobody was asked. Nothing was sent. Add --yes if that is meant.",
        page_message=f"{rows}. Nothing was sent, because nobody was asked whether that is "
        "meant. Open the check of the file and start it there.",
    )


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """Shows what a plan sends: before a question about it, else before its first call."""

    observer: RunObserver
    _shown: set[str] = field(default_factory=set)
    """The ids of the runs whose plans were shown."""

    def show(self, journal: Journal) -> None:
        """Show the plan in a journal, unless it was shown before."""
        run_id = journal.info.run_id
        if run_id not in self._shown:
            self._shown.add(run_id)
            self.observer.on_preview(preview_of(journal))
