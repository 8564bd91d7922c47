"""References in composite calls: `@{id:$.path}` stands for a part of an earlier answer."""

import re
from collections.abc import Mapping
from typing import Any

_REFERENCE = re.compile(r"@\{([a-zA-Z0-9][a-zA-Z0-9_]*):(\$[^}]*)\}")
# `.name` or `[3]`
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_PARTS = ("uri", "params", "body")


class InvalidReferenceError(Exception):
    """A reference to nothing: no such answer yet, or no such part of it."""

    def __init__(self, name: str, reference: str) -> None:
        super().__init__(reference)
        self.name = name
        """The part of the sub-request that has the reference."""
        self.reference = reference


def resolved(sub_request: Mapping[str, Any], bodies: Mapping[str, object]) -> dict[str, Any]:
    """Return a sub-request with values in place of its references.

    `bodies` are the bodies of the earlier answers, by sub-request id. Raises InvalidReferenceError.
    """
    result = dict(sub_request)
    for name in _PARTS:
        if name in result:
            result[name] = _replaced(result[name], bodies, name)
    return result


def _replaced(value: Any, bodies: Mapping[str, object], name: str) -> Any:
    match value:
        case dict():
            return {key: _replaced(one, bodies, name) for key, one in value.items()}
        case list():
            return [_replaced(one, bodies, name) for one in value]
        case str():
            if (whole := _REFERENCE.fullmatch(value)) is not None:
                return _part(whole, bodies, name)
            return _REFERENCE.sub(lambda match: str(_part(match, bodies, name)), value)
        case _:
            return value


def _part(match: re.Match[str], bodies: Mapping[str, object], name: str) -> Any:
    error = InvalidReferenceError(name, match[0])
    id_, path = match[1], match[2][1:]
    value = bodies.get(id_)
    place = 0
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None:
            raise error
        place = step.end()
        if step[1] is not None and isinstance(value, dict) and step[1] in value:
            value = value[step[1]]
        elif step[2] is not None and isinstance(value, list) and int(step[2]) < len(value):
            value = value[int(step[2])]
        else:
            raise error
    if value is None or isinstance(value, dict | list):
        raise error
    return value
