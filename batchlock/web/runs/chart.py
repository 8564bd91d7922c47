"""A run over time, as bars."""

from dataclasses import dataclass
from datetime import datetime

from batchlock.store.journal import Throughput


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the chart; sizes are in hundredths of its height, from the bottom."""

    at: int
    settled: float
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A run over time."""

    bars: tuple[Bar, ...]
    """A span without any is a pause."""
    most: float
    """Rows a second at the full height."""
    began: datetime
    seconds: float


def chart(pace: Throughput | None) -> Chart | None:
    """Return the chart of a run; None while there is nothing to draw."""
    if pace is None or len(pace.settled) < 2:
        return None
    most = max(map(sum, zip(pace.settled, pace.others, strict=True)))
    bars = tuple(
        Bar(at, 100 * settled / most, 100 * others / most)
        for at, (settled, others) in enumerate(zip(pace.settled, pace.others, strict=True))
    )
    return Chart(
        bars=bars,
        most=most / pace.span_seconds,
        began=pace.started_at,
        seconds=pace.span_seconds * len(bars),
    )
