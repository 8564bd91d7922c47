"""Change settings in the text of a configuration file, and leave the rest of it as it is.

text, values by path ─▶ ruamel.yaml, which keeps comments and order ─▶ text with these values

Values are texts here as everywhere in `config`, so `22:00` and an id of 18 digits stay as written.
"""

import copy
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag
from ruamel.yaml.tokens import CommentToken

from batchlock.config.yaml_text import InvalidYaml, parse

_TEXT = Tag(suffix="tag:yaml.org,2002:str")
# Longer than any line, so that none is folded.
_WIDTH = 10**6
# The spaces before the first key of a group, and before the first item of a list below its key.
_GROUP = re.compile(
    r"^[^\s#][^\n]*:[^\S\n]*(?:#[^\n]*)?\n(?:\s*(?:#[^\n]*)?\n)*( +)[^\s#-]", re.MULTILINE
)
_LIST = re.compile(
    r"^( *)[^\s#-][^\n]*:[^\S\n]*(?:#[^\n]*)?\n(?:\s*(?:#[^\n]*)?\n)*( *)-[^\S\n]", re.MULTILINE
)
# In place of a value that is removed: without its key, the comments around it would be lost.
_REMOVED = "null"


class NotEditable(Exception):
    """The file has a form that cannot be changed without a risk for the rest of it."""


class _Resolver(VersionedResolver):
    """Takes every value for a text, so that it is written as it was read."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        return _TEXT if kind is ScalarNode else super().resolve(kind, value, implicit)


def edited(text: str, values: Mapping[tuple[str, ...], str | None]) -> str:
    """Return a YAML text with these settings; None removes the value of a key that is there.

    A path is a key, or a group and a key in it. Raises NotEditable.
    """
    is_marked = text.startswith("\ufeff")  # by Notepad
    newline = "\r\n" if "\r\n" in text else "\n"
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if plain and not plain.endswith("\n"):
        plain += "\n"
    try:
        before, duplicates = parse(plain)
        yaml = _yaml(plain)
        content = yaml.load(plain)
        if content is None or content == "":
            content, prefix = CommentedMap(), plain
        else:
            prefix = ""
        if duplicates or not isinstance(content, CommentedMap):
            raise NotEditable
        for path, value in values.items():
            _set(content, path, value)
        output = io.StringIO()
        yaml.dump(content, output)
        result = prefix + output.getvalue() if content else plain
        after, _ = parse(result)
    except (YAMLError, InvalidYaml, AttributeError, TypeError) as error:
        raise NotEditable from error
    # ruamel.yaml writes the whole text anew, so that it is compared: nothing else may have changed.
    if after != _expected(before, values):
        raise NotEditable
    return ("\ufeff" if is_marked else "") + result.replace("\n", newline)


def _yaml(text: str) -> YAML:
    yaml = YAML()
    yaml.Resolver = _Resolver
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    if group := _GROUP.search(text):
        yaml.map_indent = len(group[1])
    if sequence := _LIST.search(text):
        offset = max(0, len(sequence[2]) - len(sequence[1]))
        yaml.sequence_dash_offset = offset
        yaml.sequence_indent = offset + 2
    return yaml


def _set(content: CommentedMap, path: tuple[str, ...], value: str | None) -> None:
    *above, key = path
    group = content
    for name in above:
        if not isinstance(group.get(name), CommentedMap):
            if value is None:
                return
            _append(group, name, CommentedMap())
        group = group[name]
    if key in group:
        group[key] = _REMOVED if value is None else value
    elif value is not None:
        _append(group, key, value)


def _append(group: CommentedMap, key: str, value: object) -> None:
    """Add a key at the end of a group, before the comments that follow the group.

    ruamel.yaml attaches these to the last key of the group, behind the comment of its own line.
    """
    last = next(reversed(group), None)
    group[key] = value
    comments = None if last is None else group.ca.items.get(last)
    token = comments[2] if comments and len(comments) > 2 else None
    if isinstance(value, CommentedMap) or not isinstance(token, CommentToken):
        return
    own, newline, following = token.value.partition("\n")
    if following:
        moved = copy.copy(token)
        token.value = own + newline
        moved.value = newline + following
        group.ca.items[key] = [None, None, moved, None]
        if not own:
            del group.ca.items[last]


def _expected(before: object, values: Mapping[tuple[str, ...], str | None]) -> object:
    # By way of JSON, which resolves aliases: two groups that are one object both change.
    content: dict[str, Any] = json.loads(json.dumps(before)) if isinstance(before, dict) else {}
    for (*above, key), value in values.items():
        group = content
        for name in above:
            if not isinstance(group.get(name), dict):
                if value is None:
                    break
                group[name] = {}
            group = group[name]
        else:
            if value is not None or key in group:
                group[key] = _REMOVED if value is None else value
    return content or before
