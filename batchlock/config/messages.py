"""The words for what pydantic and the YAML parser find wrong: what is expected, and what to do."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_TEXT = "it must be a single text"
_WHOLE = "it must be a whole number"
_NUMBER = "it must be a number"
_YES_NO = "it must be true or false"
_LIST = "it must be a list, such as [one, two]"
_TIME_OF_DAY = "it must be a time of day with a colon, such as 22:00 or 06:00"
_GROUP = "it must be a group of settings, such as {record_id: ID-Nr}"

# By pydantic's type of an error: https://docs.pydantic.dev/latest/errors/validation_errors/
_EXPECTED: Mapping[str, str] = {
    "string_type": _TEXT,
    "path_type": "it must be the path of a file or folder",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _YES_NO,
    "bool_parsing": _YES_NO,
    "time_type": _TIME_OF_DAY,
    "time_parsing": _TIME_OF_DAY,
    "tuple_type": _LIST,
    "dict_type": _GROUP,
    "mapping_type": _GROUP,
}
_WITH_BOUND: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda context: f"it must be more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"it must be {context['ge']:,} or more",
    "literal_error": lambda context: f"it must be {context['expected'].replace(chr(39), '')}",
    "enum": lambda context: f"it must be {context['expected'].replace(chr(39), '')}",
}
_PREFIX = "it must be "

# Parts of ruamel.yaml's problems. The texts do not quote the line, which may hold a secret.
_YAML_PROBLEMS: tuple[tuple[str, str], ...] = (
    (
        r"escape",
        (
            "a backslash between double quotation marks has a meaning of its own. Put the value "
            "between single quotation marks, or write / in place of each backslash"
        ),
    ),
    (r"'\\t'", "a tab is used to indent. Indent with spaces"),
    (
        r"cannot start any token|undefined alias",
        "a value begins with a special character such as @, % or *. Put it between quotation marks",
    ),
    (
        r"mapping values are not allowed|expected <block end>",
        (
            "the line is not indented like the others of its group, or a value with a colon needs "
            "quotation marks. Indent the settings of a group alike, by two spaces"
        ),
    ),
    (
        r"end of stream|quoted scalar",
        "a quotation mark is not closed; it may open in a line above. Close it",
    ),
    (
        r"node content|expected ',' or|stream end",
        "a bracket is not closed; it may open in a line above. Close it",
    ),
    (r"could not find expected ':'", "the line has no colon. Settings are lines like `org: acme`"),
    (r"another document", "it has several parts, with --- between them. Keep one"),
    (r"a key must be text", "the name of a setting must be a text. Write it like `org: acme`"),
)
_UNKNOWN_YAML_PROBLEM = (
    "it cannot be understood. Settings are lines like `org: acme`, and those of a group are "
    "indented by two spaces"
)


def expected(details: Iterable[Mapping[str, Any]]) -> str:
    """Return what a setting must be, from pydantic's errors about it: one for each of its types."""
    texts = dict.fromkeys(_expected(detail) for detail in details)
    first, *others = texts
    return ", or ".join([first, *(text.removeprefix(_PREFIX) for text in others)])


def _expected(detail: Mapping[str, Any]) -> str:
    kind = detail["type"]
    if kind in _WITH_BOUND:
        return _WITH_BOUND[kind](detail["ctx"])
    return _EXPECTED.get(kind) or re.sub(r"^Value error, ", "", detail["msg"])


def quoted_value(value: object) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, Mapping):
        return "a group of settings"
    return "a list" if isinstance(value, list | tuple) else f'"{value}"'


def yaml_problem(problem: str) -> str:
    """Return what is wrong with a text, and what to do, from the parser's words for it."""
    matches = (words for pattern, words in _YAML_PROBLEMS if re.search(pattern, problem))
    return next(matches, _UNKNOWN_YAML_PROBLEM)
