import ast
import csv
import dataclasses
import itertools
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import click
import openpyxl
import pytest
from click.testing import CliRunner
from support.commands import run_with_input, started
from support.forked_command import run_forked
from support.paths import ROOT
from support.readme import README, blocks, readme_commands
from support.zoho import Start

from batchlock import __version__
from batchlock.cli.commands import commands
from batchlock.cli.context import Context
from batchlock.config import Settings, load
from batchlock.config.yaml_text import parse
from batchlock.core import errors
from batchlock.core.results import Result
from batchlock.core.rows import MODULES

_RUN_ID = "20260314-020304-1f3a"  # the example of the README and of the help


def test_the_first_two_blocks_are_the_trial_and_the_tests() -> None:
    trial, tests = blocks("sh")[:2]
    assert trial.count("\n") == tests.count("\n") == 1
    assert trial.split(" && ") == [
        "python3 -m venv .venv",
        ".venv/bin/pip install -q .",
        ".venv/bin/batchlock run samples/lock_updates.xlsx --simulate\n",
    ]
    assert tests.split(" && ") == [
        "python3 -m venv .venv",
        ".venv/bin/pip install -q -e '.[dev]'",
        ".venv/bin/pytest\n",
    ]


def test_the_trial_ends_with_the_path_of_a_results_workbook(samples_copy: Path) -> None:
    completed = run_with_input(readme_commands()[0])
    assert completed.returncode == 0, completed.stderr
    results = Path(completed.stdout.splitlines()[-1].removeprefix("Results: "))
    assert openpyxl.load_workbook(results).sheetnames == ["Summary", "Results"]


@pytest.mark.skipif(
    sys.platform == "win32", reason="secrets are typed at the console there, not on standard input"
)
def test_the_commands_of_the_readme_work_one_after_the_other(
    samples_copy: Path, stand_in: Start
) -> None:
    url = stand_in().url
    addresses = f"  api_url: {url}\n  accounts_url: {url}\n"
    config = samples_copy / "config.yaml"
    config.write_text(f"zoho:\n{addresses}", "utf-8")
    shutil.copy(samples_copy / "samples/lock_updates.xlsx", samples_copy / "tonight.xlsx")
    expected = {
        "login": "Signed in: Rehearsal User, Rehearsal Ltd",
        "template": "Fill in locks.xlsx",
        "check": "200 can be sent, 0 have problems",
        # "200 updated", or "200 unchanged" when the README runs the same rows once more.
        "run": "200 rows: 200 u",
        "runs": "rows done:       200 of       200",
        "resume": "There is no unfinished run to resume.",
        "retry": "is as its file asks",
        "run results": "200 unchanged",
        "undo": "can be put back",
        "show": "202 calls",
        "report": "again.csv",
    }
    executed, run_id = set(), ""
    for arguments in readme_commands():
        # These two have their own tests.
        if "samples/problem_rows.xlsx" in arguments or "serve" in arguments:
            continue
        name = arguments[0]
        if any(_RUN_ID in argument for argument in arguments):
            arguments = [argument.replace(_RUN_ID, run_id) for argument in arguments]
            name += " results" if name == "run" else ""
        if name == "login":  # nobody is there to accept a code; tests/cli/test_login.py does that
            arguments = [*arguments, "--self-client", "--yes"]
        completed = run_forked(arguments, typed="an id\na secret\na code\n")
        assert completed.returncode == 0, (arguments, completed.stdout, completed.stderr)
        assert expected[name] in completed.stdout, arguments
        executed.add(name)
        if arguments == ["run", "locks.xlsx"]:
            results = Path(completed.stdout.splitlines()[-1])
            run_id = results.stem.removeprefix("locks-results-")
        if name == "template":  # a person fills the template in
            shutil.copy(samples_copy / "samples/lock_updates.xlsx", samples_copy / "locks.xlsx")
    assert executed == set(expected)


def test_the_page_of_the_readme_is_served(samples_copy: Path) -> None:
    [arguments] = [command for command in readme_commands() if command[0] == "serve"]
    with started(*arguments, "--port", 0) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert any("/enter/" in line for line in lines)


def test_every_option_that_the_readme_names_exists() -> None:
    known = {"--help", "--version"}
    for words in command_names():
        command: click.Command = commands
        for word in words:
            assert isinstance(command, click.Group)
            command = command.commands[word]
        known.update(*(parameter.opts for parameter in command.params))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README))
    assert named
    assert named <= known


def test_the_readme_names_every_result() -> None:
    table = README.partition("| Result |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [result.value for result in Result]


def test_the_readme_names_every_exit_code() -> None:
    table = README.partition("| Exit code |")[2].partition("\n\n")[0]
    named = {
        int(code)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for code in row.split(",")
    }
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.BatchlockError)
    }
    assert named == codes | {0, 3, 129, 130, 143}


@pytest.mark.parametrize("which", range(3))
def test_every_title_that_the_readme_names_is_recognised(which: int, samples_copy: Path) -> None:
    table = README.partition("| Column |")[2].partition("\n\n")[0].splitlines()[2:]
    titles = []
    for row in table:
        _, title, others, *_ = row.split("|")
        names = [title.strip(), *(other.strip(" `") for other in others.split(","))]
        titles.append(names[min(which, len(names) - 1)])
    record = ["Leads", "5843104000000425565", "5843104000000911002", "Audit hold"]
    with (samples_copy / "titles.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([titles, record])
    completed = run_forked(["check", "titles.csv"])
    assert completed.returncode == 0, (titles, completed.stdout, completed.stderr)


def test_the_readme_names_every_module() -> None:
    assert [module for module in MODULES if f"`{module}`" not in README] == []


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def command_names(group: click.Group = commands, *above: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, those of the commands in groups too."""
    for name, command in group.commands.items():
        yield *above, name
        if isinstance(command, click.Group):
            yield from command_names(command, *above, name)


@pytest.mark.parametrize("words", sorted(command_names()), ids=" ".join)
def test_help_begins_with_an_example_that_can_be_parsed(words: tuple[str, ...]) -> None:
    completed = CliRunner().invoke(commands, [*words, "--help"], obj=Context())
    assert completed.exit_code == 0
    first = completed.output.splitlines()[0]
    program, *arguments = shlex.split(first.removeprefix("Example: "))
    assert (program, tuple(arguments[: len(words)])) == ("batchlock", words)
    context = click.Context(commands, obj=Context())
    command: click.Command = commands
    while isinstance(command, click.Group) and arguments:
        command = command.commands[arguments.pop(0)]
    command.make_context(words[-1], arguments, parent=context)


def test_an_example_with_an_unknown_option_cannot_be_parsed() -> None:
    with pytest.raises(click.NoSuchOption):
        commands.commands["run"].make_context(
            "run", ["orders.xlsx", "--no-such-option"], obj=Context()
        )


_EXAMPLE = ROOT / "config.example.yaml"


def test_the_example_configuration_shows_the_defaults() -> None:
    assert load(file=_EXAMPLE, environment={}) == Settings()


def test_the_example_configuration_has_every_key_in_order() -> None:
    example, _ = parse(_EXAMPLE.read_text("utf-8"))
    check_keys(Settings, example)


def check_keys(kind: type, example: Any) -> None:
    """Check that an example has the keys of a group of settings, and those of the groups in it."""
    hints = get_type_hints(kind)
    assert list(example) == list(hints)
    for name, inner in hints.items():
        if dataclasses.is_dataclass(inner):
            check_keys(inner, example[name])  # type: ignore[arg-type]  # a class, and no instance


def test_the_example_configuration_has_a_sentence_for_every_key() -> None:
    lines = _EXAMPLE.read_text("utf-8").splitlines()
    without_sentence = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r" *\w+: ", line) and not re.match(r" *# .*\.$", before)
    ]
    assert without_sentence == []


def test_the_changelog_begins_with_the_version_of_the_package() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[([^]]+)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def _names_in_the_package() -> set[str]:
    """Return every name that the package defines: modules, code, SQL, and words as values."""
    names = set()
    for path in (ROOT / "batchlock").rglob("*.py"):
        names |= {path.stem, path.parent.name}
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                    names.add(name)
                case ast.AsyncFunctionDef(name=name):
                    names.add(name)
                case ast.Name(id=name, ctx=ast.Store()):
                    names.add(name)
                case ast.Constant(value=str(text)) if "CREATE TABLE" in text:
                    names.update(re.findall(r"\w+", text))
                case ast.Constant(value=str(text)) if text.isidentifier():
                    names.add(text)
    return names


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_name_in_the_documents_for_developers_exists(name: str) -> None:
    known = _names_in_the_package()
    quoted = set(re.findall(r"`([^`\n]+)`", (ROOT / name).read_text("utf-8")))
    # CONTRIBUTING.md quotes commands and words too, so only its paths and classes are checked.
    names_only = name == "docs/architecture.md"
    unknown = []
    for text in sorted(quoted):
        if re.fullmatch(r"[\w.-]+/[\w./-]*|\w[\w-]*\.(py|md|yaml|toml)", text):
            exists = (ROOT / text).exists()
        elif text.startswith("batchlock "):
            exists = text.split()[1] in commands.commands or text.split()[1].startswith("-")
        elif re.fullmatch(r"[\w.]+", text) and (names_only or text[0].isupper()):
            exists = all(part in known for part in text.split("."))
        else:
            continue  # a command of another program, or a piece of text
        if not exists:
            unknown.append(text)
    assert len(quoted) > 20
    assert unknown == []


@pytest.mark.parametrize(
    "name", ["docs/architecture.md", "docs/asvs.md", "CONTRIBUTING.md", "SECURITY.md"]
)
def test_every_file_that_a_document_links_to_exists(name: str) -> None:
    path = ROOT / name
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8"))
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_test_that_shows_a_point_of_asvs_exists() -> None:
    text = (ROOT / "docs" / "asvs.md").read_text("utf-8")
    named = set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", text))
    assert len(named) > 50
    missing = {
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file()
        or not re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    }
    assert missing == set()


def test_every_message_of_the_code_has_its_cause_and_cure() -> None:
    check = [sys.executable, str(ROOT / "tools" / "make_messages.py"), "--check"]
    completed = subprocess.run(check, capture_output=True, text=True, encoding="utf-8", check=False)
    # What is missing, gone or empty; `python tools/make_messages.py` updates docs/messages.md.
    assert completed.stderr == ""
    assert completed.returncode == 0


def test_the_table_of_messages_is_complete_in_the_kinds_of_messages() -> None:
    table = (ROOT / "docs" / "messages.md").read_text("utf-8")
    codes = {code for line in table.splitlines() for code in re.split(r", | \| ", line)}
    assert {"1", "2", "4", "5", "6", "7", "130"} <= codes
    assert {"bad_id", "unknown_module", "conflict", "hidden_rows", "INVALID_TOKEN"} <= codes
