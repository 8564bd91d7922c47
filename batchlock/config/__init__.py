"""Settings from a YAML file, the environment and the command line; the later ones win.

A setting's type lives beside the code that obeys it, in a module named `settings`; `config`
imports those modules and builds all settings. It reports all problems together.
"""

import dataclasses
import difflib
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from batchlock.config.messages import expected, quoted_value
from batchlock.config.settings import Settings, seconds
from batchlock.config.sources import (
    NULL_TEXTS,
    SECTIONS,
    Entry,
    SettingPath,
    file_entries,
    variable_entries,
)
from batchlock.core.errors import UsageError
from batchlock.zoho.settings import SECRETS

__all__ = ["ReadSettings", "Settings", "load", "read", "replaced", "seconds", "setting_paths"]

# Values that no message shows. The address of a proxy or a database may hold a password.
_SECRET_KEYS = (
    *(*SECRETS, "proxy", "database", "key"),
    *("ping_url", "messages", "webhook", "webhook_secret"),
)

# Settings in seconds that may be written as `2h`. They are listed here, because their types live
# in layers that cannot import `seconds`.
_DURATIONS = {
    ("retry", "first_wait"),
    ("retry", "longest_wait"),
    ("retry", "give_up_after"),
    ("retry", "timeout"),
    ("stop", "max_runtime"),
    ("input", "max_seconds"),
    ("notify", "timeout"),
    ("inbox", "max_age"),
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


@dataclasses.dataclass(frozen=True, slots=True)
class ReadSettings:
    """What a configuration says, also when something in it is wrong."""

    settings: Settings
    """An entry with a problem has its default."""
    problems: tuple[str, ...]
    invalid_paths: frozenset[SettingPath]
    """The paths whose values do not fit; the empty path when the file cannot be read."""


def load(
    *,
    file: Path | None = None,
    environment: Mapping[str, str],
    options: Mapping[SettingPath, Any] | None = None,
    from_python: bool = False,
) -> Settings:
    """Return the settings.

    `file` is the one named on the command line; `options` are settings given there, by their
    path, such as `("limits", "in_flight")`; `from_python`, messages name the path of a setting in
    place of an option. Raises UsageError that lists every problem.
    """
    all_read = read(file=file, environment=environment, options=options, from_python=from_python)
    if all_read.problems:
        raise UsageError("\n".join(all_read.problems))
    return all_read.settings


def read(
    *,
    file: Path | None = None,
    environment: Mapping[str, str],
    options: Mapping[SettingPath, Any] | None = None,
    from_python: bool = False,
) -> ReadSettings:
    """Return the settings as far as they can be read, and every problem; see `load`."""
    problems: list[str] = []
    entries: dict[SettingPath, Entry] = {}
    invalid_paths: set[SettingPath] = set()
    try:
        entries |= file_entries(file, environment, problems)
    except UsageError as error:
        problems.append(str(error))
        invalid_paths.add(())
    entries |= variable_entries(environment, problems)
    for path, value in (options or {}).items():
        option = f"--{path[-1].replace('_', '-')}"
        entries[path] = Entry(value, f"settings: {'.'.join(path)}" if from_python else option)
    for path, entry in list(entries.items()):
        if (problem := _unknown_key(path)) is not None:
            problems.append(f"{entry.source}: {problem}")
            del entries[path]
    settings = _validate(entries, problems, invalid_paths=invalid_paths)
    if settings is None:
        for path in invalid_paths:
            entries.pop(path, None)
        settings = _validate(entries, [])
    return ReadSettings(
        # Without the invalid entries the rest is valid, since each is validated by itself.
        settings=settings or Settings(),
        problems=tuple(problems),
        invalid_paths=frozenset(invalid_paths),
    )


def replaced(
    settings: Settings, values: Mapping[SettingPath, Any], *, source: Callable[[SettingPath], str]
) -> Settings:
    """Return settings with other values, which are written as in a configuration.

    `source` returns for messages where a value comes from. Raises UsageError that lists every
    problem.
    """
    problems: list[str] = []
    entries = {path: Entry(value, source(path)) for path, value in values.items()}
    for path, entry in list(entries.items()):
        if (problem := _unknown_key(path)) is not None:
            problems.append(f"{entry.source}: {problem}")
            del entries[path]
    changed = _validate(entries, problems, settings)
    if problems or changed is None:
        raise UsageError("\n".join(problems))
    return changed


@functools.cache
def setting_paths() -> frozenset[SettingPath]:
    """Return the paths of all settings."""
    groups = {(): Settings, **SECTIONS}
    all_paths = {(*path, name) for path, kind in groups.items() for name in get_type_hints(kind)}
    return frozenset(all_paths - SECTIONS.keys())


def _unknown_key(path: SettingPath) -> str | None:
    """Return the problem with a key that is no setting, None for a setting."""
    paths = setting_paths()
    if path in paths:
        return None
    if path in SECTIONS:
        return f"{'.'.join(path)} is a group of settings; give them one by one below it"
    # The section counts in the comparison: the nearest of `client_id` is `zoho.client_id`.
    names = [".".join(setting) for setting in paths]
    nearest = difflib.get_close_matches(".".join(path), names, n=1, cutoff=0.0)[0]
    return f"there is no such setting; the nearest is {nearest}"


def _validate(
    entries: Mapping[SettingPath, Entry],
    problems: list[str],
    base: Settings | None = None,
    invalid_paths: set[SettingPath] | None = None,
) -> Settings | None:
    """Return the settings; None when a value is invalid, after adding the problems.

    A setting that is not in `entries` has its value in `base`, without that its default. The paths
    of invalid values are added to `invalid_paths`.
    """
    invalid_paths = set() if invalid_paths is None else invalid_paths
    nested: dict[str, Any] = {}
    for path, entry in entries.items():
        value = entry.value
        if isinstance(value, str):
            if value.strip() in NULL_TEXTS:
                continue
            try:
                value = _convert(path, value)
            except ValueError as error:
                problems.append(f'{entry.source}: "{value}" does not fit: {error}')
                invalid_paths.add(path)
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
        for path, problem in _problems_of(error, entries):
            invalid_paths.add(path)
            problems.append(problem)
        return None


@functools.cache
def _adapter() -> TypeAdapter[Settings]:
    """Return the validator of all settings; to make it takes 30 ms, more than all else here."""
    return TypeAdapter(Settings)


def _overlaid(settings: Any, values: Mapping[str, Any], path: SettingPath = ()) -> dict[str, Any]:
    """Return the values of a group of settings with others in their place."""
    all_values = {one.name: getattr(settings, one.name) for one in dataclasses.fields(settings)}
    for name, value in values.items():
        inner = (*path, name)
        is_section = inner in SECTIONS
        all_values[name] = _overlaid(all_values[name], value, inner) if is_section else value
    return all_values


def _convert(path: SettingPath, text: str) -> object:
    if path in _DURATIONS:
        return seconds(text)
    if path == ("stop", "until"):
        return text.strip().rjust(5, "0")  # pydantic takes 06:00, but not 6:00
    return text


def _problems_of(
    error: ValidationError, entries: Mapping[SettingPath, Entry]
) -> Iterator[tuple[SettingPath, str]]:
    """Yield one problem per setting; a setting of several types has a message for each."""
    details: dict[SettingPath, list[Any]] = {}
    for detail in error.errors(include_url=False):
        path: SettingPath = ()
        for part in detail["loc"]:  # what stands below the path of a setting is a part of its value
            path = (*path, str(part))
            if path not in SECTIONS:
                break
        details.setdefault(path, []).append(detail)
    for path, alternatives in details.items():
        entry = entries.get(path, Entry("", ".".join(path)))
        # Any address with an @ may hold a password.
        is_secret = path[-1] in _SECRET_KEYS or "@" in str(entry.value)
        quoted = "" if is_secret else f"{quoted_value(entry.value)} does not fit: "
        yield path, f"{entry.source}: {quoted}{expected(alternatives)}"
