"""The bar chart of a run over time."""

from dataclasses import dataclass
from datetime import datetime

from batchlock.store.journal import Throughput


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the chart; heights are in percent of the chart's height."""

    index: int
    settled: float
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The throughput of a run over time."""

    bars: tuple[Bar, ...]
    """A bar without any rows is a pause."""
    rows_per_second: float
    """At the full height."""
    started_at: datetime
    seconds: float


def chart(throughput: Throughput | None) -> Chart | None:
    """Return the chart of a run; None while it has fewer than two bars."""
    if throughput is None or len(throughput.settled) < 2:
        return None
    pairs = list(zip(throughput.settled, throughput.others, strict=True))
    highest = max(map(sum, pairs))
    bars = tuple(
        Bar(index, 100 * settled / highest, 100 * others / highest)
        for index, (settled, others) in enumerate(pairs)
    )
    return Chart(
        bars=bars,
        rows_per_second=highest / throughput.span_seconds,
        started_at=throughput.started_at,
        seconds=throughput.span_seconds * len(bars),
    )
