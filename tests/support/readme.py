"""The commands and code blocks of the README and of other documents."""

import re
import shlex
from collections.abc import Iterator, Sequence

import click

from batchlock.cli.commands import commands
from support.paths import ROOT

# A fenced block: its language and its lines.
_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMMAND_LINES = ("sh", "console", "crontab", "bat", "ini")

README = (ROOT / "README.md").read_text("utf-8")


def blocks(*kinds: str) -> list[str]:
    """Return the fenced blocks of the README that have one of these languages."""
    fenced = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", README, re.MULTILINE | re.DOTALL)
    return [text for _, kind, text in fenced if kind in kinds]


def readme_commands() -> list[list[str]]:
    """Return the arguments of every `batchlock` command of the README, in order."""
    lines = "".join(blocks("sh", "crontab", "bat")).replace("\\", "/").splitlines()
    matches = (re.search(r"(?:^|[ /])batchlock (.*?)(?: >>.*)?$", line) for line in lines)
    return [shlex.split(match[1]) for match in matches if match]


def commands_in(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `batchlock` command in the code blocks and code of a document."""
    # A line that ends with a backslash goes on in the next one.
    text = re.sub(r"\\\n\s*", " ", text)
    fenced = _FENCED.findall(text)
    lines = "".join(code for kind, code in fenced if kind in _COMMAND_LINES).splitlines()
    in_prose = re.findall(r"`(batchlock [^`]*)`", _FENCED.sub("", text))
    for line in (*lines, *in_prose):
        match = re.search(r"(?:^|[\s/=\\])batchlock(?:\.exe)? (?!\.)(.*)$", line)
        if match is None:
            continue
        # What follows is another command, a file that is written, or a comment.
        command = re.split(r"\s+(?:>>|>|&&|\||#|2>)|;|\)", match[1])[0]
        words = shlex.split(command.replace("\\", "/"))
        if words and words[0] in commands.commands:
            yield words


def find_command(words: Sequence[str]) -> click.Command:
    """Return the command that a line begins with. Raises KeyError when there is none."""
    command: click.Command = commands
    remaining = [word for word in words if not word.startswith("-")]
    while isinstance(command, click.Group) and remaining:
        command = command.commands[remaining.pop(0)]
    return command
