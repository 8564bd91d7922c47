"""The confirmation of unlocks: a person types how many records lose their lock.

A start without the right number creates nothing. It is answered with a page that asks for the
number and repeats the request, so that no plain click removes a lock.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.confirming import ConfirmUnlocks, Unlocks, unlocks_left
from batchlock.core.errors import BatchlockError
from batchlock.core.runs import Run
from batchlock.web import security
from batchlock.web.context import AppContext
from batchlock.web.templating import Page

_FIELD = "unlocks"
# People type a long number as the page shows it, or as their country writes it.
_SEPARATORS = re.compile(r"[\s.,']")


class UnlocksUnconfirmed(BatchlockError):
    """A person has not typed the number of the records that a start unlocks."""

    def __init__(self, count: int, *, typed: str) -> None:
        """Take the right number, and what was typed without separators; empty for nothing."""
        super().__init__(f"Nothing was sent: {count:,} records would be unlocked.")
        self.count = count
        self.typed = typed


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPage(Page):
    """The page that asks for the number of records, and repeats a request with it."""

    template: ClassVar[str] = "confirm.html"
    action: str
    """The path of the repeated request."""
    back: str
    """The path of the page that the request came from."""
    fields: Sequence[tuple[str, str]]
    """The names and values of the other fields of its form."""
    unlocks: int
    is_wrong: bool
    """Whether another number was typed."""


def typed_number(form: Mapping[str, object]) -> ConfirmUnlocks:
    """Return the function that compares a number with the one in a submitted form.

    It returns True, or raises UnlocksUnconfirmed.
    """
    typed = _SEPARATORS.sub("", str(form.get(_FIELD, "")))

    def confirm(unlocks: Unlocks) -> bool:
        if typed != str(unlocks.count):
            raise UnlocksUnconfirmed(unlocks.count, typed=typed)
        return True

    return confirm


def confirm_remaining(context: AppContext, run: Run, confirm: ConfirmUnlocks) -> None:
    """Ask about the unlocks that a run has left, before the run is queued again.

    Raises UnlocksUnconfirmed.
    """
    with context.store.open_journal(run) as journal:
        unlocks = unlocks_left(journal)
    if unlocks.count:
        confirm(unlocks)


async def question_about(request: web.Request, unconfirmed: UnlocksUnconfirmed) -> ConfirmPage:
    """Return the page that asks for the number in place of the answer to a request."""
    form = await security.form_of(request)
    return ConfirmPage(
        action=request.path,
        back=request.path.rpartition("/")[0],
        fields=[
            (name, value)
            for name, value in form.items()
            if name not in ("csrf", _FIELD) and isinstance(value, str)
        ],
        unlocks=unconfirmed.count,
        is_wrong=bool(unconfirmed.typed),
    )
