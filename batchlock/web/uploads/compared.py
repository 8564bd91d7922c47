"""The plan of an upload, compared with the earlier runs of the same content.

The plan itself stays as it was made: a run of it compares anew when it begins. The compared copy is
kept, since comparing a million rows takes seconds, and made again when an earlier run has changed.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from batchlock.store.earlier import compare_with_earlier_runs
from batchlock.store.journal import Journal, copy_plan
from batchlock.store.journals import version_of
from batchlock.store.store import Store

_PREFIX = "compared-"
# Two people may open the same check at once.
_copying = threading.Lock()


@contextmanager
def compared_plan(plan: Path, store: Store) -> Iterator[Journal]:
    """Open a plan, in which the rows are left alone that an earlier run has done."""
    with _copying:
        journal = _open(plan, store)
    with journal:
        yield journal


def _open(plan: Path, store: Store) -> Journal:
    with Journal.open(plan) as journal:
        info = journal.info
    earlier = store.runs.same_content(info)
    if not earlier:
        return Journal.open(plan)
    versions = version_of(plan) + "".join(store.journals.version(run.info) for run in earlier)
    digest = hashlib.sha256(versions.encode()).hexdigest()[:16]
    copy = plan.with_name(f"{_PREFIX}{digest}.journal")
    if not copy.exists():
        for older in plan.parent.glob(f"{_PREFIX}*"):
            with suppress(OSError):  # on Windows a file that somebody reads cannot be deleted
                older.unlink()
        copy_plan(plan, copy, info)
    compared = Journal.open(copy)
    if not compared.is_compared:
        compare_with_earlier_runs(compared, store)
    return compared
