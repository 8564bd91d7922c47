"""The commands and code blocks of the README."""

import re
import shlex

from support.paths import ROOT

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
