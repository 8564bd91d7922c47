"""Show the progress of a run on standard error: a bar at a terminal, else a line a minute."""

import logging
import sys
import time
from typing import TYPE_CHECKING, Any

from batchlock.cli.output import preview_text
from batchlock.cli.wrapping import width_of
from batchlock.core.observer import LimiterSnapshot, RunObserver
from batchlock.core.preview import Preview
from batchlock.core.redaction import without_record_data
from batchlock.core.results import SETTLED, Outcome
from batchlock.core.runs import RunFigures
from batchlock.report.preview import NOTE_LABEL, SAMPLE_LABEL, preview_lines

if TYPE_CHECKING:
    from tqdm import tqdm

_log = logging.getLogger(__name__)

# Cron mails every line of standard error: one a minute shows that the run continues and stays
# readable after a night.
_SECONDS_BETWEEN_LINES = 60.0
# The same error on thousands of rows must not fill the terminal; the results have every row.
_LOGGED_FAILURES = 10
_BAR_FORMAT = (
    "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} rows, {remaining} left, {rate_fmt}{postfix}"
)


class TerminalProgress(RunObserver):
    """Report a run on standard error."""

    def __init__(self, *, bar: bool) -> None:
        # tqdm's own `disable=None` is not used: it hides the bar without a line in its place.
        self._wants_bar = bar and sys.stderr is not None and sys.stderr.isatty()
        self._bar: tqdm[Any] | None = None
        self._done = self._failed = self._logged = self._remaining = 0
        self._started_monotonic = self._last_line_monotonic = time.monotonic()

    def on_message(self, sentence: str) -> None:
        """Log a sentence."""
        _log.info(sentence, extra={"event": "run.message"})

    def on_preview(self, preview: Preview) -> None:
        """Log what is going to be sent."""
        width = width_of(sys.stderr)
        for line in preview_lines(preview):
            extra: dict[str, Any] = {"event": "run.preview"}
            if line.label == SAMPLE_LABEL:
                extra["terminal_only"] = True
            elif line.label == NOTE_LABEL:  # it may quote a cell
                extra["safe_text"] = without_record_data(preview_text(line, None))
            _log.info(preview_text(line, width), extra=extra)

    def on_sending(self, *, rows: int, remaining: int, only_looks: bool = False) -> None:
        """Open the bar, or log how many rows are sent; an inbox sends several files."""
        self.close()
        self._done = self._failed = self._logged = 0
        self._remaining = remaining
        self._started_monotonic = self._last_line_monotonic = time.monotonic()
        if self._wants_bar:
            # Here, because a run without a terminal has no bar, and tqdm takes 50 ms to load.
            from tqdm import tqdm

            self._bar = tqdm(
                total=rows,
                initial=rows - remaining,
                file=sys.stderr,
                bar_format=_BAR_FORMAT,
                dynamic_ncols=True,
                mininterval=0.2,
                unit="rows",
            )
        else:
            doing = "Looking at" if only_looks else "Sending"
            _log.info(
                "%s %s of %s rows.",
                doing,
                f"{remaining:,}",
                f"{rows:,}",
                extra={"event": "run.sending"},
            )

    def on_row(self, outcome: Outcome) -> None:
        """Count a row, and log its error if it is among the first ones."""
        extra = {
            "event": "row",
            "row": outcome.row,
            "result": outcome.status.value,
            "code": outcome.code,
            "attempts": outcome.attempts,
        }
        _log.debug(
            "row %s %s, attempt %s",
            outcome.row,
            outcome.status.value,
            outcome.attempts,
            extra=extra,
        )
        self._remaining -= 1
        if outcome.status in SETTLED:
            self._done += 1
        else:
            self._failed += 1
            self._logged += 1
            if self._logged <= _LOGGED_FAILURES:
                head = f"row {outcome.row} {outcome.status.value}: "
                extra["safe_text"] = head + without_record_data(outcome.explanation)
                extra["event"] = "row.not_done"
                _log.warning("%s%s", head, outcome.explanation, extra=extra)
        if self._bar is not None:
            self._bar.update()

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        """Update the figures beside the bar, or log them once a minute."""
        wait = (
            f", waiting {snapshot.seconds:.0f} s: {snapshot.reason}"
            if snapshot.seconds >= 1
            else ""
        )
        pace = f"{snapshot.in_flight} of {snapshot.window} in flight"
        if self._bar is not None:
            self._bar.set_postfix_str(
                f"{self._done:,} done, {self._failed:,} not done, {pace}{wait}"
            )
            return
        now = time.monotonic()
        if now - self._last_line_monotonic >= _SECONDS_BETWEEN_LINES:
            self._last_line_monotonic = now
            rate = (self._done + self._failed) / (now - self._started_monotonic)
            _log.info(
                "%s done, %s not done, %s left, %.1f rows a second, %s%s",
                f"{self._done:,}",
                f"{self._failed:,}",
                f"{self._remaining:,}",
                rate,
                pace,
                wait,
                extra={"event": "run.progress"},
            )

    def on_figures(self, figures: RunFigures) -> None:
        """Show how far a run has come that a worker sends; the results have its errors."""
        rows, self._remaining = figures.rows, figures.remaining
        self._done, self._failed = figures.settled, rows - figures.settled - figures.remaining
        if self._bar is not None:
            self._bar.update(rows - figures.remaining - self._bar.n)

    def close(self) -> None:
        """Remove the bar and log how many errors were left out."""
        if self._logged > _LOGGED_FAILURES:
            _log.warning(
                "and %s more rows; the results have them all",
                f"{self._logged - _LOGGED_FAILURES:,}",
            )
        if self._bar is not None:
            self._bar.close()
            self._bar = None
