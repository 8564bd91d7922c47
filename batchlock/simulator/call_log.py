"""The calls to one org in the order of their arrival, and what the orgs share about time."""

import time
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of calls: four on locks, three that read or do a lot, other API calls, token requests.

    `LIST` is `GET /{module}`.
    """

    PUT = "put"
    GET = "get"
    POST = "post"
    DELETE = "delete"
    LIST = "list"
    COQL = "coql"
    COMPOSITE = "composite"
    OTHER = "other"
    TOKEN = "token"  # noqa: S105 - a kind of call, no secret


_KINDS = list(Kind)
_NUMBER_OF = {kind: number for number, kind in enumerate(Kind)}
# Set in the number of the kind of a sub-request.
_IN_COMPOSITE = 0x80
_ID_BYTES = 20  # the longest id
# No text at this place; the text numbers begin after it.
_NONE = 0
REFUSED = "429"
"""The answer of a call that a limit refused."""


class Timeline:
    """The clock and the order of calls that all orgs of a stand-in share.

    `clock` is monotonic and returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.started_at = time.time()
        """Wall clock, seconds since 1970. Every other time is in seconds after this moment."""
        self._start = clock()
        self._calls = 0

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return self.clock() - self._start

    def next_number(self) -> int:
        """Return the number of the next call to any org, counted from 1."""
        self._calls += 1
        return self._calls


class CallLog:
    """The calls to one org in 59 bytes each, so that runs of a million rows fit.

    A call is known by its position, counted from 0.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        # Arrays, because a list of objects would take some 400 bytes for each call.
        self._numbers = array("Q")
        self._arrivals = array("d")
        self._ends = array("d")
        self._kinds = bytearray()
        self._records = bytearray()
        self._modules = array("I")
        self._tokens = array("I")
        self._answers = array("I")
        self._ports = array("H")
        self._texts: list[str | None] = [None]
        self._number_of_text: dict[str, int] = {"": _NONE}

    def add(
        self,
        kind: Kind,
        record: tuple[str, str] = ("", ""),
        *,
        token: str = "",
        port: int = 0,
        in_composite: bool = False,
    ) -> int:
        """Add a call that arrives now; return its position.

        `record` is the module and the record id, of which the first 20 characters are kept.
        """
        module, record_id = record
        self._numbers.append(self._timeline.next_number())
        self._arrivals.append(self._timeline.elapsed())
        self._ends.append(-1.0)
        self._kinds.append(_NUMBER_OF[kind] | (_IN_COMPOSITE if in_composite else 0))
        self._records += record_id.encode("ascii", "replace")[:_ID_BYTES].ljust(_ID_BYTES)
        self._modules.append(self._text(module))
        self._tokens.append(self._text(token))
        self._answers.append(_NONE)
        self._ports.append(port)
        return len(self._kinds) - 1

    def set_answer(self, position: int, answer: str) -> None:
        """Set what a call was answered: an HTTP status, `dropped`, `cut` or `hung`."""
        self._answers[position] = self._text(answer)

    def set_end(self, position: int) -> None:
        """Set that a call ends now: it is no longer in flight."""
        self._ends[position] = self._timeline.elapsed()

    def __len__(self) -> int:
        return len(self._kinds)

    def arrivals(self, kind: Kind) -> tuple[list[float], list[int]]:
        """Return when each call of a kind arrived, and a 1 for each that was answered 429.

        Sub-requests of composite calls are no calls of their own.
        """
        wanted, refused = _NUMBER_OF[kind], self._number_of_text.get(REFUSED)
        positions = [position for position, each in enumerate(self._kinds) if each == wanted]
        arrivals = [self._arrivals[position] for position in positions]
        return arrivals, [int(self._answers[position] == refused) for position in positions]

    def puts(self) -> Counter[str]:
        """Return the PUTs by `module/record id`, without those that were answered 429.

        Sub-requests count, and so do calls whose change was not made.
        """
        return Counter(
            f"{self._texts[self._modules[position]]}/{self._record_id(position)}"
            for position in self._accepted_puts()
        )

    def puts_again(self) -> int:
        """Return how many of the calls that `puts` counts are not the first on their record."""
        positions, records, modules = self._accepted_puts(), self._records, self._modules
        # Parts of the arrays and no texts: the summary asks this of every org.
        distinct = {
            (modules[position], bytes(records[position * _ID_BYTES : (position + 1) * _ID_BYTES]))
            for position in positions
        }
        return len(positions) - len(distinct)

    def entries(self, after: int = 0) -> Iterator[tuple[int, Mapping[str, object]]]:
        """Yield every call whose number is above `after`: its number, and it as JSON has it."""
        for position in range(self._first_above(after), len(self)):
            kind, end = self._kinds[position], self._ends[position]
            entry = {
                "time": self._timeline.started_at + self._arrivals[position],
                "end": None if end < 0 else self._timeline.started_at + end,
                "kind": _KINDS[kind & ~_IN_COMPOSITE],
                "in_composite": bool(kind & _IN_COMPOSITE),
                "module": self._texts[self._modules[position]],
                "record_id": self._record_id(position) or None,
                "access_token": self._texts[self._tokens[position]],
                "port": self._ports[position],
                "answer": self._texts[self._answers[position]],
            }
            yield self._numbers[position], entry

    def _accepted_puts(self) -> list[int]:
        """Return the positions of the PUTs that were not answered 429."""
        put, refused = _NUMBER_OF[Kind.PUT], self._number_of_text.get(REFUSED)
        puts = (put, put | _IN_COMPOSITE)
        calls = enumerate(zip(self._kinds, self._answers, strict=True))
        return [
            position for position, (kind, answer) in calls if kind in puts and answer != refused
        ]

    def _first_above(self, number: int) -> int:
        """Return the position of the first call whose number is above this one."""
        return bisect_right(self._numbers, number)

    def _record_id(self, position: int) -> str:
        start = position * _ID_BYTES
        return self._records[start : start + _ID_BYTES].rstrip().decode()

    def _text(self, text: str) -> int:
        number = self._number_of_text.get(text)
        if number is None:
            number = self._number_of_text[text] = len(self._texts)
            self._texts.append(text)
        return number
