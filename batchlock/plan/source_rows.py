"""What a results file that is read again says about the run whose results it has."""

from typing import TYPE_CHECKING

from batchlock.core.reading import ResultSample

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

# Rows by which the run is recognised. The time to the second, the row and the hash of its values
# are the same in one run only, so a few are enough; each is looked up in several runs.
_SAMPLES = 10
# Some 200 KB in the journal; a file that somebody has sorted may have as many as rows.
_MOST_SPANS = 10_000


class SourceRows:
    """Collects the cells under Source row, Row check and Finished at of one table."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int, int]] = []
        self.samples: list[ResultSample] = []
        """Some rows with an outcome."""

    def add(self, chunk: "pd.DataFrame") -> None:
        """Add a chunk; nothing of a file that is no results file."""
        sources: Sequence[str | None] = chunk["previous_row"].tolist()
        if not any(sources):
            return
        checksums, times = chunk["previous_checksum"].tolist(), chunk["previous_time"].tolist()
        for row, source, checksum, time in zip(
            chunk.index.tolist(), sources, checksums, times, strict=True
        ):
            # At most 9 digits, because int() of a very long text is slow.
            if source is None or not (source.isascii() and source.isdigit() and len(source) < 10):
                continue
            number = int(source)
            self._extend(row, number - row)
            if checksum and time and len(self.samples) < _SAMPLES:
                self.samples.append(ResultSample(number, checksum, time))

    @property
    def spans(self) -> tuple[tuple[int, int, int], ...]:
        """First and last row of each span, and the offset from a row to its source row."""
        return tuple(self._spans) if len(self._spans) <= _MOST_SPANS else ()

    def _extend(self, row: int, offset: int) -> None:
        if self._spans and self._spans[-1][1:] == (row - 1, offset):
            self._spans[-1] = self._spans[-1][0], row, offset
        else:
            self._spans.append((row, row, offset))
