import csv
import dataclasses
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import click
import openpyxl
import pytest
import yaml
from click.testing import CliRunner
from support.commands import command, started
from support.paths import ROOT
from support.zoho import Start

from batchlock.cli.commands import commands
from batchlock.cli.context import Context
from batchlock.config import Settings, load
from batchlock.core import errors
from batchlock.core.results import Result
from batchlock.core.rows import MODULES
from batchlock.simulator import MAGIC_RECORDS

_ROOT = ROOT
_README = (_ROOT / "README.md").read_text("utf-8")
_RUN_ID = "20260314-020304-1f3a"  # the one that README and help have for an example
_NOT_OURS = {"--cov"}


def _blocks(*kinds: str) -> list[str]:
    """Return the fenced blocks of the README that are of one of these kinds."""
    fenced = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", _README, re.MULTILINE | re.DOTALL)
    return [text for _, kind, text in fenced if kind in kinds]


def _readme_commands() -> list[list[str]]:
    """Return what follows `batchlock` in every command of the README, in its order."""
    lines = "".join(_blocks("sh", "crontab", "bat")).replace("\\", "/").splitlines()
    found = (re.search(r"(?:^|[ /])batchlock (.*?)(?: >>.*)?$", line) for line in lines)
    return [shlex.split(one[1]) for one in found if one]


@pytest.fixture
def place(isolated: Path) -> Path:
    """The current folder, with the samples in it as in a clone."""
    shutil.copytree(
        _ROOT / "samples",
        isolated / "samples",
        ignore=lambda _, names: [name for name in names if "-results-" in name],
    )
    return isolated


def _batchlock(
    arguments: list[str], *, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env={**os.environ, **environment},
        input=typed,
        capture_output=True,
        encoding="utf-8",
        start_new_session=True,  # no terminal, so that secrets are asked for on standard input
        timeout=120,
        check=False,
    )


# -- the README --------------------------------------------------------------------------


def test_the_first_two_blocks_install_and_then_try_and_test_it() -> None:
    trial, tests = _blocks("sh")[:2]
    assert trial.count("\n") == tests.count("\n") == 1
    assert trial.split(" && ") == [
        "python3 -m venv .venv",
        ".venv/bin/pip install -q .",
        ".venv/bin/batchlock run samples/lock_updates.xlsx --simulate\n",
    ]
    assert tests.split(" && ") == [
        "python3 -m venv .venv",
        ".venv/bin/pip install -q -e '.[dev]'",
        ".venv/bin/pytest --cov\n",
    ]


def test_the_trial_ends_with_the_path_of_a_results_workbook(place: Path) -> None:
    done = _batchlock(_readme_commands()[0])
    assert done.returncode == 0, done.stderr
    results = Path(done.stdout.splitlines()[-1].removeprefix("Results: "))
    assert openpyxl.load_workbook(results).sheetnames == ["Summary", "Results"]


@pytest.mark.skipif(
    sys.platform == "win32", reason="secrets are typed at the console there, not on standard input"
)
def test_the_commands_of_the_readme_work_one_after_the_other(place: Path, stand_in: Start) -> None:
    url = stand_in().url
    addresses = f"  api_url: {url}\n  accounts_url: {url}\n"
    config = place / "config.yaml"
    config.write_text(f"zoho:\n{addresses}", "utf-8")
    shutil.copy(place / "samples/lock_updates.xlsx", place / "tonight.xlsx")
    tells = {
        "login": "Signed in.",
        "template": "Fill in locks.xlsx",
        "check": "200 can be sent, 0 have problems",
        "run": "200 updated",
        "runs": "200 of       200 rows done",
        "resume": "There is no unfinished run to resume.",
        "retry": "is as its file asks",
        "run results": "200 unchanged",
        "show": "200 calls",
        "report": "again.csv",
    }
    heard, run_id = set(), ""
    for arguments in _readme_commands():
        if "samples/problem_rows.xlsx" in arguments or "serve" in arguments:  # have their own tests
            continue
        what = arguments[0]
        if any(_RUN_ID in argument for argument in arguments):
            arguments = [argument.replace(_RUN_ID, run_id) for argument in arguments]
            what += " results" if what == "run" else ""
        done = _batchlock(arguments, typed="an id\na secret\na code\n")
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        assert tells[what] in done.stdout, arguments
        heard.add(what)
        if what == "login":  # "put the lines that it then prints into config.yaml"
            told = done.stdout[done.stdout.index("\norg:") :]
            config.write_text(f"{told.rstrip()}\n{addresses}", "utf-8")
        if arguments == ["run", "locks.xlsx"]:
            results = Path(done.stdout.splitlines()[-1])
            run_id = results.stem.removeprefix("locks-results-")
        if what == "template":  # and somebody fills it in
            shutil.copy(place / "samples/lock_updates.xlsx", place / "locks.xlsx")
    assert heard == set(tells)


def test_the_page_of_the_readme_is_served(place: Path) -> None:
    [arguments] = [one for one in _readme_commands() if one[0] == "serve"]
    with started(*arguments, "--port", 0) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert any("/enter/" in line for line in said)


def test_every_option_that_the_readme_names_exists() -> None:
    known = {"--help", "--version"}
    for one in commands.commands.values():
        known.update(*(parameter.opts for parameter in one.params))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", _README)) - _NOT_OURS
    assert named
    assert named <= known


def test_the_readme_names_every_result() -> None:
    assert re.findall(r"^\| `(\w+)` \|", _README, re.MULTILINE) == [one.value for one in Result]


def test_the_readme_names_every_exit_code() -> None:
    table = _README.partition("| Exit code |")[2].partition("\n\n")[0]
    named = {
        int(code)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for code in row.split(",")
    }
    ends = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.BatchlockError)
    }
    assert named == ends | {0, 3, 129, 130, 143}


@pytest.mark.parametrize("which", range(3))
def test_columns_are_found_by_every_title_that_the_readme_names(which: int, place: Path) -> None:
    table = _README.partition("| Column |")[2].partition("\n\n")[0].splitlines()[2:]
    titles = []
    for row in table:
        _, title, others, *_ = row.split("|")
        names = [title.strip(), *(one.strip(" `") for one in others.split(","))]
        titles.append(names[min(which, len(names) - 1)])
    record = ["Leads", "5843104000000425565", "5843104000000911002", "Audit hold"]
    with (place / "titles.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([titles, record])
    done = _batchlock(["check", "titles.csv"])
    assert done.returncode == 0, (titles, done.stdout, done.stderr)


def test_the_readme_names_every_module() -> None:
    assert [module for module in MODULES if f"`{module}`" not in _README] == []


def test_what_the_readme_links_to_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", _README) if "://" not in link]
    assert links
    assert [link for link in links if not (_ROOT / link).is_file()] == []


# -- help --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_help_begins_with_an_example_that_would_be_understood(name: str) -> None:
    told = CliRunner().invoke(commands, [name, "--help"], obj=Context())
    assert told.exit_code == 0
    first = told.output.splitlines()[0]
    program, called, *arguments = shlex.split(first.removeprefix("Example: "))
    assert (program, called) == ("batchlock", name)
    commands.commands[name].make_context(name, arguments, obj=Context())


def test_an_example_with_an_unknown_option_would_not_be_understood() -> None:
    with pytest.raises(click.NoSuchOption):
        commands.commands["run"].make_context(
            "run", ["orders.xlsx", "--no-such-option"], obj=Context()
        )


# -- the example configuration -----------------------------------------------------------

_EXAMPLE = _ROOT / "config.example.yaml"


def test_the_example_configuration_says_the_defaults() -> None:
    assert load(file=_EXAMPLE, environment={}) == Settings()


def test_the_example_configuration_has_every_key_in_order() -> None:
    known: dict[str, list[str] | None] = {
        name: [field.name for field in dataclasses.fields(kind)]
        if dataclasses.is_dataclass(kind)
        else None
        for name, kind in get_type_hints(Settings).items()
    }
    told = yaml.load(_EXAMPLE.read_text("utf-8"), yaml.BaseLoader)
    given = {name: list(told[name]) if known.get(name) else None for name in told}
    assert list(given.items()) == list(known.items())


def test_the_example_configuration_has_a_sentence_for_every_key() -> None:
    lines = _EXAMPLE.read_text("utf-8").splitlines()
    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r" *\w+: ", line) and not re.match(r" *# .*\.$", before)
    ]
    assert bare == []


# -- the samples -------------------------------------------------------------------------


def test_the_samples_are_what_their_script_makes(isolated: Path) -> None:
    script = _ROOT / "samples" / "make.py"
    subprocess.run([sys.executable, script, isolated], check=True)
    made = sorted(path.name for path in isolated.iterdir())
    assert made == [
        f"{stem}.{suffix}"
        for stem in ("lock_updates", "problem_rows")
        for suffix in ("csv", "xlsx")
    ]
    for name in made:
        assert _content(isolated / name) == _content(script.with_name(name)), name


def _content(path: Path) -> object:
    if path.suffix == ".csv":
        return path.read_text("utf-8-sig")
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return [[(cell.value, cell.data_type, cell.number_format) for cell in row] for row in sheet]


def test_the_good_sample_covers_every_module_with_ids_kept_as_text() -> None:
    sheet = openpyxl.load_workbook(_ROOT / "samples" / "lock_updates.xlsx").worksheets[0]
    _, *rows = sheet.iter_rows()
    assert len(rows) == 200
    assert {row[0].value for row in rows} == set(MODULES)
    for cell in (cell for row in rows for cell in row[1:3]):
        assert (cell.data_type, cell.number_format) == ("s", "@")
        assert re.fullmatch(r"\d{19}", str(cell.value))


def test_the_good_sample_has_no_problem_as_text_either(place: Path) -> None:
    done = _batchlock(["check", "samples/lock_updates.csv"])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_each_row_of_the_problem_sample_becomes_what_it_says(suffix: str, place: Path) -> None:
    (shown,) = (one for one in _readme_commands() if "samples/problem_rows.xlsx" in one)
    arguments = [one.replace(".xlsx", suffix) for one in shown]
    done = _batchlock(
        [*arguments, "--json"], BATCHLOCK_RETRY__FIRST_WAIT="20ms"
    )  # otherwise as the README has it
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit_code"]) == (3, 3), done.stderr
    titles, *rows = openpyxl.load_workbook(told["output"])["Results"].iter_rows(values_only=True)
    lines = [dict(zip(map(str, titles), row, strict=True)) for row in rows]
    for line in lines:
        says, _, _ = str(line["What this row shows"]).partition(":")
        result, _, code = says.partition(", ")
        assert line["Result"] == result, line
        if result == "invalid":
            assert line["Code"] == code, line
    assert {line["Result"] for line in lines} == set(Result) - {Result.NOT_SENT, Result.UNKNOWN}


def test_the_problem_sample_has_every_problem_and_every_answer_to_a_row() -> None:
    with (_ROOT / "samples" / "problem_rows.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    codes = {
        found[1]
        for row in rows
        if (found := re.match(r"invalid, (\w+)", row["What this row shows"]))
    }
    assert codes == {
        "unknown_module",
        "missing_value",
        "bad_id",
        "lossy_number",
        "rounded_id",
        "reason_too_long",
        "bad_value",
        "conflict",
    }
    slow, ends_the_run = {207, 209, 307}, range(500, 600)
    magic = {
        one.record_id
        for one in MAGIC_RECORDS
        if (number := int(one.record_id[-3:])) not in slow and number not in ends_the_run
    }
    assert magic <= {row["Record Id"] for row in rows}
