"""Read the options of `batchlock locks`."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from batchlock.cli.options import FindOptions
from batchlock.core.errors import UsageError
from batchlock.core.records import FindRequest, LockFilter

# The smallest step of a time: the end of a day is that before the next one.
_STEP = timedelta(microseconds=1)


def find_request(modules: Sequence[str], options: FindOptions) -> FindRequest:
    """Return what a person asks for. Raises UsageError for a time that cannot be read."""
    since = moment("--since", options.since)
    until = moment("--until", options.until, at_end=True)
    if since is not None and until is not None and since > until:
        raise UsageError(
            f'--since "{options.since}" is later than --until "{options.until}", so no lock can '
            "pass. Swap them."
        )
    return FindRequest(
        modules=tuple(modules),
        all_modules=options.all_modules,
        files=options.files,
        view=options.view,
        lock_filter=LockFilter(
            locked_by=(options.locked_by or "").strip(),
            since=since,
            until=until,
            reason_contains=options.reason_contains or "",
            sources=tuple(sorted({*options.source})),
        ),
    )


def moment(option: str, text: str | None, *, at_end: bool = False) -> datetime | None:
    """Return the moment that a text means; None without one. Raises UsageError for no time.

    A time without an offset is the local time of this machine. A date is the beginning of that day,
    or `at_end` its end.
    """
    if text is None:
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        try:
            return datetime.fromisoformat(text.strip()).astimezone()
        except (ValueError, OverflowError):
            raise UsageError(
                f'{option} "{text}" is no date or time. Write it as 2026-03-01 or '
                '"2026-03-01 14:30", which is the local time of this machine, or with an offset: '
                "2026-03-01T14:30+02:00."
            ) from None
    start = datetime.combine(day, time.min)
    return (start + timedelta(days=1) - _STEP if at_end else start).astimezone()
