"""YAML as plain texts, lists and mappings; each setting's type interprets its own text.

YAML interprets values by their looks: an id of 18 digits becomes a number, and in YAML 1.1 `no`
becomes false and `22:00` becomes 1320. Therefore no value is interpreted here.
"""

from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import BaseConstructor, ConstructorError
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode


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


class _Constructor(BaseConstructor):
    # ruamel's own check of duplicate keys raises at the first one, but all problems are to be
    # reported together, each with both of its lines.
    duplicates: list[DuplicateKey]

    def check_mapping_key(
        self,
        node: MappingNode,
        key_node: Any,
        mapping: Any,
        key: Any,
        value: Any,  # noqa: ARG002  as in the base
    ) -> bool:
        if not isinstance(key_node, ScalarNode):
            raise ConstructorError(problem="a key must be text", problem_mark=key_node.start_mark)
        lines = [other.start_mark.line + 1 for other, _ in node.value if other.value == key]
        line = key_node.start_mark.line + 1
        if key in mapping:
            self.duplicates.append(DuplicateKey(key, line, lines[0]))
        return True


def parse(text: str) -> tuple[object, list[DuplicateKey]]:
    """Return the value of a YAML text, and its duplicate keys.

    Raises InvalidYaml.
    """
    # "base" builds texts only and follows no tag, so that no text can create an object.
    yaml = YAML(typ="base", pure=True)
    yaml.Constructor = _Constructor
    duplicates: list[DuplicateKey] = []
    yaml.constructor.duplicates = duplicates
    try:
        return yaml.load(text), duplicates
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be understood"
        # Without the cause, whose text quotes the line, which may hold a secret.
        raise InvalidYaml(problem, mark.line + 1 if mark else None) from None
