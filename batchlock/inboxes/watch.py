"""Watch a folder until a signal comes: `batchlock inbox --watch`.

The folder is looked at every two seconds. Notifications of the system are not used: file servers
send none for what other machines write, and a file has to stay the same for two seconds anyway.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from batchlock.core.cancel import CancelToken, until_cancelled
from batchlock.core.errors import UsageError
from batchlock.core.night import NightDigest
from batchlock.core.stop import Cancelled
from batchlock.inboxes.inbox import Inbox
from batchlock.inboxes.listing import LOOK_SECONDS, Listing

# How often runs are looked for that another inbox, which was killed, has left without a file.
_EARLIER_RUNS_SECONDS = 30.0
# After this time, files that could not be taken are tried again: the org is at work for another
# command, or Zoho does not answer.
_AGAIN_SECONDS = 10.0


async def watch(
    inbox: Inbox,
    cancel_token: CancelToken,
    *,
    on_digest: Callable[[NightDigest], None],
    on_message: Callable[[str], None],
) -> int:
    """Take files as they become complete; return the exit code of an interrupted run, else 0.

    It ends with a signal, or with the time of the settings. `on_digest` gets what became of the
    files each time that some were taken; `on_message` a sentence when the folder cannot be read.
    """
    looks, trouble = inbox.looks(), ""
    again_monotonic = earlier_monotonic = time.monotonic()
    while not inbox.is_over:
        try:
            listing = await asyncio.to_thread(looks.look)
            trouble = ""
        except UsageError as error:  # a network folder that is away comes back
            if str(error) != trouble:
                trouble = str(error)
                on_message(trouble)
            listing = Listing(())
        now = time.monotonic()
        is_needed = bool(listing.complete) or now >= earlier_monotonic
        if not trouble and is_needed and now >= again_monotonic:
            digest = await inbox.take(Listing(listing.complete))
            again_monotonic = now = time.monotonic()
            earlier_monotonic = now + _EARLIER_RUNS_SECONDS
            if digest.ended_by or digest.left:
                again_monotonic += _AGAIN_SECONDS
            if len(digest.files) > len(digest.left):
                on_digest(digest)
            if digest.exit_code > 128:
                return digest.exit_code
        with suppress(Cancelled):
            await until_cancelled(asyncio.sleep(LOOK_SECONDS), cancel_token)
    return 0
