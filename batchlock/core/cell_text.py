"""Show a cell as a person sees it: as a reason that is sent, and in results.

One rule for both, so that results that are given back ask for the same as the file did.
"""

import math
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context

from batchlock.core.rows import Cell, NoValue

INEXACT_FROM = 10**15
"""From here on a number cell no longer holds every digit."""

_SMALL = 1e-9
_DIGITS = Context(prec=15, rounding=ROUND_HALF_UP)  # what a spreadsheet keeps of a number
_SECOND = timedelta(seconds=1)
_LAST = datetime.max.replace(microsecond=0)  # noqa: DTZ901 cells have no time zone


def display_text(cell: Cell) -> str:
    """Return a cell as text. A number too long to be exact stays recognisable as one: `5.8E+18`."""
    match cell:
        case None:
            return ""
        case str():
            return cell
        case NoValue():
            return cell.text or "#VALUE!"  # a blank would hide that there was something
        case bool():
            return str(cell).upper()
        case int() | float():
            return _number(cell)
        case datetime():
            whole = _to_the_second(cell)
            day, moment = whole.date(), whole.timetz()
            return f"{day} {_clock(moment)}" if moment != time.min else str(day)
        case time():
            return _clock(_to_the_second(datetime.combine(date.min, cell)).timetz())
        case timedelta():
            return _span(cell)
    return cell.isoformat()


def _number(number: float) -> str:
    if isinstance(number, int) and -INEXACT_FROM < number < INEXACT_FROM:
        return str(number)
    if not math.isfinite(number):
        return str(number)
    kept = _DIGITS.create_decimal(repr(number)).normalize()
    if number and not _SMALL <= abs(number) < INEXACT_FROM:
        return f"{kept:E}"
    return format(kept, "f") if kept else "0"


def _to_the_second(moment: datetime) -> datetime:
    """Round what floating point has made of a time."""
    whole = moment.replace(microsecond=0)
    return whole if moment.microsecond < 500_000 or whole >= _LAST else whole + _SECOND


def _clock(moment: time) -> str:
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(round(abs(span).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if span < timedelta() else ""
    return f"{sign}{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
