"""The budgets: what is promised, and whether a measurement keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Spread


@dataclass(frozen=True, slots=True)
class Budget:
    """One promise."""

    what: str
    budget: float
    stretch: float
    unit: str = ""
    """`x` is a ratio to the peer."""
    more_is_better: bool = False

    def verdict(self, measured: float) -> str:
        """Say how a measurement stands to the promise."""
        sign = -1 if self.more_is_better else 1
        if sign * measured <= sign * self.stretch:
            return "stretch"
        return "pass" if sign * measured <= sign * self.budget else "SHORT"

    def shown(self, value: float) -> str:
        """Return a value in the promise's unit."""
        if self.unit == "%":
            return f"{value:.2f} %" if value < 1 else f"{value:.1f} %"
        return f"{value:,.2f} {self.unit}" if abs(value) < 10 else f"{value:,.0f} {self.unit}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    budget: Budget
    values: Sequence[float]
    """One for each round."""
    how: str
    """What the numbers came from, for whoever doubts them."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as the table shows it."""
        shown, spread = self.budget.shown, Spread.of(self.values)
        return (
            self.budget.what,
            shown(spread.median),
            f"{shown(spread.least)} to {shown(spread.most)}",
            shown(self.budget.budget),
            shown(self.budget.stretch),
            self.budget.verdict(spread.median),
            self.how,
        )


TITLES = ("what", "median", "spread", "budget", "stretch", "verdict", "measured")


def table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, aligned for reading as it is."""
    widths = [max(len(line[at]) for line in (titles, *lines)) for at in range(len(titles))]

    def row(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    return "\n".join([row(titles), row(["-" * width for width in widths]), *map(row, lines)])
