"""Make two pages of the documentation from the code: every command, and every setting."""

import datetime as dt
import enum
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import click
from annotated_types import Ge, Gt, Le
from pydantic import SecretStr

from batchlock.cli.commands import commands
from batchlock.config import _DURATIONS as DURATIONS
from batchlock.config.settings import Settings
from batchlock.config.sources import SECTIONS

EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"

_COMMANDS_HEADER = """\
# Every command

Each command has `--help`, which shows what is below. Results and JSON go to standard output,
progress and log lines to standard error. [Every exit code](exit-codes.md) says how a command can
end.
"""
_SETTINGS_HEADER = """\
# Every setting

The configuration is the file that `--config` names, else the one of `BATCHLOCK_CONFIG`, else
`config.yaml` in the current folder, else `config.yaml` in your own configuration folder (Linux
`~/.config/batchlock`, macOS `~/Library/Application Support/batchlock`, Windows
`%LOCALAPPDATA%\\batchlock`). A setting can also come from the environment, in the variable that is
named below it, and some have an option of a command. An option wins over the environment, and the
environment over the file. [config.example.yaml](config.example.yaml) shows all with their
defaults.

An unknown key is an error that names the nearest known one. All problems are reported together.
Lengths of time are numbers with ms, s, m, h or d, such as `90s` or `1h30m`; a bare number is
seconds. `null` leaves a setting at its default.
"""


def commands_page() -> str:
    """Return the page of all commands, with the texts of their `--help`."""
    parts = [_COMMANDS_HEADER]
    for words, command in all_commands(commands):
        parts += [f"## batchlock {' '.join(words)}", *_command_parts(words, command)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def all_commands(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the words of each command that is not hidden, and the command; groups come first."""
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from all_commands(command, *above, name)


def _command_parts(words: tuple[str, ...], command: Any) -> Iterator[str]:
    yield _fenced(command.example)
    yield _prose(command.help or "")
    if isinstance(command, click.Group):
        return
    context = click.Context(command, info_name=f"batchlock {' '.join(words)}")
    yield f"`{' '.join((context.info_name or '', *command.collect_usage_pieces(context)))}`"
    rows = [
        # `-c, --config FILE`, and what it means.
        f"| `{record[0]}` | {_cell(record[1])} |"
        for parameter in command.get_params(context)
        # An argument has no text of its own: the command's says what it is.
        if (record := parameter.get_help_record(context)) is not None and record[1]
    ]
    yield "\n".join(["| Option | Meaning |", "|---|---|", *rows])
    if command.epilog:
        yield _prose(command.epilog)


def _prose(text: str) -> str:
    """Return a text of click as Markdown; one that click does not wrap stays as it is."""
    return "\n\n".join(
        _fenced(paragraph.removeprefix("\b\n")) if paragraph.startswith("\b") else paragraph
        for paragraph in inspect.cleandoc(text).split("\n\n")
    )


class Setting(NamedTuple):
    """A setting as config.example.yaml shows it."""

    path: tuple[str, ...]
    default: str
    text: str


def example_settings() -> list[Setting]:
    """Return the settings of config.example.yaml, in its order."""
    settings: list[Setting] = []
    above: list[str] = []
    comment: list[str] = []
    for line in EXAMPLE.read_text("utf-8").splitlines():
        if match := re.match(r"( *)# ?(.*)", line):
            comment.append(match[2])
        elif match := re.match(r"( *)(\w+):(?: (.*))?$", line):
            above = above[: len(match[1]) // 2]
            if match[3] is not None:
                settings.append(Setting((*above, match[2]), match[3], " ".join(comment)))
            above.append(match[2])
            comment = []
        else:  # an empty line: what stands above it is about no single key
            comment = []
    return settings


def settings_page() -> str:
    """Return the page of all settings: default, values, variable and meaning of each."""
    parts = [_SETTINGS_HEADER]
    section: tuple[str, ...] | None = None
    for setting in example_settings():
        if setting.path[:-1] != section:
            section = setting.path[:-1]
            parts.append(f"## {'.'.join(section) or 'Without a section'}")
        name = ".".join(setting.path)
        variable = "BATCHLOCK_" + "__".join(setting.path).upper()
        parts += [
            f"### {name}",
            _with_links(setting.text),
            f"Default `{setting.default}`; values: {_values(setting.path)}; variable `{variable}`.",
        ]
    # A section whose parts are apart, as the settings without one are, has one heading.
    return _with_single_headings("\n\n".join(parts)) + "\n"


def _with_single_headings(text: str) -> str:
    seen: set[str] = set()
    lines = []
    for line in text.splitlines():
        if line.startswith("## ") and line in seen:
            line = f"{line} (more)"
        seen.add(line)
        lines.append(line)
    return "\n".join(lines)


def _values(path: tuple[str, ...]) -> str:
    kind = {(): Settings, **SECTIONS}[path[:-1]]
    return _of_type(get_type_hints(kind, include_extras=True)[path[-1]], path, [])


def _of_type(hint: Any, path: tuple[str, ...], bounds: list[Any]) -> str:
    """Say which values a type takes; `bounds` are the annotations around it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(
            _of_type(one, path, bounds) for one in arguments if one is not types.NoneType
        )
    if origin is Annotated:
        return _of_type(arguments[0], path, [*bounds, *arguments[1:]])
    if origin is Literal:
        return _one_of(arguments)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _one_of(hint)
    return _plain(origin or hint, path) + _range(bounds)


def _plain(kind: Any, path: tuple[str, ...]) -> str:
    if kind is float:
        return "a length of time" if path in DURATIONS else "a number"
    if kind is int:
        # An amount of memory is the only whole number that is written with a unit.
        return (
            "an amount of memory" if path[-1] in ("max_upload", "max_memory") else "whole numbers"
        )
    if kind is Path:
        return "a file" if path[-1].endswith("_file") else "a folder"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return "a mapping"
    names = {bool: "`true` or `false`", dt.time: "a time of day", tuple: "a list"}
    return names.get(kind, "a text, which is secret" if kind is SecretStr else "a text")


def _range(bounds: list[Any]) -> str:
    words = []
    for bound in bounds:
        match bound:
            case Ge(ge=number):
                words.append(f"at least {_number(number)}")
            case Gt(gt=number):
                words.append(f"above {number}")
            case Le(le=number):
                words.append(f"at most {_number(number)}")
    return f", {' and '.join(words)}" if words else ""


def _number(number: Any) -> str:
    return f"{number // 2**20} MiB" if number >= 2**20 else str(number)


def _one_of(values: Any) -> str:
    return ", ".join(f"`{getattr(value, 'value', value)}`" for value in values)


def _with_links(text: str) -> str:
    """Return a text in which the names of pages are links to them."""

    def link(match: re.Match[str]) -> str:
        is_page = (EXAMPLE.parent / match[0]).is_file()
        return f"[{match[0]}]({match[1]})" if is_page else match[0]

    return re.sub(r"\bdocs/([\w-]+\.md)", link, text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _fenced(text: str) -> str:
    return f"```\n{text.strip()}\n```"
