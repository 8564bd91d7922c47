"""The text of a cell as a person sees it, both for the reason that is sent and for results.

One rule for both, so that a results file that is read again asks for the same as the input did.
"""

import math
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context

from batchlock.core.rows import Cell, NoValue

# Spreadsheets keep 15 significant digits of a number: from 16 digits on, some may be lost.
INEXACT_FROM = 10**15

# Smaller numbers are written with an exponent: as decimals they would be mostly zeros.
_SMALLEST_DECIMAL = 1e-9
# The digits that a spreadsheet keeps and shows: 0.1 + 0.2 is 0.3 there.
_SPREADSHEET_DIGITS = Context(prec=15, rounding=ROUND_HALF_UP)
_SECOND = timedelta(seconds=1)
# The last moment that cannot be rounded up: datetime ends with the year 9999.
_LAST_SECOND = datetime.max.replace(microsecond=0)  # noqa: DTZ901 cells have no time zone


def display_text(cell: Cell) -> str:
    """Return a cell as text.

    A number that is too long to be exact is recognisable by its exponent: `5.8E+18`.
    """
    match cell:
        case None:
            return ""
        case str():
            return cell
        case NoValue():
            return cell.text or "#VALUE!"  # an empty text would make the cell look blank
        case bool():
            return str(cell).upper()
        case int() | float():
            return _number_text(cell)
        case datetime():
            rounded = _round_to_second(cell)
            day, clock_time = rounded.date(), rounded.timetz()
            # Spreadsheets store a date as midnight of that day.
            return f"{day} {_time_text(clock_time)}" if clock_time != time.min else str(day)
        case time():
            return _time_text(_round_to_second(datetime.combine(date.min, cell)).timetz())
        case timedelta():
            return _duration_text(cell)
    return cell.isoformat()


def _number_text(number: float) -> str:
    if isinstance(number, int) and -INEXACT_FROM < number < INEXACT_FROM:
        return str(number)
    if not math.isfinite(number):
        return str(number)
    rounded = _SPREADSHEET_DIGITS.create_decimal(repr(number)).normalize()
    if number and not _SMALLEST_DECIMAL <= abs(number) < INEXACT_FROM:
        return f"{rounded:E}"
    return format(rounded, "f") if rounded else "0"


def _round_to_second(moment: datetime) -> datetime:
    """Round to the nearest second.

    Spreadsheets store a time as a fraction of a day, so 05:00 may be read as 04:59:59.999999.
    """
    second = moment.replace(microsecond=0)
    is_rounded_down = moment.microsecond < 500_000 or second >= _LAST_SECOND
    return second if is_rounded_down else second + _SECOND


def _time_text(moment: time) -> str:
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")


def _duration_text(duration: timedelta) -> str:
    minutes, seconds = divmod(round(abs(duration).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if duration < timedelta() else ""
    return f"{sign}{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
