"""A behaviour as JSON, for the control calls."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from batchlock.simulator.behaviour import Behaviour
from batchlock.simulator.inventory_json import ContentError


def content_of(behaviour: Behaviour) -> Mapping[str, Any]:
    """Return every field of a behaviour as JSON has it."""
    from pydantic import TypeAdapter  # loaded by the control calls only

    content: Mapping[str, Any] = TypeAdapter(Behaviour).dump_python(behaviour, mode="json")
    return content


def changed(behaviour: Behaviour, body: bytes) -> Behaviour:
    """Return a behaviour with the fields that a JSON object names.

    Raises ContentError, with a sentence that names the field.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        changes = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ContentError(f"this is no JSON: {error}") from None
    if not isinstance(changes, dict):
        raise ContentError("an object with fields of the behaviour is expected")
    if unknown := changes.keys() - Behaviour.__dataclass_fields__.keys():
        raise ContentError(f"{min(unknown)!r} is no field of the behaviour")
    try:
        return TypeAdapter(Behaviour).validate_python(asdict(behaviour) | changes)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ContentError(f"{place}: {first['msg']}" if place else first["msg"]) from None
