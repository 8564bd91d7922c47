"""The settings that end a run before its last row, and what is kept of the earlier locks."""

from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Gt


class PreviousReason(StrEnum):
    """Whether the results keep the reason that a lock had before."""

    AUTO = "auto"
    """Where a look-up shows it anyway."""
    ALWAYS = "always"
    """Every row, for one more call where no look-up is needed otherwise."""
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSettings:
    """The thresholds of the stop rules, and the time that a run may take."""

    # In an outage all rows fail. Otherwise rows that succeed come between those that fail.
    consecutive_failures: Annotated[int, Ge(1)] = 50
    """Rows that failed one after another."""
    same_refusal: Annotated[int, Ge(1)] = 20
    """First answers of a session that are all the same refusal: the set-up is wrong, not a row."""
    max_runtime: Annotated[float, Gt(0)] | None = None
    """Seconds."""
    until: time | None = None
    """Local time of day."""
