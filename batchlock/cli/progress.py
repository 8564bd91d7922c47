"""A run as a person at a terminal sees it, or a cron job's mail."""

import logging
import sys
import time
from typing import Any

from tqdm import tqdm

from batchlock.cli.streams import aside
from batchlock.core.observer import LimiterSnapshot, RunObserver
from batchlock.core.results import SETTLED, Outcome

_log = logging.getLogger(__name__)

_EVERY = 60.0
"""Seconds between two progress lines where there is no bar."""
_SHOWN = 10
"""Rows that did not get through, of which each gets a line of its own."""
_FORMAT = (
    "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} rows, {remaining} left, {rate_fmt}{postfix}"
)


class TerminalProgress(RunObserver):
    """A run on standard error: a bar at a terminal, otherwise a line a minute."""

    def __init__(self, *, bar: bool) -> None:
        self._wants_bar = bar and sys.stderr is not None and sys.stderr.isatty()
        self._bar: tqdm[Any] | None = None
        self._done = self._failed = self._left = 0
        self._told_at = time.monotonic()
        self._began = self._told_at

    def on_message(self, sentence: str) -> None:
        """Show a sentence."""
        _log.info(sentence)

    def on_sending(self, *, rows: int, left: int) -> None:
        """Show that the sending begins."""
        self._left = left
        self._began = self._told_at = time.monotonic()
        if self._wants_bar:
            with aside():
                self._bar = tqdm(
                    total=rows,
                    initial=rows - left,
                    file=sys.stderr,
                    bar_format=_FORMAT,
                    dynamic_ncols=True,
                    mininterval=0.2,
                    unit="rows",
                )
        else:
            _log.info("Sending %s of %s rows.", f"{left:,}", f"{rows:,}")

    def on_row(self, outcome: Outcome) -> None:
        """Count a row."""
        _log.debug("row %s %s, attempt %s", outcome.row, outcome.status.value, outcome.attempts)
        self._left -= 1
        if outcome.status in SETTLED:
            self._done += 1
        else:
            self._failed += 1
            self._tell(outcome)
        if self._bar is not None:
            with aside():
                self._bar.update()

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        """Show how it goes."""
        waits = (
            f", waiting {snapshot.seconds:.0f} s: {snapshot.reason}"
            if snapshot.seconds >= 1
            else ""
        )
        pace = f"{snapshot.in_flight} of {snapshot.window} in flight"
        if self._bar is not None:
            with aside():
                self._bar.set_postfix_str(
                    f"{self._done:,} done, {self._failed:,} not, {pace}{waits}"
                )
        elif time.monotonic() - self._told_at >= _EVERY:
            self._told_at = time.monotonic()
            rate = (self._done + self._failed) / (self._told_at - self._began)
            _log.info(
                "%s done, %s not updated, %s left, %.1f rows a second, %s%s",
                f"{self._done:,}",
                f"{self._failed:,}",
                f"{self._left:,}",
                rate,
                pace,
                waits,
            )

    def close(self) -> None:
        """Take the bar away."""
        if self._failed > _SHOWN:
            _log.warning(
                "and %s more rows; the results have them all", f"{self._failed - _SHOWN:,}"
            )
        if self._bar is not None:
            with aside():
                self._bar.close()
            self._bar = None

    def _tell(self, outcome: Outcome) -> None:
        if self._failed <= _SHOWN:
            told = " ".join(
                f"{one.rstrip('.')}." for one in (outcome.message, outcome.remedy) if one
            )
            _log.warning("row %s %s: %s", outcome.row, outcome.status.value, told)
