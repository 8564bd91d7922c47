"""Convert the cells of a row to the JSON that the journal stores, and back.

A cell of a type that JSON lacks is an object of one key, which names the type.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import orjson

from batchlock.core.rows import Cell, NoValue

# orjson would write these types as text and objects of its own. With the options it calls
# `_tagged` for them, so that `unpack` can tell them from text.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def pack(cells: Sequence[Cell]) -> bytes:
    """Return the cells of a row as JSON. Raises TypeError for a cell of an unknown type."""
    try:
        return orjson.dumps(cells, default=_tagged, option=_OPTIONS)
    except TypeError:  # orjson takes no lone surrogates and no numbers beyond 64 bits
        # The number becomes text, because orjson would read it back as a float.
        exact = [{"int": str(cell)} if type(cell) is int else cell for cell in cells]
        return json.dumps(exact, default=_tagged).encode()


def _tagged(cell: object) -> dict[str, str | float]:
    match cell:
        case NoValue():
            return {"unread": cell.text}  # the key of 0.1.0, whose journals are still read
        case datetime() | date() | time():
            return {type(cell).__name__: cell.isoformat()}
        case timedelta():
            return {"timedelta": cell.total_seconds()}
    raise TypeError(f"a cell of an unknown type: {type(cell).__name__}")


def _untagged(tag: str, value: Any) -> Cell:
    match tag:
        case "unread":
            return NoValue(value)
        case "int":
            return int(value)
        case "datetime":
            return datetime.fromisoformat(value)
        case "date":
            return date.fromisoformat(value)
        case "time":
            return time.fromisoformat(value)
    return timedelta(seconds=value)


def unpack(packed: bytes) -> tuple[Cell, ...]:
    """Return the cells that were passed to `pack`."""
    try:
        cells = orjson.loads(packed)
    except orjson.JSONDecodeError:  # orjson takes no lone surrogates
        cells = json.loads(packed)
    if dict in map(type, cells):  # rare, so most rows skip the loop
        cells = [_untagged(*cell.popitem()) if type(cell) is dict else cell for cell in cells]
    return tuple(cells)
