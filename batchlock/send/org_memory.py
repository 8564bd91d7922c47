"""What one run leaves for the next run of its org: its pace, and what it takes in composite calls.

A run works as well without it. On one machine these are files in the state folder, so that a run
writes no more to the store than it must. Machines that share a store find them there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from batchlock.send.json_file import read_json, write_json


class JsonPlace(Protocol):
    """A place for one small JSON object."""

    def read(self) -> dict[str, Any]:
        """Return the object; an empty one when it is missing or damaged."""

    def write(self, content: dict[str, Any]) -> None:
        """Replace the object. A failure is ignored."""


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A file for one small JSON object."""

    path: Path

    def read(self) -> dict[str, Any]:
        """Return the object in the file; an empty one when it is missing or damaged."""
        return read_json(self.path)

    def write(self, content: dict[str, Any]) -> None:
        """Replace the file, or remove it when there is no content. A failure is ignored."""
        write_json(self.path, content)


@dataclass(frozen=True, slots=True)
class OrgMemory:
    """The places for what runs of one org have found out."""

    pace: JsonPlace
    composite: JsonPlace
    save_credits: Callable[[int, datetime], None]
    """Stores the credits that are left of the org's day, and when that was. Never raises."""
