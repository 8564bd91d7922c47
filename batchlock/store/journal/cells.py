"""Cells as the journal keeps them: JSON, in which a type that JSON lacks is an object."""

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import orjson

from batchlock.core.rows import Cell, NoValue

_AS_TAGGED = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def pack(cells: Sequence[Cell]) -> bytes:
    """Return the cells of a row as JSON."""
    try:
        return orjson.dumps(cells, default=_tagged, option=_AS_TAGGED)
    except TypeError:  # a lone surrogate or a number beyond 64 bits
        exact = [{"int": str(cell)} if type(cell) is int else cell for cell in cells]
        return json.dumps(exact, default=_tagged).encode()


def _tagged(cell: object) -> dict[str, str | float]:
    match cell:
        case NoValue():
            return {"unread": cell.text}
        case datetime() | date() | time():
            return {type(cell).__name__: cell.isoformat()}
        case timedelta():
            return {"timedelta": cell.total_seconds()}
    raise TypeError(f"a cell of an unknown type: {type(cell).__name__}")


def _untagged(kind: str, value: Any) -> Cell:
    match kind:
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
    """Return the cells that `pack` was given."""
    try:
        cells = orjson.loads(packed)
    except orjson.JSONDecodeError:  # a lone surrogate
        cells = json.loads(packed)
    if dict in map(type, cells):  # seldom
        cells = [_untagged(*cell.popitem()) if type(cell) is dict else cell for cell in cells]
    return tuple(cells)
