"""The removal of uploads and runs that are older than web.keep."""

import asyncio
import logging
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.store.history import History
from batchlock.store.journal import Journal
from batchlock.store.page import PageStore
from batchlock.web.queue import RunQueue

_log = logging.getLogger(__name__)

# web.keep is a number of days, so an hour more or less does not matter.
_INTERVAL_SECONDS = 3600.0
# The server of another org shares the folder, and may be receiving an upload that is not yet in
# the database.
_ABANDONED_SECONDS = 3600


async def remove_old(
    store: PageStore, queue: RunQueue, history: History, keep_seconds: float
) -> None:
    """Remove old runs and uploads now and once an hour, until cancelled."""
    while True:
        try:
            before = time.time() - keep_seconds
            for run_id in await asyncio.to_thread(_remove_journals, history, before):
                store.queue.remove(run_id)
                shutil.rmtree(queue.worker_folder(run_id).folder, ignore_errors=True)
            for upload in store.uploads.older_than(history.org, before):
                store.uploads.remove(upload.id)
                folder = store.uploads.folder(upload.id)
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        except Exception:
            _log.exception("removing old runs and uploads")
        await asyncio.sleep(_INTERVAL_SECONDS)


def remove_abandoned(folder: Path, upload_ids: Collection[str]) -> None:
    """Remove the folders of uploads that ended with an earlier server, before they were complete.

    `upload_ids` are those of the database, whose folders stay.
    """
    newest = time.time() - _ABANDONED_SECONDS
    for path in folder.glob("*"):
        if path.name not in upload_ids and path.stat().st_mtime < newest:
            shutil.rmtree(path, ignore_errors=True)


def _remove_journals(history: History, before: float) -> list[str]:
    """Remove the journals of runs that were finished before a moment; return their ids."""
    removed = []
    for run in list(history.all()):
        end, path = run.end, run.path
        if end is not None and end.closed and end.finished_at.timestamp() < before:
            with suppress(OSError, BatchlockError):
                with Journal.open(path):
                    pass  # the last close removes the files -wal and -shm beside it
                path.unlink()
                removed.append(run.info.run_id)
    return removed
