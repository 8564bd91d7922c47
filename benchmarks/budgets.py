"""Compare measurements with the budgets, and print both as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Spread


@dataclass(frozen=True, slots=True)
class Budget:
    """The most, or the least, that a measurement may be."""

    what: str
    budget: float
    stretch: float
    unit: str = ""
    """`x` means the ratio to the peer."""
    more_is_better: bool = False

    def verdict(self, measured: float) -> str:
        """Return `stretch`, `pass` or `SHORT` for a measurement."""
        # The sign turns `at least` into `at most`, so one comparison serves both kinds.
        sign = -1 if self.more_is_better else 1
        if sign * measured <= sign * self.stretch:
            return "stretch"
        return "pass" if sign * measured <= sign * self.budget else "SHORT"

    def text(self, value: float) -> str:
        """Return a value with the unit of the budget."""
        if self.unit == "%":
            # The extra calls at a cap are hundredths of a per cent.
            return f"{value:.2f} %" if value < 1 else f"{value:.1f} %"
        return f"{value:,.2f} {self.unit}" if abs(value) < 10 else f"{value:,.0f} {self.unit}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    budget: Budget
    values: Sequence[float]
    """One value for each round."""
    how: str
    """What was measured, for the last column."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of the line in the table."""
        text, spread = self.budget.text, Spread.of(self.values)
        return (
            self.budget.what,
            text(spread.median),
            f"{text(spread.least)} to {text(spread.most)}",
            text(self.budget.budget),
            text(self.budget.stretch),
            self.budget.verdict(spread.median),
            self.how,
        )


TITLES = ("what", "median", "spread", "budget", "stretch", "verdict", "measured")


def table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are aligned."""
    widths = [max(len(line[at]) for line in (titles, *lines)) for at in range(len(titles))]

    def row(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    return "\n".join([row(titles), row(["-" * width for width in widths]), *map(row, lines)])
