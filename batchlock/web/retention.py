"""The removal of uploads and runs that are older than web.keep."""

import asyncio
import logging
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.store.store import Store
from batchlock.web.served_orgs import ServedOrgs

_log = logging.getLogger(__name__)

# web.keep is a number of days, so an hour more or less does not matter.
_INTERVAL_SECONDS = 3600.0
# The server of another org shares the folder, and may be receiving an upload that is not yet in
# the database.
_ABANDONED_SECONDS = 3600


async def remove_old(store: Store, served_orgs: ServedOrgs, keep_seconds: float) -> None:
    """Remove old runs and uploads now and once an hour, until cancelled."""
    while True:
        try:
            before = time.time() - keep_seconds
            for org in served_orgs.names():
                await asyncio.to_thread(_remove, store, org, before)
        except Exception:
            _log.exception("removing old runs and uploads")
        await asyncio.sleep(_INTERVAL_SECONDS)


def remove_abandoned(folder: Path, upload_ids: Collection[str]) -> None:
    """Remove the folders of uploads that ended with an earlier server, before they were complete.

    `upload_ids` are those of the database, whose folders stay.
    """
    newest = time.time() - _ABANDONED_SECONDS
    for path in folder.glob("*"):
        with suppress(OSError):  # the server of another org may remove it at the same time
            if path.name not in upload_ids and path.stat().st_mtime < newest:
                shutil.rmtree(path, ignore_errors=True)


def _remove(store: Store, org: str, before: float) -> None:
    """Remove the runs and uploads of an org from before a moment."""
    _remove_runs(store, org, before)
    for upload in store.uploads.older_than(org, before):
        store.uploads.remove(upload.id)
        store.upload_files.remove(upload.id)


def _remove_runs(store: Store, org: str, before: float) -> None:
    """Remove the runs that were finished before a moment, with their journals."""
    for run in store.runs.ended_before(org, datetime.fromtimestamp(before, UTC)):
        with suppress(OSError, BatchlockError):
            store.journals.remove(run.info)
            store.runs.remove(run.run_id)
