"""Settings from a YAML file, the environment and the command line; the later ones win.

A setting's type lives beside the code that obeys it, in a module named `settings`; `config`
imports those modules and builds all settings. It reports all problems together.
"""

import dataclasses
import difflib
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import platformdirs
from pydantic import TypeAdapter, ValidationError

from batchlock.config.messages import expected, quoted_value, yaml_problem
from batchlock.config.settings import Settings, seconds
from batchlock.config.yaml_text import InvalidYaml, parse
from batchlock.core.errors import UsageError
from batchlock.zoho.settings import SECRETS

__all__ = ["Settings", "load", "replaced", "seconds"]

_FILE_NAME = "config.yaml"
_PREFIX = "BATCHLOCK_"

# Texts that leave a setting at its default. Values are plain text, so YAML's own null is one too.
_NULL_TEXTS = ("", "null", "~")

_Path = tuple[str, ...]


def _sections(kind: Any, above: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """Yield the path and the type of every group of settings, of groups in groups too."""
    for name, inner in get_type_hints(kind).items():
        if dataclasses.is_dataclass(inner):
            yield (*above, name), inner
            yield from _sections(inner, (*above, name))


_SECTIONS = dict(_sections(Settings))

# Values that no message shows. The address of a proxy or a database may hold a password.
_SECRET_KEYS = (*SECRETS, "proxy", "database", "key")

# Settings in seconds that may be written as `2h`. They are listed here, because their types live
# in layers that cannot import `seconds`.
_DURATIONS = {
    ("retry", "first_wait"),
    ("retry", "longest_wait"),
    ("retry", "give_up_after"),
    ("retry", "timeout"),
    ("stop", "max_runtime"),
    ("input", "max_seconds"),
    ("web", "session"),
    ("web", "session_limit"),
    ("web", "header_timeout"),
    ("web", "transfer_timeout"),
    ("web", "idle_timeout"),
    ("web", "keep"),
    ("web", "keep_log"),
    ("web", "oidc", "timeout"),
    ("worker", "lease"),
}

# Settings that may be lists or mappings: an environment variable may hold them as YAML.
_COLLECTIONS = {
    ("input", "columns"),
    ("input", "custom_modules"),
    ("web", "hosts"),
    ("web", "trusted_proxy"),
    ("web", "oidc", "scopes"),
    ("web", "oidc", "groups"),
}


class _Entry(NamedTuple):
    """One setting as somebody wrote it."""

    value: Any
    source: str  # for messages: the file and key, the variable, or the option


def load(
    *,
    file: Path | None = None,
    environment: Mapping[str, str],
    options: Mapping[_Path, Any] | None = None,
    from_python: bool = False,
) -> Settings:
    """Return the settings.

    `file` is the one named on the command line; `options` are settings given there, by their
    path, such as `("limits", "in_flight")`; `from_python`, messages name the path of a setting in
    place of an option. Raises UsageError that lists every problem.
    """
    problems: list[str] = []
    entries = dict(_entries(file, environment, problems))
    for path, value in (options or {}).items():
        option = f"--{path[-1].replace('_', '-')}"
        entries[path] = _Entry(value, f"settings: {'.'.join(path)}" if from_python else option)
    for path, entry in list(entries.items()):
        if (problem := _unknown_key(path)) is not None:
            problems.append(f"{entry.source}: {problem}")
            del entries[path]
    settings = _validate(entries, problems)
    if problems or settings is None:
        raise UsageError("\n".join(problems))
    return settings


def replaced(
    settings: Settings, values: Mapping[_Path, Any], *, source: Callable[[_Path], str]
) -> Settings:
    """Return settings with other values, which are written as in a configuration.

    `source` returns for messages where a value comes from. Raises UsageError that lists every
    problem.
    """
    problems: list[str] = []
    entries = {path: _Entry(value, source(path)) for path, value in values.items()}
    for path, entry in list(entries.items()):
        if (problem := _unknown_key(path)) is not None:
            problems.append(f"{entry.source}: {problem}")
            del entries[path]
    changed = _validate(entries, problems, settings)
    if problems or changed is None:
        raise UsageError("\n".join(problems))
    return changed


def _entries(
    file: Path | None, environment: Mapping[str, str], problems: list[str]
) -> Iterator[tuple[_Path, _Entry]]:
    """Yield the settings of the file, then those of the environment."""
    config = _find_file(file, environment)
    if config is not None:
        for path, value in _flatten(_parse_file(config, problems)):
            yield path, _Entry(value, f"{config.name}: {'.'.join(path)}")
    for name, text in sorted(environment.items()):
        if name.startswith(_PREFIX) and name != f"{_PREFIX}CONFIG":
            path = tuple(name.removeprefix(_PREFIX).lower().split("__"))
            setting: object = text
            if path in _COLLECTIONS and text.startswith(("[", "{")):
                try:
                    setting = _parse(name, text, problems)
                except InvalidYaml:
                    problems.append(
                        f"{name}: a bracket or a quotation mark is not closed; write it like "
                        "[one, two] or {record_id: ID-Nr}"
                    )
                    continue
            yield path, _Entry(setting, name)


def _find_file(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    if file is None and environment.get(f"{_PREFIX}CONFIG"):
        file = Path(environment[f"{_PREFIX}CONFIG"])
    if file is not None:
        return file
    for folder in (Path(), platformdirs.user_config_path("batchlock", appauthor=False)):
        if (folder / _FILE_NAME).is_file():
            return folder / _FILE_NAME
    return None


def _parse_file(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        text = path.read_text("utf-8-sig")  # Notepad writes a BOM
    except OSError as error:
        raise UsageError(
            f"The configuration {path} cannot be read: {error.strerror}. Name the right file with "
            "--config, or make this one readable."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"The configuration {path} is not UTF-8 text. Open it in a text editor and save it "
            "with the encoding UTF-8."
        ) from None
    try:
        content = _parse(path.name, text, problems)
    except InvalidYaml as error:
        line = f", line {error.line}" if error.line is not None else ""
        raise UsageError(f"{path.name}{line}: {yaml_problem(str(error))}.") from None
    if content in (None, ""):
        return {}
    if not isinstance(content, Mapping):
        raise UsageError(
            f"{path.name} holds no settings. Write each as a line like `org: acme`; "
            "config.example.yaml has them all."
        )
    return content


def _parse(source: str, text: str, problems: list[str]) -> object:
    content, duplicates = parse(text)
    problems += (
        f"{source}, line {duplicate.line}: {duplicate.key} is here a second time, and only one of "
        f"them can count; the first is in line {duplicate.first_line}"
        for duplicate in duplicates
    )
    return content


def _flatten(content: Mapping[str, Any], above: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    for name, value in content.items():
        path = (*above, name)
        if path in _SECTIONS and isinstance(value, Mapping):
            yield from _flatten(value, path)
        elif path not in _SECTIONS or value not in _NULL_TEXTS:  # `zoho:` alone sets nothing
            yield path, value


@functools.cache
def _paths() -> frozenset[_Path]:
    """Return the paths of all settings."""
    groups = {(): Settings, **_SECTIONS}
    all_paths = {(*path, name) for path, kind in groups.items() for name in get_type_hints(kind)}
    return frozenset(all_paths - _SECTIONS.keys())


def _unknown_key(path: _Path) -> str | None:
    """Return the problem with a key that is no setting, None for a setting."""
    paths = _paths()
    if path in paths:
        return None
    if path in _SECTIONS:
        return f"{'.'.join(path)} is a group of settings; give them one by one below it"
    # The section counts in the comparison: the nearest of `client_id` is `zoho.client_id`.
    names = [".".join(setting) for setting in paths]
    nearest = difflib.get_close_matches(".".join(path), names, n=1, cutoff=0.0)[0]
    return f"there is no such setting; the nearest is {nearest}"


def _validate(
    entries: Mapping[_Path, _Entry], problems: list[str], base: Settings | None = None
) -> Settings | None:
    """Return the settings; None when a value is invalid, after adding the problems.

    A setting that is not in `entries` has its value in `base`, without that its default.
    """
    nested: dict[str, Any] = {}
    for path, entry in entries.items():
        value = entry.value
        if isinstance(value, str):
            if value.strip() in _NULL_TEXTS:
                continue
            try:
                value = _convert(path, value)
            except ValueError as error:
                problems.append(f'{entry.source}: "{value}" does not fit: {error}')
                continue
        section = nested
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = value
    if base is not None:
        nested = _overlaid(base, nested)
    try:
        return _adapter().validate_python(nested)
    except ValidationError as error:
        problems += _problems_of(error, entries)
        return None


@functools.cache
def _adapter() -> TypeAdapter[Settings]:
    """Return the validator of all settings; to make it takes 30 ms, more than all else here."""
    return TypeAdapter(Settings)


def _overlaid(settings: Any, values: Mapping[str, Any], path: _Path = ()) -> dict[str, Any]:
    """Return the values of a group of settings with others in their place."""
    all_values = {one.name: getattr(settings, one.name) for one in dataclasses.fields(settings)}
    for name, value in values.items():
        inner = (*path, name)
        is_section = inner in _SECTIONS
        all_values[name] = _overlaid(all_values[name], value, inner) if is_section else value
    return all_values


def _convert(path: _Path, text: str) -> object:
    if path in _DURATIONS:
        return seconds(text)
    if path == ("stop", "until"):
        return text.strip().rjust(5, "0")  # pydantic takes 06:00, but not 6:00
    return text


def _problems_of(error: ValidationError, entries: Mapping[_Path, _Entry]) -> Iterator[str]:
    """Yield one problem per setting; a setting of several types has a message for each."""
    details: dict[_Path, list[Any]] = {}
    for detail in error.errors(include_url=False):
        path: _Path = ()
        for part in detail["loc"]:  # what stands below the path of a setting is a part of its value
            path = (*path, str(part))
            if path not in _SECTIONS:
                break
        details.setdefault(path, []).append(detail)
    for path, alternatives in details.items():
        entry = entries.get(path, _Entry("", ".".join(path)))
        # Any address with an @ may hold a password.
        is_secret = path[-1] in _SECRET_KEYS or "@" in str(entry.value)
        quoted = "" if is_secret else f"{quoted_value(entry.value)} does not fit: "
        yield f"{entry.source}: {quoted}{expected(alternatives)}"
