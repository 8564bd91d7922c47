"""What a notice says: one event of a command or a run, without ids and reasons of records."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from batchlock.core.results import Result

# Exit codes after which a person must act. A run that a rule stopped (6), that met another one (7)
# or that was interrupted (129 and more) is resumed by the next call of the same command.
_PERSON_CODES = frozenset({1, 2, 3, 4, 5})


class NoticeKind(StrEnum):
    """What has happened."""

    START = "start"
    """A command has begun."""
    END = "end"
    """A command or a run has ended; its exit code says how."""
    PERSON = "person"
    """Something waits for a person, and nothing has ended by that: an approval, a file."""
    TEST = "test"
    """Nothing: a person tries whether notices arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event, for every place that notices go to.

    `title` is one line, and `text` the digest: sentences for people in several lines. Neither has
    ids of records or reasons: rows are named by their numbers.
    """

    kind: NoticeKind
    command: str
    """What the event belongs to: `run`, `inbox`, `worker`, `page` …"""
    org: str
    environment: str
    title: str
    text: str
    run_id: str | None = None
    file: str | None = None
    """The name of the file, without its folder."""
    exit_code: int | None = None
    """None unless `kind` is END."""
    counts: Mapping[Result, int] = field(default_factory=dict)
    """Rows by result; empty when there is no run."""
    credits_used: int = 0
    seconds: float = 0.0
    """How long the command has worked."""
    attachments: tuple[Path, ...] = ()
    """Files for messages: the results."""
    needs_person: bool | None = None
    """Whether a person must act; None: as kind and exit code say."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """The same for every attempt to send it."""

    def __post_init__(self) -> None:
        """Make each text one that every place takes.

        A name of a file may hold bytes that are no UTF-8, and line breaks, which no title may have.
        """
        title = " ".join(_encodable(self.title).splitlines())
        object.__setattr__(self, "title", title)  # it is frozen
        object.__setattr__(self, "text", _encodable(self.text))
        if self.file is not None:
            object.__setattr__(self, "file", _encodable(self.file))

    @property
    def is_for_a_person(self) -> bool:
        """Whether a person must act."""
        if self.needs_person is not None:
            return self.needs_person
        if self.kind is NoticeKind.END:
            return self.exit_code in _PERSON_CODES
        return self.kind is NoticeKind.PERSON

    @property
    def is_failure(self) -> bool:
        """Whether a command or a run has ended otherwise than with everything done."""
        return self.kind is NoticeKind.END and self.exit_code != 0


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


class NotDelivered(Exception):
    """A notice cannot be delivered at one place; the text is a sentence, without any secret."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a notice at one place."""

    place: str
    """The setting and the host or service, without any secret: `notify.webhook (example.com)`."""
    error: str = ""
    """Why it was not delivered, in a sentence; empty when it was."""
