"""Lines from all over a file, at most some thousand of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Lines that are kept while the file is read. Twice as many are not scored: what hundreds of lines
# do not show, thousands rarely do.
_MOST = 2_000


@dataclass(slots=True)
class LineSample:
    """Keeps every line of a short file, and every second, fourth … line of a longer one."""

    _lines: list[tuple[int, bytes]] = field(default_factory=list)
    _stride: int = 1
    _seen: int = 0

    def watch(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yield the lines, and add each to the sample."""
        for number, line in lines:
            self.add(number, line)
            yield number, line

    def add(self, number: int, line: bytes) -> None:
        """Add the next line and its number in the file."""
        if self._seen % self._stride == 0:
            self._lines.append((number, line))
            if len(self._lines) == _MOST:
                del self._lines[1::2]
                self._stride *= 2
        self._seen += 1

    def spread(self, most: int) -> Iterator[tuple[int, bytes]]:
        """Yield at most so many of the lines, evenly spread over the file."""
        count = len(self._lines)
        for i in range(min(count, most)):
            yield self._lines[i * count // min(count, most)]
