"""The stand-in for Zoho in a process of its own, and its record of the calls."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import PYTHON

# With many orgs and calls, the stand-in makes a large summary while it answers calls.
_TIMEOUT_SECONDS = 120.0
CAP = 5
"""Calls of an org in flight at once: those of the smallest edition, so that orgs need few calls."""
# It prints a few lines when it listens; the first of them names its address.
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[0-9]+")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the stand-in has recorded it. Times are POSIX seconds."""

    number: int
    org: int
    time: float
    end: float | None
    kind: str
    record_id: str | None
    answer: object
    """An HTTP status, or what happened instead of an answer."""
    port: int
    """Of the client's end of the connection; it tells the processes apart."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in that runs."""

    url: str

    def orgs(self) -> dict[str, Any]:
        """Return the summary of all orgs."""
        return self._get("orgs")

    def locks(self, number: int) -> dict[str, Any]:
        """Return the changed locks of an org, by module and record."""
        return self._get(f"orgs/{number}/locks")

    def calls(self) -> list[Call]:
        """Return the calls of all orgs in the order of their arrival, without token requests."""
        calls: list[Call] = []
        after: int | None = 0
        while after is not None:
            part = self._get(f"log?after={after}&limit=10000")
            after = part["next"]
            calls += [
                Call(
                    number=call["number"],
                    org=call["org"],
                    time=call["time"],
                    end=call["end"],
                    kind=call["kind"],
                    record_id=call["record_id"],
                    answer=call["answer"],
                    port=call["port"],
                )
                for call in part["calls"]
                if call["kind"] != "token" and not call["in_composite"]
            ]
        return calls

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(  # noqa: S310  ours
            f"{self.url}/simulator/{path}", timeout=_TIMEOUT_SECONDS
        ) as answer:
            content: dict[str, Any] = json.load(answer)
        return content


@contextmanager
def stand_in(*, orgs: int, latency: str) -> Iterator[StandIn]:
    """Start a stand-in, and end it after the block."""
    options = ("--orgs", orgs, "--edition", "free", "--latency", latency, "--seed", 1)
    process = subprocess.Popen(  # noqa: S603  our own module
        [PYTHON, "-m", "batchlock", "simulate", "--port", "0", *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        found = next(filter(None, map(_ADDRESS.search, lines)), None)
        if found is None:
            raise RuntimeError("the stand-in did not start")
        yield StandIn(found[0])
    finally:
        process.terminate()
        process.communicate()
