"""The concurrency that an org has accepted and refused, stored between runs.

The content is JSON: `refused` is the number of calls in flight that was too many, `good` the
largest number that was answered well; `at` and `good_at` say when. Either of the two may be
missing.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from batchlock.send.org_memory import JsonPlace
from batchlock.send.pacing.window import START, Ceiling

# Long enough for a weekly job. The figure is not critical: a ceiling that is no longer true is
# tested again after `Window._ceiling_ttl`, and too high a start costs a few 429s.
_MAX_AGE = timedelta(days=7)


class Pace(NamedTuple):
    """What earlier runs have found out about the concurrency that an org accepts."""

    ceiling: Ceiling | None = None
    """The concurrency that was too high; None if this is not known."""
    good: int = 0
    """The highest concurrency that was answered well; 0 if this is not known."""


def load_pace(place: JsonPlace, now: datetime) -> Pace:
    """Return what earlier runs have stored, without what is too old.

    The ceiling is dated `now`: the run treats it as new, so it does not test a higher concurrency
    at once. Damaged content counts as none.
    """
    content = place.read()
    refused = _recent(content, "refused", "at", now)
    good = _recent(content, "good", "good_at", now)
    return Pace(None if refused is None else Ceiling(refused, now), good or 0)


def save_pace(place: JsonPlace, *, before: Pace, now: Pace, at: datetime) -> None:
    """Store for the next run what this one has found; `before` is what it began with.

    What this run has not found itself keeps its date, and expires. A failure is ignored: the next
    run then starts as on a new org, which costs time and a few 429s and nothing else.
    """
    stored = place.read()
    content = dict(stored)
    if now.ceiling is not before.ceiling:
        for name in ("refused", "at"):
            content.pop(name, None)
        if now.ceiling is not None:
            content |= {"refused": now.ceiling.refused, "at": now.ceiling.at.isoformat()}
    # A short run proves little: it does not replace the higher concurrency of a longer one, unless
    # that one is refused now.
    is_refused = now.ceiling is not None and now.ceiling.refused <= before.good
    if now.good > START and (now.good >= before.good or is_refused):
        content |= {"good": now.good, "good_at": at.isoformat()}
    if content == stored:
        return
    place.write(content)


def _recent(content: dict[str, Any], name: str, date_name: str, now: datetime) -> int | None:
    # Every edition allows START calls in flight, so a lower number came from a 429 that had another
    # reason, or from a run of a few rows.
    match content.get(name), content.get(date_name):
        case int(number), str(text) if number > START:
            # TypeError: the date has no time zone.
            with suppress(ValueError, TypeError):
                return number if now - datetime.fromisoformat(text) < _MAX_AGE else None
    return None
