"""Time limits of checks, and work in threads that nobody has to wait for.

A file system or a resolver can hang for minutes, and nothing can end a thread that waits for it.
The threads of asyncio's executor would keep the process from ending; those here are daemons.
"""

import asyncio
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from batchlock.core.errors import BatchlockError
from batchlock.core.stop import Cancelled
from batchlock.doctor.checks import SETUP, UNEXPECTED, Check, bad, from_error

_T = TypeVar("_T")


async def in_thread(function: Callable[..., _T], *arguments: object) -> _T:
    """Call a function in a daemon thread, and return its result or raise its exception."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def deliver(set_outcome: Callable[[], None]) -> None:
        if not future.done():  # the time limit was over, or the command was interrupted
            set_outcome()

    def run() -> None:
        set_outcome: Callable[[], None]
        try:
            set_outcome = partial(future.set_result, function(*arguments))
        except BaseException as error:  # it is raised where the result is awaited
            set_outcome = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(deliver, set_outcome)

    threading.Thread(target=run, daemon=True, name=f"doctor {function.__name__}").start()
    return await future


async def limited(
    check_id: str,
    work: Awaitable[Sequence[Check]],
    *,
    seconds: float,
    exit_code: int = SETUP,
) -> list[Check]:
    """Return the checks of `work`; a bad one when it takes too long or raises an error.

    `exit_code` is that of a check that takes too long. Raises Cancelled.
    """
    try:
        async with asyncio.timeout(seconds):
            return list(await work)
    except TimeoutError:
        return [
            bad(
                check_id,
                f"This check has no result after {seconds:g} s.",
                "Look at what it waits for: a network drive, a name server, a command or a server.",
                exit_code=exit_code,
            )
        ]
    except Cancelled:
        raise
    except BatchlockError as error:
        return [from_error(check_id, error)]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return [
            bad(
                check_id,
                f"The system refuses what this check needs: {where}{error.strerror or error}.",
                "Make what is named usable for the user who runs batchlock.",
                exit_code=exit_code,
            )
        ]
    except Exception as error:  # the other checks must not end by it
        return [unexpected(check_id, error)]


def unexpected(check_id: str, error: Exception) -> Check:
    """Return the check for an exception that nothing explains; it names the place in the code."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    # Without its text, which may hold a secret.
    return bad(
        check_id,
        f"This check ended with an unexpected error: {type(error).__name__}{place}.",
        "Report it with the file that `batchlock doctor --bundle FILE.zip` writes.",
        exit_code=UNEXPECTED,
    )
