"""YAML as plain texts, lists and mappings; each setting's type interprets its own text.

Without this, YAML would interpret values by their looks, and an id of 18 digits would become a
number, `no` false in YAML 1.1, and `22:00` 1320.
"""

from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class DuplicateKey:
    """A key that stands twice in one mapping, so that the first value would be lost."""

    key: str
    line: int
    first_line: int


class InvalidYaml(Exception):
    """The text is not YAML; `line` is None when the whole text cannot be scanned."""

    def __init__(self, problem: str, line: int | None) -> None:
        super().__init__(problem)
        self.line = line


class _Loader(yaml.BaseLoader):
    # PyYAML takes the last of several equal keys without a word; all of them are to be reported,
    # each with both of its lines.
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.duplicates: list[DuplicateKey] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  as in the base
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    self.duplicates.append(DuplicateKey(key.value, line, lines[key.value]))
                lines.setdefault(key.value, line)
        return super().construct_mapping(node, deep)


def parse(text: str) -> tuple[object, list[DuplicateKey]]:
    """Return the value of a YAML text, and its duplicate keys.

    Raises InvalidYaml.
    """
    try:
        loader = _Loader(text)
        return loader.get_single_data(), loader.duplicates
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be understood"
        # Without the cause, whose text quotes the line, which may hold a secret.
        raise InvalidYaml(problem, mark.line + 1 if mark else None) from None
