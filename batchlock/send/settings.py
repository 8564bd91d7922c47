"""When a run ends before its last row."""

from dataclasses import dataclass
from datetime import time
from typing import Annotated

from annotated_types import Ge, Gt


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSettings:
    """The rules that end a run early."""

    consecutive_failures: Annotated[int, Ge(1)] = 50
    """Rows in a row that failed: an outage, and not a few bad rows."""
    same_refusal: Annotated[int, Ge(1)] = 20
    """First answers that are all the same refusal: a wrong set-up, not wrong rows."""
    max_runtime: Annotated[float, Gt(0)] | None = None
    """Seconds."""
    until: time | None = None
    """Local time of day."""
