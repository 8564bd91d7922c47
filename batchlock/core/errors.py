"""The exceptions that end a command, each with its exit code.

BatchlockError              1
├── UsageError              2   a wrong option, setting or request; nothing was sent
│   ├── DatabaseUnavailable 2   the database of many machines does not answer
│   ├── DiskFull            2   there is no room for a plan
│   ├── WrongOrg            2   the sign-in is for another org than the settings say
│   └── GuardRefusal        2   a file of a folder that is not sent without a person
├── UnreadableFile          4   the file cannot be read as a table; nothing was sent
├── SignInRefused           5   a person must act
├── Stopped                 6   ended early by a rule; can be resumed
│   └── ConnectionLost      6   to the server that has the journal; the work may be done again
├── AlreadyRunning          7   another run works on this org
└── core.stop.Cancelled         cancelled by a signal (128+n), a rule, the deadline or a person

A row that cannot be sent or updated never raises: it is a `core.rows.Problem` or a
`core.results.Outcome`. Exit code 3 (some rows were not updated) has no exception for that reason.
"""

from collections.abc import Sequence

from batchlock.core.encodings import TextReading


class BatchlockError(Exception):
    """An error that ends the command; its text is a sentence for the user.

    `columns`, `sheets` or `readings` (of a text in several encodings, the likeliest first) hold
    the alternatives, when choosing one of them would help. With `readings`, `columns` are the
    titles of the file as far as they are ASCII. `samples` are some values of each of the
    columns, in their order; empty when they are not known. `page_message` is the same sentence for
    readers of the web page, who have no options of the command line.
    """

    exit_code = 1
    is_about_file = False
    """Whether another file may do better: what is wrong is in the file, or in how it is read."""

    def __init__(
        self,
        message: str,
        *,
        columns: Sequence[str] = (),
        sheets: Sequence[str] = (),
        readings: Sequence[TextReading] = (),
        samples: Sequence[Sequence[str]] = (),
        page_message: str = "",
    ) -> None:
        super().__init__(message)
        self.page_message = page_message or message
        self.columns = tuple(columns)
        self.sheets = tuple(sheets)
        self.readings = tuple(readings)
        self.samples = tuple(map(tuple, samples))


class UsageError(BatchlockError):
    """The command, an option or a setting is wrong; nothing was sent."""

    exit_code = 2


class UnreadableFile(BatchlockError):
    """The file cannot be read as a table; nothing was sent."""

    exit_code = 4
    is_about_file = True


class SignInRefused(BatchlockError):
    """Zoho does not accept the sign-in or its scopes; a person must act."""

    exit_code = 5


class Stopped(BatchlockError):
    """A rule ended the run early; the remaining rows can be resumed."""

    exit_code = 6


class DatabaseUnavailable(UsageError):
    """The database of many machines cannot be reached."""


class DiskFull(UsageError):
    """There is no room for the plan of a file, so nothing was sent and nothing can be resumed."""


class WrongOrg(UsageError):
    """The sign-in belongs to another org, or another type of org, than the settings say."""

    def __init__(self, message: str, *, guard: str) -> None:
        super().__init__(message)
        self.guard = guard
        """The code: `wrong_org` or `wrong_environment`."""


class GuardRefusal(UsageError):
    """A file of a folder is not sent without a person; nothing was sent."""

    is_about_file = True

    def __init__(self, guard: str, message: str) -> None:
        super().__init__(message)
        self.guard = guard
        """The code, as `batchlock.inboxes.guards` lists them."""


class ConnectionLost(Stopped):
    """The connection to the server was lost, or it refused work that may be done again.

    Whether a commit that was under way has succeeded is not known.
    """


DATABASE_ERRORS = (DatabaseUnavailable, ConnectionLost)
"""What says that the database is away: a worker tries again, and ends no run for it."""


class LeaseLost(Exception):
    """Another process may send to the org now, so this one must send and record nothing more.

    No BatchlockError, since nothing that handles those may handle it: the run is left as it is.
    """


class AlreadyRunning(BatchlockError):
    """Another run works on this org."""

    exit_code = 7
