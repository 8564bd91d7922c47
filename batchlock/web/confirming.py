"""The questions before something is sent, which a person answers on a page of its own.

Unlocks: a person types how many records lose their lock. Other changes of a production org: a
person clicks a button that names their number. A start without the right number creates nothing.
It is answered with the page that asks and repeats the request, so that no plain click removes a
lock, and none on a page of results writes to production.
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
from batchlock.web.translation import ngettext

_FIELD = "unlocks"
_CONFIRMED = "confirmed"
PRODUCTION = "production"
"""The environment whose records are those that people work with."""
# People type a long number as the page shows it, or as their country writes it.
_SEPARATORS = re.compile(r"[\s.,']")


class UnlocksUnconfirmed(BatchlockError):
    """A person has not typed the number of the records that a start unlocks."""

    def __init__(self, count: int, *, typed: str) -> None:
        """Take the right number, and what was typed without separators; empty for nothing."""
        super().__init__(
            ngettext(
                "Nothing was sent: %(num)s record would be unlocked.",
                "Nothing was sent: %(num)s records would be unlocked.",
                count,
            )
        )
        self.count = count
        self.typed = typed


class RowsUnconfirmed(BatchlockError):
    """A person has not confirmed how many rows are sent to a production org."""

    def __init__(self, action: str, count: int) -> None:
        """Take the action of the rows, or MIXED, and their right number."""
        super().__init__(
            ngettext(
                "Nothing was sent: %(num)s row would be.",
                "Nothing was sent: %(num)s rows would be.",
                count,
            )
        )
        self.action = action
        self.count = count


Unconfirmed = UnlocksUnconfirmed | RowsUnconfirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmRowsPage(Page):
    """The page that asks whether rows are to be sent, and repeats a request with their number."""

    template: ClassVar[str] = "confirm_rows.html"
    path: str
    """The path of the repeated request."""
    back: str
    """The path of the page that the request came from."""
    fields: Sequence[tuple[str, str]]
    """The names and values of the fields of its form, the number included."""
    action: str
    """The action of the rows, or MIXED."""
    count: int


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


def confirm_resumption(context: AppContext, run: Run, form: Mapping[str, object]) -> None:
    """Ask for the number of rows that a run has left, or of its unlocks, which are typed.

    Raises UnlocksUnconfirmed and RowsUnconfirmed.
    """
    with context.store.open_journal(run) as journal:
        remaining, unlocks = journal.remaining(), journal.to_unlock()
    if unlocks:
        confirm_remaining(context, run, typed_number(form))
    else:
        require_number(context, form, action=run.info.action, count=remaining)


def require_number(
    context: AppContext, form: Mapping[str, object], *, action: str, count: int
) -> None:
    """Raise RowsUnconfirmed if the org is in production and the form does not name this number.

    A number that was right when the page asked may be wrong now; then the page asks again.
    """
    if context.label.environment == PRODUCTION and form.get(_CONFIRMED) != str(count):
        raise RowsUnconfirmed(action, count)


async def question_about(
    request: web.Request, unconfirmed: Unconfirmed
) -> ConfirmPage | ConfirmRowsPage:
    """Return the page that asks for the number in place of the answer to a request."""
    form = await security.form_of(request)
    back = request.path.rpartition("/")[0]
    fields = [
        (name, value)
        for name, value in form.items()
        if name not in ("csrf", _FIELD) and isinstance(value, str)
    ]
    if isinstance(unconfirmed, RowsUnconfirmed):
        others = [field for field in fields if field[0] != _CONFIRMED]
        return ConfirmRowsPage(
            path=request.path,
            back=back,
            fields=[*others, (_CONFIRMED, str(unconfirmed.count))],
            action=unconfirmed.action,
            count=unconfirmed.count,
        )
    return ConfirmPage(
        action=request.path,
        back=back,
        fields=fields,
        unlocks=unconfirmed.count,
        is_wrong=bool(unconfirmed.typed),
    )
