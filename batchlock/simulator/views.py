"""The custom views of each module: stock views and those that people made."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchlock.simulator.records import SIGNED_IN_USER, Record

LOCKED_VIEW_NAME = "LOCKED_RECORDS"
"""The `system_name` of the stock view of locked records; Zoho's own name is not documented."""


@dataclass(frozen=True, slots=True)
class View:
    """A custom view. All modules have the same ones."""

    view_id: str
    name: str
    system_name: str | None = None
    """None: a person made the view."""


_LOCKED = View("990000000000600002", "Locked Records", LOCKED_VIEW_NAME)
_MY_LOCKED = View("990000000000600004", "My locked records")
_VIEWS = (
    View("990000000000600001", "All Records", "ALLVIEWS"),
    _LOCKED,
    View("990000000000600003", "Big customers"),
    _MY_LOCKED,
)


def views_of(*, has_locked_view: bool) -> Sequence[View]:
    """Return the views of a module, with or without the stock view of locked records."""
    return [view for view in _VIEWS if has_locked_view or view is not _LOCKED]


def find_view(view_id: str, *, has_locked_view: bool) -> View | None:
    """Return the view with an id, else None."""
    views = views_of(has_locked_view=has_locked_view)
    return next((view for view in views if view.view_id == view_id), None)


def shows(view: View, record: Record) -> bool:
    """Return whether a view shows a record. Views that are not about locks show all."""
    if view not in (_LOCKED, _MY_LOCKED):
        return True
    is_mine = record.lock.origin.person == SIGNED_IN_USER
    return record.lock.lock_id is not None and (view is _LOCKED or is_mine)
