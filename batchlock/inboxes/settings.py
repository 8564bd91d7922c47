"""Settings of the guards before a file of a folder is sent."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt
from pydantic import BeforeValidator

RowRange = tuple[int, int]
"""The fewest and the most rows."""

_AUTO: Literal["auto"] = "auto"


def _usual_rows(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    text = str(value).replace(",", "").strip()
    if text == _AUTO:
        return _AUTO
    if number := re.fullmatch(r"\d+", text):
        return around(int(number[0]), int(number[0]))
    bounds = re.fullmatch(r"(\d+)\s*-\s*(\d+)", text)
    if bounds is None or int(bounds[1]) > int(bounds[2]):
        raise ValueError("a number of rows is like 500, 200-800 or auto")
    return int(bounds[1]), int(bounds[2])


def around(low: int, high: int) -> RowRange:
    """Return what counts as usual where files had `low` to `high` rows: half to twice as many.

    Half, because a file that was cut off in the middle is the damage to be found, and twice,
    because a list that was appended to itself is another one.
    """
    return (low + 1) // 2, high * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxSettings:
    """Which files of a folder are not sent without a person."""

    # Seconds since the file was last written to; None: any age.
    max_age: Annotated[float, Gt(0)] | None = None
    # None: any number. `auto`: by the last files with the same titles.
    usual_rows: Annotated[RowRange | Literal["auto"] | None, BeforeValidator(_usual_rows)] = None
