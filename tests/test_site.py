"""The site of the documentation: it is built without a warning, and complete."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.paths import ROOT
from test_docs import command_names

from batchlock.cli.commands import commands
from batchlock.core import errors

_EXIT_CODES = (ROOT / "docs" / "exit-codes.md").read_text("utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a link, an anchor or a page that is missing fails the build."""
    folder = tmp_path_factory.mktemp("site")
    completed = subprocess.run(
        [sys.executable, "-m", "properdocs", "build", "--strict", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return folder


class _Headings(HTMLParser):
    """The texts of the headings of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if re.fullmatch("h[1-6]", tag):
            self._is_inside = True
            self.texts.append("")
        elif tag == "a":  # the permanent link behind the text
            self._is_inside = False

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.texts[-1] += data


def headings(page: Path) -> list[str]:
    parser = _Headings()
    parser.feed(page.read_text("utf-8"))
    return parser.texts


def test_every_command_and_every_option_is_on_the_page_of_commands(site: Path) -> None:
    page = (site / "commands.html").read_text("utf-8")
    visible = [
        words
        for words in command_names()
        if not any(commands.commands[word].hidden for word in words[:1])
    ]
    titles = headings(site / "commands.html")
    assert [words for words in visible if f"batchlock {' '.join(words)}" not in titles] == []
    options = {
        text
        for words in visible
        if len(words) == 1
        for parameter in commands.commands[words[0]].params
        if not getattr(parameter, "hidden", False)
        for text in parameter.opts
        if text.startswith("--")
    }
    assert {option for option in options if option not in page} == set()


def test_every_setting_is_on_the_page_of_settings(site: Path) -> None:
    text = (ROOT / "config.example.yaml").read_text("utf-8")
    keys = re.findall(r"^ *(\w+): \S", text, re.MULTILINE)
    titles = [title.rpartition(".")[2] for title in headings(site / "settings.html")]
    assert len(keys) > 80
    assert [key for key in keys if key not in titles] == []
    page = (site / "settings.html").read_text("utf-8")
    assert "values: <code>auto</code> or whole numbers, at least 1" in page
    assert "<code>BATCHLOCK_WEB__OIDC__CLIENT_ID</code>" in page


def test_the_site_loads_nothing_from_other_servers(site: Path) -> None:
    loaded = set()
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        loaded |= set(re.findall(r"""<(?:script|img|iframe|source)[^>]*\bsrc="([^"]*)""", text))
        loaded |= set(re.findall(r"""<link[^>]*\bhref="([^"]*)""", text))
    for sheet in site.rglob("*.css"):
        loaded |= set(re.findall(r"""url\(["']?([^"')]*)""", sheet.read_text("utf-8")))
    assert "css/bootstrap.min.css" in loaded
    outside = {url for url in loaded if re.match(r"(https?:)?//", url)}
    assert outside == set()


def test_the_page_of_exit_codes_has_every_code_and_every_command() -> None:
    general, _, of_commands = _EXIT_CODES.partition("## Per command")
    named = {int(code) for code in re.findall(r"^\| (\d+) \|", general, re.MULTILINE)}
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.BatchlockError)
    }
    assert named == codes | {0, 3, 129, 130, 143}
    commands_there = {text.split()[0] for text in re.findall(r"`([a-z ]+)`", of_commands)}
    visible = {name for name, command in commands.commands.items() if not command.hidden}
    assert visible - commands_there == set()
