"""Update the locking information of many Zoho CRM records from a spreadsheet.

For Python: `batchlock.check(frame_or_path)`, `batchlock.run(frame_or_path)`,
`batchlock.undo(run_id)`, `batchlock.locks(modules)` and `batchlock.inbox(folder)`; see
docs/python.md.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from batchlock.api import check, inbox, locks, run, undo
    from batchlock.core.errors import (
        AlreadyRunning,
        BatchlockError,
        SignInRefused,
        UnreadableFile,
        UsageError,
    )

_FUNCTIONS = ("check", "inbox", "locks", "run", "undo")
_ERRORS = ("AlreadyRunning", "BatchlockError", "SignInRefused", "UnreadableFile", "UsageError")

__all__ = [
    "AlreadyRunning",
    "BatchlockError",
    "SignInRefused",
    "UnreadableFile",
    "UsageError",
    "__version__",
    "check",
    "inbox",
    "locks",
    "run",
    "undo",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is first used: the command line needs none of them."""
    if name in _FUNCTIONS:
        from batchlock import api

        return getattr(api, name)
    if name in _ERRORS:
        from batchlock.core import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
