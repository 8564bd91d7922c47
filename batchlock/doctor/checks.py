"""What was checked, and what was found: the values between the modules of this package."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError

SETUP = UsageError.exit_code
"""The exit code when configuration, a folder or the store is the problem."""
SIGN_IN = SignInRefused.exit_code
"""The exit code when Zoho does not accept the sign-in."""
AWAY = Stopped.exit_code
"""The exit code when Zoho cannot be reached."""
UNEXPECTED = BatchlockError.exit_code
"""The exit code when a check itself has a fault."""

# What a person must settle first decides. An unexpected error is named only without any other.
_PRECEDENCE = (SETUP, SIGN_IN, AWAY, UNEXPECTED)
# Between the sentence that says what is wrong and those that say what to do.
_SENTENCE_END = re.compile(r"(?<=\.)\s+(?=[A-Z`])")


_CORRECT = "Correct what the message names."


class State(StrEnum):
    """What a check has found."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """Runs may work; a person should look at it."""
    BAD = "bad"
    """Runs do not work, or not all of them."""
    SKIPPED = "skipped"
    """Not checked, for a reason that is said."""


class Group(StrEnum):
    """The groups of checks, in the order in which they are shown."""

    PLATFORM = "platform"
    CONFIGURATION = "configuration"
    FOLDERS = "folders"
    STORE = "store"
    NETWORK = "network"
    SIGN_IN = "sign_in"
    ORG = "org"
    WORK = "work"
    NOTICES = "notices"

    @property
    def heading(self) -> str:
        """What stands above the group for people."""
        return _HEADINGS[self]


_HEADINGS = {
    Group.PLATFORM: "Python and platform",
    Group.CONFIGURATION: "Configuration",
    Group.FOLDERS: "Folders",
    Group.STORE: "Store",
    Group.NETWORK: "Network",
    Group.SIGN_IN: "Sign-in",
    Group.ORG: "Org",
    Group.WORK: "Runs, workers and schedules",
    Group.NOTICES: "Notices",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked. The functions of this module make them."""

    check_id: str
    """The group, a dot and a name: `folders.state`. No two checks of a diagnosis have the same."""
    state: State
    message: str
    what_to_do: str = ""
    exit_code: int = 0
    """Of the command when this is bad; 0 for every other state."""

    @property
    def group(self) -> Group:
        """The group in which it is shown."""
        return Group(self.check_id.partition(".")[0])


def good(check_id: str, message: str) -> Check:
    """Return a check that has found nothing wrong."""
    return Check(check_id, State.GOOD, message)


def doubtful(check_id: str, message: str, what_to_do: str) -> Check:
    """Return a check that has found something at which a person should look."""
    return Check(check_id, State.DOUBTFUL, message, what_to_do)


def bad(check_id: str, message: str, what_to_do: str, *, exit_code: int = SETUP) -> Check:
    """Return a check that has found why runs do not work."""
    return Check(check_id, State.BAD, message, what_to_do, exit_code)


def skipped(check_id: str, reason: str) -> Check:
    """Return what could not be checked, and why."""
    return Check(check_id, State.SKIPPED, reason)


def from_error(check_id: str, error: BatchlockError) -> Check:
    """Return a bad check for an error, whose first sentence says what is wrong."""
    # The text is also that of a command which would have sent rows.
    message, what_to_do = split(str(error).replace(" Nothing was sent.", ""))
    return bad(check_id, message, what_to_do or _CORRECT, exit_code=error.exit_code)


def split(text: str) -> tuple[str, str]:
    """Return the first sentence of a text, and the others, which say what to do."""
    first, *rest = _SENTENCE_END.split(" ".join(text.split()), maxsplit=1)
    return first, "".join(rest)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks of one call, in the order in which they are shown."""

    checks: tuple[Check, ...]

    @classmethod
    def of(cls, checks: Sequence[Check]) -> "Diagnosis":
        """Return the diagnosis with these checks, sorted by group."""
        order = list(Group)
        return cls(tuple(sorted(checks, key=lambda check: order.index(check.group))))

    def count(self, state: State) -> int:
        """Return how many checks have this state."""
        return sum(check.state is state for check in self.checks)

    @property
    def exit_code(self) -> int:
        """0 when nothing is bad; else that of the bad check which a person must settle first."""
        codes = {check.exit_code for check in self.checks}
        return next((code for code in _PRECEDENCE if code in codes), 0)

    @property
    def sentence(self) -> str:
        """What was found, in a sentence."""
        counts = [f"{self.count(state):,} {state}" for state in State if self.count(state)]
        verdict = {
            0: "Everything that was checked works",
            SETUP: "Configuration, folders or store need to be put right",
            SIGN_IN: "The sign-in does not work",
            AWAY: "Zoho cannot be reached",
            UNEXPECTED: "A check ended with an unexpected error",
        }[self.exit_code]
        if self.exit_code == 0 and self.count(State.DOUBTFUL):
            verdict = "Nothing that was checked is broken; look at what is doubtful"
        return f"{verdict}: {', '.join(counts)}."
