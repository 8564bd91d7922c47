"""Watch a folder until a signal comes: `batchlock inbox --watch`.

The folder is looked at every two seconds. Notifications of the system are not used: file servers
send none for what other machines write, and a file has to stay the same for two seconds anyway.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from batchlock.core.cancel import CancelToken, until_cancelled
from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.core.night import FileStatus, NightDigest
from batchlock.core.stop import Cancelled
from batchlock.inboxes.inbox import Inbox
from batchlock.inboxes.listing import POLL_SECONDS, Listing, Version, version_of

# How often runs are looked for that another inbox, which was killed, has left without a file.
_EARLIER_RUNS_SECONDS = 30.0
# After this time, files that could not be taken are tried again. It doubles up to the longest one
# while they cannot be, but not while the org is at work for another command.
_AGAIN_SECONDS = 10.0
_LONGEST_AGAIN_SECONDS = 600.0


async def watch(
    inbox: Inbox,
    cancel_token: CancelToken,
    *,
    on_digest: Callable[[NightDigest], None],
    on_message: Callable[[str], None],
) -> int:
    """Take files as they become complete; return the exit code of an interrupted run, else 0.

    It ends with a signal, or with the time of the settings. `on_digest` gets what became of the
    files each time that some were taken, and once when none can be until a person acts, such as
    after a refused sign-in; `on_message` a sentence when the folder cannot be read, or no file can
    be taken.
    """
    poller, last_message, last_obstacle = inbox.poller(), "", ""
    waiting: dict[Path, Version | None] = {}
    pause_seconds, again_monotonic = _AGAIN_SECONDS, time.monotonic()
    earlier_monotonic = again_monotonic
    while not inbox.is_over:
        now = time.monotonic()
        try:
            listing = await asyncio.to_thread(poller.poll)
        except UsageError as error:  # a network folder that is away comes back
            last_message = _report_once(str(error), last_message, on_message)
        else:
            files = _to_take(listing, waiting if now < again_monotonic else {})
            if files or now >= earlier_monotonic:
                digest = await inbox.take(Listing(files))
                are_taken, obstacle = _are_taken(digest), _obstacle(digest)
                if are_taken or obstacle not in ("", last_obstacle):
                    on_digest(digest)
                if are_taken or obstacle:
                    last_obstacle = obstacle
                last_message = _report_once(digest.ended_by, last_message, on_message)
                if digest.exit_code > 128:
                    return digest.exit_code
                waiting = _left_files(digest)
                is_busy = digest.ended_code == AlreadyRunning.exit_code
                longer = min(2 * pause_seconds, _LONGEST_AGAIN_SECONDS)
                pause_seconds = longer if waiting and not is_busy else _AGAIN_SECONDS
                now = time.monotonic()
                again_monotonic = now + pause_seconds
                earlier_monotonic = now + _EARLIER_RUNS_SECONDS
        with suppress(Cancelled):
            await until_cancelled(asyncio.sleep(POLL_SECONDS), cancel_token)
    return 0


def _to_take(listing: Listing, waiting: Mapping[Path, Version | None]) -> tuple[Path, ...]:
    """Return the complete files without those that were left as they are now."""
    return tuple(
        file
        for file in listing.complete
        if file not in waiting or waiting[file] != version_of(file)
    )


def _are_taken(digest: NightDigest) -> bool:
    """Return whether files have left the folder, those aside whose runs only wait."""
    left = {id(file) for file in digest.left}
    return any(file.status is not FileStatus.LEFT and id(file) not in left for file in digest.files)


def _obstacle(digest: NightDigest) -> str:
    """Return what a person must act on before the files that were left can be taken."""
    if not digest.needs_person:
        return ""
    blocked = (file for file in digest.files if file.status is FileStatus.LEFT)
    left = (file.why for file in (*digest.left, *blocked) if file.exit_code)
    return "\n".join(filter(None, (digest.ended_by, *left)))


def _left_files(digest: NightDigest) -> dict[Path, Version | None]:
    """Return the files that stay in the folder, with their versions."""
    left = (file.file for file in digest.files if file.status is FileStatus.LEFT)
    return {file: version_of(file) for file in left if file is not None}


def _report_once(sentence: str, before: str, on_message: Callable[[str], None]) -> str:
    """Call `on_message` with a sentence unless it was the last one; return it."""
    if sentence and sentence != before:
        on_message(sentence)
    return sentence
