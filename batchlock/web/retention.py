"""The removal of what is older than web.keep or web.keep_log, and of unreadable uploads."""

import asyncio
import logging
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from batchlock.store.audit_log import SERVER
from batchlock.store.pruning import old_runs, remove
from batchlock.store.store import Store
from batchlock.web.served_orgs import ServedOrgs

_log = logging.getLogger(__name__)

# web.keep is a number of days, so an hour more or less does not matter.
_INTERVAL_SECONDS = 3600.0
# The server of another org shares the folder, and may be receiving an upload that is not yet in
# the database.
_ABANDONED_SECONDS = 3600


_DAY_SECONDS = 24 * 3600.0
# A person who wants to choose something about such a file does so within days.
_UNREADABLE_SECONDS = 7 * 24 * 3600.0


async def remove_old(
    store: Store,
    served_orgs: ServedOrgs,
    keep_seconds: float | None,
    *,
    keep_log_seconds: float | None,
) -> None:
    """Remove old runs, uploads and entries of the log now and once an hour, until cancelled.

    Without `keep_seconds`, only uploads that cannot be read are removed, after a week. Without
    `keep_log_seconds`, entries of the log stay.
    """
    while True:
        try:
            now = time.time()
            unreadable = min(_UNREADABLE_SECONDS, keep_seconds or _UNREADABLE_SECONDS)
            for org in served_orgs.names():
                if keep_seconds is not None:
                    await asyncio.to_thread(_remove, store, org, now - keep_seconds)
                await asyncio.to_thread(remove_unreadable, store, org, now - unreadable)
                if keep_log_seconds is not None:
                    await asyncio.to_thread(_prune_log, store, org, now - keep_log_seconds)
        except Exception:
            _log.exception("removing old runs, uploads and entries of the log")
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


def remove_unreadable(store: Store, org: str, before: float) -> int:
    """Remove the uploads of an org from before a moment that cannot be read; return how many.

    One that a run was made from stays: it could be read then.
    """
    refused = store.uploads.refused(org, before)
    unreadable = [one for one in refused if one.is_unreadable]
    for upload in unreadable:
        store.uploads.remove(upload.id)
        store.upload_files.remove(upload.id)
    return len(unreadable)


def _prune_log(store: Store, org: str, before: float) -> None:
    """Remove the entries of an org from before the day of a moment, and record how many."""
    # Whole days, so that at most one entry a day says it.
    midnight = before - before % _DAY_SECONDS
    if count := store.audit_log.remove_before(org, midnight):
        day = f"{datetime.fromtimestamp(midnight, UTC):%Y-%m-%d}"
        entries = "entry" if count == 1 else "entries"
        store.audit_log.add(
            org, SERVER, "removed", f"{count:,} {entries} of this log from before {day} (UTC)"
        )


def _remove(store: Store, org: str, before: float) -> None:
    """Remove the runs and uploads of an org from before a moment."""
    remove_old_runs(store, org, before)
    for upload in store.uploads.older_than(org, before):
        store.uploads.remove(upload.id)
        store.upload_files.remove(upload.id)


def remove_old_runs(store: Store, org: str, before: float) -> None:
    """Remove the runs of an org that ended before a moment and that no other run needs."""
    moment = datetime.fromtimestamp(before, UTC)
    for run in remove(store, old_runs(store.runs.of_orgs([org]), moment).removable):
        _log.info("Run %s was removed: it is older than web.keep.", run.run_id)
