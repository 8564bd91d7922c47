"""Where settings are written: the YAML file and the environment, as entries by their path."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from batchlock.config.messages import yaml_problem
from batchlock.config.settings import Settings
from batchlock.config.yaml_text import InvalidYaml, parse
from batchlock.core.errors import UsageError
from batchlock.core.paths import user_folder

FILE_NAME = "config.yaml"
_PREFIX = "BATCHLOCK_"

# Texts that leave a setting at its default. Values are plain text, so YAML's own null is one too.
NULL_TEXTS = ("", "null", "~")

SettingPath = tuple[str, ...]


def _sections(kind: Any, above: SettingPath = ()) -> Iterator[tuple[SettingPath, Any]]:
    """Yield the path and the type of every group of settings, of groups in groups too."""
    for name, inner in get_type_hints(kind).items():
        if dataclasses.is_dataclass(inner):
            yield (*above, name), inner
            yield from _sections(inner, (*above, name))


SECTIONS = dict(_sections(Settings))

# Settings that may be lists or mappings: an environment variable may hold them as YAML.
_COLLECTIONS = {
    ("input", "columns"),
    ("input", "custom_modules"),
    ("notify", "messages"),
    ("web", "hosts"),
    ("web", "trusted_proxy"),
    ("web", "oidc", "scopes"),
    ("web", "oidc", "groups"),
}


class Entry(NamedTuple):
    """One setting as somebody wrote it."""

    value: Any
    source: str  # for messages: the file and key, the variable, or the option


def file_entries(
    file: Path | None, environment: Mapping[str, str], problems: list[str]
) -> dict[SettingPath, Entry]:
    """Return the settings of the file. Raises UsageError when it cannot be read."""
    config = find_file(file, environment)
    if config is None:
        return {}
    return {
        path: Entry(value, f"{config.name}: {'.'.join(path)}")
        for path, value in _flatten(_parse_file(config, problems))
    }


def variables(environment: Mapping[str, str]) -> dict[str, SettingPath]:
    """Return the variables that set something, by name, and the path of what each sets."""
    return {
        name: tuple(name.removeprefix(_PREFIX).lower().split("__"))
        for name in sorted(environment)
        if name.startswith(_PREFIX) and name != f"{_PREFIX}CONFIG"
    }


def variable_entries(
    environment: Mapping[str, str], problems: list[str]
) -> dict[SettingPath, Entry]:
    """Return the settings of the environment."""
    entries = {}
    for name, path in variables(environment).items():
        text = environment[name]
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
        entries[path] = Entry(setting, name)
    return entries


def find_file(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the configuration file that is used; None: there is none.

    `file` is the one named on the command line. Raises UsageError when a place for it cannot be
    read.
    """
    if file is None and environment.get(f"{_PREFIX}CONFIG"):
        file = Path(environment[f"{_PREFIX}CONFIG"])
    if file is not None:
        return file
    for folder in (Path(), user_folder("config")):
        try:
            if folder is not None and (folder / FILE_NAME).is_file():
                return folder / FILE_NAME
        except OSError as error:  # another user's home folder, as after `su` without `-`
            raise UsageError(
                f"Whether there is a configuration in {folder} is not known: {error.strerror}. "
                "Name one with --config, or set HOME to your own home folder."
            ) from None
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


def _flatten(
    content: Mapping[str, Any], above: SettingPath = ()
) -> Iterator[tuple[SettingPath, Any]]:
    for name, value in content.items():
        path = (*above, name)
        if path in SECTIONS and isinstance(value, Mapping):
            yield from _flatten(value, path)
        elif path not in SECTIONS or value not in NULL_TEXTS:  # `zoho:` alone sets nothing
            yield path, value
