"""Settings from a YAML file, the environment and the command line; the later ones win.

Sits above the parts that obey the settings, because a setting's type lives beside the code that
obeys it; only what no single part obeys is here. YAML is read as plain text throughout, and each
setting's own type makes sense of it, so none of YAML's guesses (22:00 is 1320, `no` is false, an
id is a number) is ever made. All problems are reported together.
"""

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import platformdirs
import yaml
from pydantic import TypeAdapter, ValidationError

from batchlock.config.settings import Settings, seconds
from batchlock.core.errors import UsageError
from batchlock.zoho.settings import SECRETS

__all__ = ["Settings", "load", "seconds"]

_NAME = "config.yaml"
_PREFIX = "BATCHLOCK_"
_NOTHING = ("", "null", "~")

_SECTIONS = {
    name: kind for name, kind in get_type_hints(Settings).items() if dataclasses.is_dataclass(kind)
}
_LENGTHS_OF_TIME = {
    ("retry", "first_wait"),
    ("retry", "longest_wait"),
    ("retry", "give_up_after"),
    ("retry", "timeout"),
    ("stop", "max_runtime"),
    ("input", "max_seconds"),
    ("web", "session"),
    ("web", "keep"),
}

_SEVERAL = {
    ("input", "columns"),
    ("input", "custom_modules"),
    ("web", "hosts"),
    ("web", "trusted_proxy"),
}
"""Settings that may be lists or mappings."""

_Key = tuple[str, ...]


def load(
    *,
    file: Path | None = None,
    environment: Mapping[str, str],
    options: Mapping[_Key, Any] | None = None,
) -> Settings:
    """Return the settings.

    `file` is the one named on the command line; `options` are settings given there, by their
    path. Raises UsageError that lists every problem.
    """
    told: dict[_Key, Any] = {}
    sources: dict[_Key, str] = {}
    problems: list[str] = []
    for key, name, value in _read(file, environment, problems):
        told[key], sources[key] = value, name
    for key, value in (options or {}).items():
        told[key], sources[key] = value, f"--{key[-1].replace('_', '-')}"
    for key in list(told):
        if (unknown := _unknown(key)) is not None:
            problems.append(f"{sources[key]}: {unknown}")
            del told[key]
    settings = _checked(told, sources, problems)
    if problems or settings is None:
        raise UsageError("\n".join(problems))
    return settings


def _read(
    file: Path | None, environment: Mapping[str, str], problems: list[str]
) -> Iterator[tuple[_Key, str, Any]]:
    """Yield what the file and then the environment say: path, where it was said, value."""
    path = _find(file, environment)
    if path is not None:
        for key, value in _flat(_yaml(path.name, _text(path), problems)):
            yield key, f"{path.name}: {'.'.join(key)}", value
    for name, value in sorted(environment.items()):
        if name.startswith(_PREFIX) and name != f"{_PREFIX}CONFIG":
            key = tuple(name.removeprefix(_PREFIX).lower().split("__"))
            if key in _SEVERAL and value.startswith(("[", "{")):
                try:
                    value = _loaded(name, value, problems)
                except yaml.YAMLError:
                    problems.append(f"{name}: this is not valid YAML")
                    continue
            yield key, name, value


def _find(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    if file is None and environment.get(f"{_PREFIX}CONFIG"):
        file = Path(environment[f"{_PREFIX}CONFIG"])
    if file is not None:
        return file
    for folder in (Path(), platformdirs.user_config_path("batchlock", appauthor=False)):
        if (folder / _NAME).is_file():
            return folder / _NAME
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The configuration {path} is not UTF-8 text; save it as such.") from None


class _Loader(yaml.BaseLoader):
    """Makes texts, lists and mappings only, and remembers the keys that are there twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.twice: list[tuple[str, int, int]] = []
        """Each with the line of the second and that of the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  as in the base
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    self.twice.append((key.value, line, lines[key.value]))
                lines.setdefault(key.value, line)
        return super().construct_mapping(node, deep)


def _loaded(name: str, text: str, problems: list[str]) -> Any:
    """Return what YAML says, as texts; a key that is there twice would hide the first."""
    loader = _Loader(text)
    told = loader.get_single_data()
    problems += (
        f"{name}, line {line}: {key} is here a second time, and only one of them can count; "
        f"the first is in line {first}"
        for key, line, first in loader.twice
    )
    return told


def _yaml(name: str, text: str, problems: list[str]) -> Mapping[str, Any]:
    try:
        told = _loaded(name, text, problems)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "it cannot be understood"
        raise UsageError(f"{name}{where}: this is not valid YAML: {what}.") from None
    if told in (None, ""):
        return {}
    if not isinstance(told, Mapping):
        raise UsageError(f"{name}: settings are lines like `org: acme`.")
    return told


def _flat(told: Mapping[str, Any]) -> Iterator[tuple[_Key, Any]]:
    for name, value in told.items():
        if name in _SECTIONS and isinstance(value, Mapping):
            for inner, one in value.items():
                yield (name, inner), one
        elif name not in _SECTIONS or value not in _NOTHING:
            yield (name,), value


def _unknown(key: _Key) -> str | None:
    """Return what to say of a key that is no setting."""
    known: set[_Key] = {(name,) for name in get_type_hints(Settings) if name not in _SECTIONS}
    known |= {(name, one) for name, kind in _SECTIONS.items() for one in get_type_hints(kind)}
    if key in known:
        return None
    if key[0] in _SECTIONS and len(key) == 1:
        return f"{key[0]} is a group of settings; give them one by one below it"
    names = {".".join(one): one for one in known}
    near = difflib.get_close_matches(".".join(key), names, n=1, cutoff=0.0)[0]
    return f"there is no such setting; the nearest is {near}"


def _checked(
    told: Mapping[_Key, Any], sources: Mapping[_Key, str], problems: list[str]
) -> Settings | None:
    nested: dict[str, Any] = {}
    for key, value in told.items():
        if isinstance(value, str) and value.strip() in _NOTHING:
            continue
        made = value
        if isinstance(value, str) and key in _LENGTHS_OF_TIME:
            try:
                made = seconds(value)
            except ValueError as error:
                problems.append(f'{sources[key]}: "{value}" does not fit: {error}')
                continue
        elif isinstance(value, str) and key == ("stop", "until"):
            made = value.strip().rjust(5, "0")
        (nested.setdefault(key[0], {}) if len(key) == 2 else nested)[key[-1]] = made
    try:
        return TypeAdapter(Settings).validate_python(nested)
    except ValidationError as error:
        found: dict[_Key, list[str]] = {}
        for one in error.errors(include_url=False):
            key = tuple(str(part) for part in one["loc"])
            key = key[: 2 if key[0] in _SECTIONS else 1]
            words = re.sub(r"^(Value error, |Input should be )", "", one["msg"])
            found.setdefault(key, []).append(words)
        for key, said in found.items():
            hidden = key[-1] in (*SECRETS, "proxy") or "@" in str(
                told.get(key)
            )  # an address with a password
            shown = "" if hidden else f'"{told.get(key, "")}" does not fit: '
            problems.append(f"{sources.get(key, '.'.join(key))}: {shown}{', or '.join(said)}")
        return None
