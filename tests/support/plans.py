"""Plans that tests make in their own process, without the child process and its start."""

from pathlib import Path

from batchlock.plan.child_main import ReadRequest, plan_file
from batchlock.store.journal import Journal
from support.run_info import run_info


def open_plan_of(file: Path, journal: Path) -> Journal:
    """Plan a file, and open the journal. Raises what `read_table` raises."""
    journal.unlink(missing_ok=True)
    plan_file(ReadRequest(file=file, journal=journal, run_info=run_info(kind="check", titles=())))
    return Journal.open(journal)


def plan_of_file(file: Path, **options: object) -> Journal:
    """Plan a file with options of `ReadRequest` into a journal beside it, and open that."""
    journal = file.with_suffix(".journal")
    journal.unlink(missing_ok=True)
    info = run_info(kind="check", titles=())
    plan_file(ReadRequest(file=file, journal=journal, run_info=info, **options))  # type: ignore[arg-type]  # the caller's types
    return Journal.open(journal)
