"""A behaviour as JSON, for the control calls."""

import functools
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from batchlock.simulator.behaviour import Behaviour
from batchlock.simulator.inventory_json import ContentError

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def content_of(behaviour: Behaviour) -> Mapping[str, Any]:
    """Return every field of a behaviour as JSON has it."""
    content: Mapping[str, Any] = _adapter().dump_python(behaviour, mode="json")
    return content


def changes_in(body: bytes) -> Mapping[str, Any]:
    """Return the fields of a behaviour that a JSON object names, with their unchecked values.

    Raises ContentError, with a sentence that names a field that does not exist.
    """
    try:
        changes = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ContentError(f"this is no JSON: {error}") from None
    if not isinstance(changes, dict):
        raise ContentError("an object with fields of the behaviour is expected")
    if unknown := changes.keys() - Behaviour.__dataclass_fields__.keys():
        raise ContentError(f"{min(unknown)!r} is no field of the behaviour")
    return changes


def changed(behaviour: Behaviour, changes: Mapping[str, Any]) -> Behaviour:
    """Return a behaviour with other values of some fields.

    Raises ContentError, with a sentence that names the field.
    """
    from pydantic import ValidationError

    try:
        return _adapter().validate_python(asdict(behaviour) | dict(changes))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ContentError(f"{place}: {first['msg']}" if place else first["msg"]) from None


# Once, because a change of all orgs validates as many behaviours.
@functools.cache
def _adapter() -> "TypeAdapter[Behaviour]":
    from pydantic import TypeAdapter  # loaded by the control calls only

    return TypeAdapter(Behaviour)
