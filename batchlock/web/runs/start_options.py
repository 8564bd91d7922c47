"""What a person may choose when a run starts: when, how far it may go, and what it is called."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from batchlock.core.errors import UsageError
from batchlock.core.runs import Run
from batchlock.web.queue import StartOptions
from batchlock.web.templating import Page, grouped
from batchlock.web.translation import gettext as _

MAX_NOTE = 200
"""Characters of a note."""
_MAX_CREDITS_DIGITS = 12
_FARTHEST_START = timedelta(days=366)
_MARK = "with_options"
"""The hidden field of a form that has all of these fields, so that an empty one has a meaning."""
# People type a long number as their country writes it.
_SEPARATORS = re.compile(r"[\s.,']")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptionsPage(Page):
    """The page with the form, which repeats the request that sends."""

    template: ClassVar[str] = "start_options.html"
    title: str
    path: str
    """The path of the request that sends."""
    back: str
    """The path of the page that the person came from."""
    fields: Sequence[tuple[str, str]]
    """The names and values of its other fields."""
    action: str
    """The action of the rows, or MIXED."""
    count: int
    """The rows that are sent."""
    unlocks: int
    """How many records lose their lock, which a person has to type."""
    run: Run | None
    """The run that is resumed; None for a new one."""
    mark: str = _MARK
    max_note: int = MAX_NOTE

    @property
    def now(self) -> datetime:
        """The time of the server, in whose zone times are typed."""
        return local_now()

    @property
    def stop_at(self) -> str:
        """When the run was to stop until now."""
        return "" if self.run is None else str(self.run.options.get("stop.until", ""))

    @property
    def most_credits(self) -> str:
        """How many credits the run was allowed until now."""
        return "" if self.run is None else str(self.run.options.get("limits.max_credits", ""))

    @property
    def start_at(self) -> str:
        """When the run was to start until now, as the field has it."""
        if self.run is None or self.run.start_at is None:
            return ""
        return f"{self.run.start_at.astimezone():%Y-%m-%dT%H:%M}"


def start_options_in(form: Mapping[str, object], now: datetime) -> StartOptions:
    """Return what a submitted form says; nothing is chosen in a form without these fields.

    `now` is a local time with its zone. Raises UsageError.
    """
    if _MARK not in form:
        return StartOptions()
    settings: dict[str, Any] = {}
    if (stop_at := _text(form, "stop_at")) != "":
        settings["stop.until"] = _time_of_day(stop_at)
    if (most := _SEPARATORS.sub("", _text(form, "most_credits"))) != "":
        settings["limits.max_credits"] = _credits(most)
    start_at = _text(form, "start_at")
    return StartOptions(
        start_at=_start(start_at, now) if start_at else None,
        settings=settings,
        note=note_in(form),
    )


def local_now() -> datetime:
    """Return the time in the zone of this machine."""
    return datetime.now().astimezone()


def note_in(form: Mapping[str, object]) -> str:
    """Return the note in a submitted form, on one line. Raises UsageError when it is too long."""
    note = " ".join(_text(form, "note").split())
    if len(note) > MAX_NOTE:
        raise UsageError(
            _(
                "The note has %(count)s characters. At most %(most)s are kept.",
                count=grouped(len(note)),
                most=MAX_NOTE,
            )
        )
    return note


def _text(form: Mapping[str, object], name: str) -> str:
    return str(form.get(name, "")).strip()


def _time_of_day(text: str) -> str:
    try:
        return f"{datetime.strptime(text, '%H:%M'):%H:%M}"  # noqa: DTZ007  a time of any day
    except ValueError:
        raise UsageError(
            _('"%(text)s" is no time of day. Write it as 06:00.', text=text[:30])
        ) from None


def _credits(text: str) -> str:
    if (
        not (text.isascii() and text.isdecimal())
        or len(text) > _MAX_CREDITS_DIGITS
        or not int(text)
    ):
        raise UsageError(_('"%(text)s" is no number of credits. Write it as 500.', text=text[:30]))
    return str(int(text))


def _start(text: str, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(text).astimezone()  # a time without a zone is a local one
    except (ValueError, OverflowError):
        raise UsageError(
            _('"%(text)s" is no day and time. Write it as 2026-03-14T22:00.', text=text[:30])
        ) from None
    if at <= now:
        asked, present = f"{at:%Y-%m-%d %H:%M}", f"{now:%Y-%m-%d %H:%M}"
        raise UsageError(
            _(
                "%(at)s is past: it is %(now)s here. Choose a later time, or leave the field empty "
                "to start now.",
                at=asked,
                now=present,
            )
        )
    if at > now + _FARTHEST_START:
        raise UsageError(_("The start is more than a year away. Choose an earlier day."))
    return at
