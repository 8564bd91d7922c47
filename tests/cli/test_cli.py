import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from support.commands import PATIENCE, POSIX, SIGNALS, Run, command, started
from support.sheets import balanced, record, rows, sheet
from support.zoho import StandIn, Start

from batchlock import __version__, run
from batchlock.core.results import Result

OF_A_RUN = {
    "run_id",
    "file",
    "sheet",
    "output",
    "exit_code",
    "message",
    "rows",
    "counts",
    "causes",
    "requests",
    "credits_used",
    "in_flight_peak",
    "seconds",
    "resume",
}
OF_A_CHECK = {
    "file",
    "sheet",
    "rows",
    "valid",
    "invalid",
    "duplicate",
    "problems",
    "encoding",
    "delimiter",
    "exit_code",
    "message",
}
COMMANDS = (
    "check",
    "login",
    "report",
    "resume",
    "retry",
    "run",
    "runs",
    "show",
    "simulate",
    "template",
)


def in_words(told: object) -> str:
    """Name a case by what is typed."""
    return " ".join(told) if isinstance(told, list) else str(told)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_an_example(here: Run, name: str) -> None:
    done = here(name, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Example: batchlock {name}")


def test_the_program_tells_its_commands_and_its_version(cli: Run) -> None:
    told = cli("--help")
    assert told.code == 0
    assert all(f"  {name} " in told.out for name in COMMANDS)
    assert cli("--version").out.strip().endswith(__version__)


def test_without_a_command_there_is_help(here: Run) -> None:
    done = here()
    assert (done.code, done.out) == (2, "")
    assert "Commands:" in done.err
    assert "See `" not in done.err


# -- --json on every path ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["in.csv", "--simulate"], 0),
        (["bad.csv", "--simulate"], 3),
        (["bad.csv", "--simulate", "--strict"], 3),
        (["empty.csv", "--simulate"], 0),
        (["in.csv"], 2),
        (["none.csv", "--simulate"], 4),
        (["page.pdf", "--simulate"], 4),
        ([".", "--simulate"], 4),
        (["odd.csv", "--simulate"], 4),
        (["in.csv", "--simulate", "--column", "record_id=Foo"], 2),
        (["in.csv", "--simulate", "--column", "record_id"], 2),
        (["in.csv", "--simulate", "--column", "colour=Foo"], 2),
        (["in.csv", "--simulate", "--sheet", "Foo"], 2),
        (["in.csv", "--simulate", "--in-flight", "none"], 2),
        (["in.csv", "--simulate", "--per-second", "0"], 2),
        (["in.csv", "--simulate", "--max-runtime", "long"], 2),
        (["in.csv", "--simulate", "--until", "25:00"], 2),
        (["in.csv", "--simulate", "-o", "out.pdf"], 2),
        (["in.csv", "--simulate", "-o", "in.csv"], 2),
        (["in.csv", "--simulate", "-c", "none.yaml"], 2),
        (["in.csv", "--simulate", "-c", "bad.yaml"], 2),
        (["in.csv", "--simulate", "--bad"], 2),
        (["in.csv", "more.csv"], 2),
        ([], 2),
    ],
    ids=in_words,
)
def test_run_prints_one_object_with_every_key(here: Run, arguments: list[str], code: int) -> None:
    files()
    done = here("run", *arguments, "--json")
    told = done.json
    assert (done.code, told["exit_code"]) == (code, code)
    assert set(told) == OF_A_RUN
    assert set(told["counts"]) == {result.value for result in Result}
    assert told["message"]
    balanced(told)
    assert bool(told["run_id"]) is bool(told["output"]) is (code in (0, 3))
    assert told["file"] is None or Path(told["file"]).is_absolute()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["in.csv"], 0),
        (["bad.csv"], 3),
        (["empty.csv"], 0),
        (["none.csv"], 4),
        (["page.pdf"], 4),
        (["odd.csv"], 4),
        (["in.csv", "--column", "record_id=Foo"], 2),
        (["in.csv", "-c", "bad.yaml"], 2),
        (["in.csv", "--bad"], 2),
        ([], 2),
    ],
    ids=in_words,
)
def test_check_prints_one_object_with_every_key(here: Run, arguments: list[str], code: int) -> None:
    files()
    done = here("check", *arguments, "--json")
    told = done.json
    assert (done.code, told["exit_code"]) == (code, code)
    assert set(told) == OF_A_CHECK
    assert told["valid"] + told["invalid"] + told["duplicate"] == told["rows"]
    assert told["file"] is None or Path(told["file"]).is_absolute()


@POSIX
@pytest.mark.parametrize("name", ["run", "check"])
@pytest.mark.parametrize("file", ["pipe.csv", os.devnull])
def test_a_pipe_or_device_is_refused_before_it_is_waited_for(
    cli: Run, name: str, file: str
) -> None:
    os.mkfifo("pipe.csv")
    done = cli(name, file, "--json")
    assert done.code == 4
    assert "is a pipe or device" in done.json["message"]


@POSIX
def test_standard_input_is_refused_even_when_it_is_a_file() -> None:
    with sheet("in.csv", rows(1)).open() as file:
        done = subprocess.run(
            command("check", "/dev/stdin"),
            stdin=file,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 4
    assert "is a pipe or device" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", ""],
        ["check", ""],
        ["run", "in.csv", "--simulate", "-c", ""],
        ["run", "in.csv", "--simulate", "-o", ""],
        ["template", ""],
    ],
    ids=in_words,
)
def test_an_empty_name_is_told_as_one(here: Run, arguments: list[str]) -> None:
    files()
    done = here(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "The name is empty." in done.err


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("resume", [], 0),
        ("resume", ["20260101-000000-abcd"], 2),
        ("retry", ["20260101-000000-abcd"], 2),
        ("retry", [], 2),
        ("report", ["20260101-000000-abcd"], 2),
        ("report", ["*"], 2),
        ("show", ["20260101-000000-abcd"], 2),
    ],
)
def test_a_run_that_is_not_there_is_told_with_every_key(
    here: Run, name: str, arguments: list[str], code: int
) -> None:
    done = here(name, *arguments, "--json")
    assert (done.code, done.json["exit_code"]) == (code, code)
    assert set(done.json) == OF_A_RUN


def test_an_unknown_command_is_told_as_json(here: Run) -> None:
    done = here("frobnicate", "--json")
    assert (done.code, done.json["exit_code"]) == (2, 2)


def test_all_bad_settings_are_told_at_once(here: Run) -> None:
    files()
    told = here("run", "in.csv", "--simulate", "--until", "25:00", "-c", "bad.yaml", "--json").json
    assert "limits.per_secnd" in told["message"]
    assert "per_second" in told["message"]
    assert "--until" in told["message"]


def test_an_unexpected_error_leaves_its_details_in_the_log(
    here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(run, "sha256_of", broken)
    done = here("run", sheet("in.csv", rows(1)), "--simulate", "--json")
    (log,) = Path(os.environ["HOME"]).rglob("batchlock.log")
    assert (done.code, done.json["exit_code"]) == (1, 1)
    assert set(done.json) == OF_A_RUN
    assert str(log) in done.json["message"]
    assert "Traceback" not in done.out + done.err
    assert "nobody thought of this" in log.read_text("utf-8")


def files() -> None:
    sheet("in.csv", rows(2))
    sheet("bad.csv", [*rows(1), ("Leeds", record(2), "", "")])
    sheet("empty.csv", [])
    sheet("odd.csv", [("a", "b")], ("Colour", "Size"))
    Path("page.pdf").write_bytes(b"%PDF-1.4\n")
    Path("bad.yaml").write_text("limits:\n  per_secnd: 3\n", "utf-8")


# -- what people read ----------------------------------------------------------------------


def test_run_tells_people_what_happened(cli: Run) -> None:
    files()
    done = cli("run", "bad.csv", "--simulate", "-o", "out.xlsx")
    assert done.code == 3
    assert "2 rows: 1 updated, 1 invalid." in done.out
    assert "out.xlsx" in done.out
    assert "unknown_module" in done.out
    assert "Leeds" in done.out
    assert "Reading bad.csv." in done.err
    assert "Reading" not in done.out


def test_quiet_says_nothing_but_the_end(cli: Run) -> None:
    files()
    done = cli("run", "in.csv", "--simulate", "-q", "--no-progress")
    assert (done.code, done.err) == (0, "")
    assert "2 updated" in done.out


def test_check_names_every_problem_on_its_cell(here: Run) -> None:
    content = [
        ("Leeds", "12", "x", ""),
        ("Leads", "5.8431E+18", "", "why"),
        *rows(1),
        *rows(1),
    ]
    done = here("check", sheet("in.csv", content), "--json")
    told = done.json
    assert (told["rows"], told["valid"], told["invalid"], told["duplicate"]) == (4, 1, 2, 1)
    found = {(one["row"], one["column"], one["code"]) for one in told["problems"]}
    assert found == {
        (2, "Module", "unknown_module"),
        (2, "Record Id", "bad_id"),
        (2, "Lock Id", "bad_id"),
        (2, "Reason", "missing_value"),
        (3, "Record Id", "lossy_number"),
    }
    assert (told["encoding"], told["delimiter"]) == ("utf-8", ",")
    shown = here("check", "in.csv")
    assert shown.code == 3
    assert "row 3, Record Id: " in shown.out
    assert "5.8431E+18" in shown.out


def test_check_leaves_nothing_behind_and_needs_no_network(here: Run) -> None:
    Path("config.yaml").write_text(
        "state_directory: state\nzoho:\n  api_url: http://127.0.0.1:9\n", "utf-8"
    )
    assert here("check", sheet("in.csv", rows(2))).code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["config.yaml", "in.csv", "state"]
    assert list(Path("state").rglob("*.journal*")) == []
    assert here("runs", "--json").json["runs"] == []
    assert here("resume").out == "There is no unfinished run to resume.\n"


def test_columns_and_sheets_can_be_named(here: Run) -> None:
    book = openpyxl.Workbook()
    for page in (book.active, book.create_sheet("Two")):
        assert page is not None
        page.append(("Mod", "Nr", "Lock Id", "Why"))
        page.append(rows(1)[0])
    book.save("in.xlsx")
    named = ["--column", "module=Mod", "--column", "record-id=Nr", "--column", "reason=Why"]
    both = here("check", "in.xlsx", "--json", *named)
    one = here("check", "in.xlsx", "--json", "--sheet", "Two", *named)
    assert both.code == 2
    assert "Two" in both.json["message"]
    assert (one.code, one.json["sheet"], one.json["valid"]) == (0, "Two", 1)


def test_runs_and_show_tell_the_history(org: StandIn, here: Run) -> None:
    assert here("runs").out == "There are no runs yet.\n"
    assert set(here("runs", "--json").json) >= {"runs", "exit_code", "message"}
    real = here("run", sheet("in.csv", rows(2)), "--json").json
    rehearsed = here("run", "in.csv", "--simulate", "--json").json
    told = here("runs", "--json").json["runs"]
    assert [(one["run_id"], one["org"]) for one in told] == [
        (real["run_id"], "default"),
        (rehearsed["run_id"], "simulator"),
    ]
    assert {one["state"] for one in told} == {"finished"}
    listed = here("runs").out
    assert real["run_id"] in listed
    assert rehearsed["run_id"] in listed
    shown = here("show", real["run_id"], "--json").json
    assert shown == {**real, "seconds": shown["seconds"]}
    assert real["output"] in here("show", rehearsed["run_id"]).out.replace(
        rehearsed["output"], real["output"]
    )
    assert org.state()["calls"]["put"] == 2


def test_show_has_the_exit_code_of_the_command_not_of_the_run(here: Run) -> None:
    files()
    told = here("run", "bad.csv", "--simulate", "--json").json
    shown = here("show", told["run_id"])
    assert shown.code == 0
    assert "1 invalid" in shown.out


# -- template ------------------------------------------------------------------------------


def test_a_template_can_be_checked_and_is_not_overwritten(here: Run) -> None:
    assert here("template", "locks.xlsx").code == 0
    assert here("check", "locks.xlsx", "--json").json["rows"] == 0
    before = Path("locks.xlsx").stat().st_mtime_ns
    again = here("template", "locks.xlsx")
    assert (again.code, Path("locks.xlsx").stat().st_mtime_ns) == (2, before)
    assert here("template", "locks.xlsx", "--force").code == 0


@pytest.mark.parametrize(
    ("name", "word"), [("locks.csv", ".xlsx"), ("none/locks.xlsx", "cannot be written")]
)
def test_a_template_that_cannot_be_is_refused(here: Run, name: str, word: str) -> None:
    done = here("template", name)
    assert done.code == 2
    assert word in done.err


# -- simulate ------------------------------------------------------------------------------


@POSIX
def test_simulate_ends_well_with_ctrl_c() -> None:
    with started("simulate") as process:
        assert process.stdout is not None
        assert "listens on http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_simulate_refuses_a_port_that_is_taken(here: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = here("simulate", "--port", taken.getsockname()[1])
    assert done.code == 2
    assert "--port" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--faults", "flood=0.1"],
        ["--faults", "hang=2"],
        ["--faults", "hang"],
        ["--latency", "long"],
        ["--in-flight-cap", "0"],
        ["--throttle-at", "x"],
        ["--credits", "-1"],
        ["--port", "99999"],
    ],
    ids=in_words,
)
def test_simulate_refuses_nonsense(here: Run, arguments: list[str]) -> None:
    assert here("simulate", *arguments).code == 2


def test_simulate_behaves_as_told(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--credits", 3, "--in-flight-cap", "none", "--token-lifetime", "1h")
    zoho.config(retry={"first_wait": 0.05, "give_up_after": 0.5})
    done = here("run", sheet("in.csv", rows(9)), "--json")
    assert done.code == 6
    assert balanced(done.json) == {"updated": 3, "not_sent": 6}
    assert zoho.state()["credits_left"] == 0


# -- login ---------------------------------------------------------------------------------


def login(
    code: str, then: Callable[["subprocess.Popen[bytes]"], None] | None = None
) -> tuple[int, str]:
    """Type what `batchlock login` asks for at a terminal; return exit code and screen."""
    ours, theirs = terminal()
    try:
        process = subprocess.Popen(
            command("login"), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        screen = ""
        for prompt, answer in (
            ("Client id", "me"),
            ("Client secret (not shown)", "hush-hush"),
            ("Code (not shown)", code),
        ):
            screen += read_until(ours, f"{prompt}")
            time.sleep(0.1)  # the prompt is written before the terminal stops to echo
            os.write(ours, f"{answer}\n".encode())
        if then is not None:
            then(process)
        screen += read_until(ours, None)
        return process.wait(PATIENCE), screen
    finally:
        os.close(ours)


def terminal() -> tuple[int, int]:
    """Open a terminal, our end and that of the command; skip the test where there are none."""
    pty = pytest.importorskip("pty")
    termios = pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    return ours, theirs


def read_until(screen: int, words: str | None) -> str:
    told = ""
    while words is None or words not in told:
        ready, _, _ = select.select([screen], [], [], PATIENCE)
        assert ready, told
        try:
            part = os.read(screen, 4096).decode()
        except OSError:  # the other side has closed
            part = ""
        if not part:
            break
        told += part
    return told


def test_login_stores_a_token_that_works(org: StandIn, here: Run) -> None:
    Path("config.yaml").write_text(f"zoho:\n  accounts_url: {org.url}\n", "utf-8")
    code, screen = login("1000.the-code")
    assert code == 0, screen
    assert "hush-hush" not in screen
    assert "1000.the-code" not in screen
    assert "ZohoCRM.modules.lockinginformation.ALL" in screen
    _, _, told = screen.replace("\r", "").partition("org: default\n")
    Path("config.yaml").write_text(
        told.replace("zoho:\n", f"zoho:\n  accounts_url: {org.url}\n  api_url: {org.url}\n"),
        "utf-8",
    )
    kept = list(Path(os.environ["HOME"]).rglob("default.*"))
    assert sorted(path.name for path in kept) == ["default.client_secret", "default.refresh_token"]
    assert {path.stat().st_mode & 0o077 for path in kept} == {0}
    assert here("run", sheet("in.csv", rows(1))).code == 0


def test_login_refuses_a_code_that_was_used(org: StandIn) -> None:
    Path("config.yaml").write_text(f"zoho:\n  accounts_url: {org.url}\n", "utf-8")
    code, screen = login("used")
    assert code == 5
    assert "invalid_code" in screen
    assert list(Path(os.environ["HOME"]).rglob("default.*")) == []


def test_login_without_a_terminal_says_that_it_needs_one(cli: Run) -> None:
    done = cli("login")
    assert done.code == 2
    assert done.err.endswith(
        "`batchlock login` asks questions, and got no answer. Type it at a terminal.\n"
    )


@POSIX
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_login_at_any_question(number: signal.Signals) -> None:
    ours, theirs = terminal()
    try:
        process = subprocess.Popen(
            command("login"), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        read_until(ours, "Client id")
        os.write(ours, b"me\n")
        read_until(ours, "Client secret (not shown)")
        process.send_signal(number)
        screen = read_until(ours, None)
        assert process.wait(PATIENCE) == 128 + number
    finally:
        os.close(ours)
    assert "Interrupted" in screen
    assert "Traceback" not in screen


@POSIX
def test_a_signal_ends_login_while_zoho_is_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        Path("config.yaml").write_text(f"zoho:\n  accounts_url: http://127.0.0.1:{port}\n", "utf-8")

        def interrupt(process: "subprocess.Popen[bytes]") -> None:
            asked, _ = deaf.accept()
            with asked:
                process.send_signal(signal.SIGINT)
                process.wait(PATIENCE)

        code, screen = login("1000.the-code", interrupt)
    assert code == 130, screen
    assert "Interrupted by SIGINT." in screen
    assert list(Path(os.environ["HOME"]).rglob("default.*")) == []


# -- signals and pipes ---------------------------------------------------------------------


@POSIX
def test_a_second_signal_ends_at_once_and_the_run_can_be_resumed(
    stand_in: Start, here: Run
) -> None:
    zoho = stand_in("--faults", "hang=1")
    zoho.config(state_directory="state")
    with started("run", sheet("in.csv", rows(3)), "--json") as process:
        assert process.stderr is not None
        for words in ("Reading", "Sending"):
            assert words in process.stderr.readline()
        while zoho.state()["calls"]["put"] < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert "Ending" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    (one,) = here("runs", "--json").json["runs"]
    assert (one["state"], one["rows"]) == ("unfinished", 3)
    assert balanced(here("show", one["run_id"], "--json").json) == {"unknown": 3}


def test_a_terminal_gets_a_bar() -> None:
    files()
    ours, theirs = terminal()
    try:
        process = subprocess.Popen(
            command("run", "in.csv", "--simulate", "--json"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        screen = read_until(ours, None)
        out, _ = process.communicate(timeout=PATIENCE)
    finally:
        os.close(ours)
    told: dict[str, Any] = json.loads(out)
    assert "2/2 rows" in screen
    assert balanced(told) == {"updated": 2}


@contextmanager
def unread() -> Iterator[int]:
    """Give a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    try:
        yield write
    finally:
        os.close(write)


@POSIX
def test_a_run_whose_log_lines_nobody_reads_comes_to_its_end() -> None:
    with unread() as pipe:
        done = subprocess.run(
            command("run", sheet("in.csv", rows(30)), "--simulate", "-v", "--json"),
            stdout=subprocess.PIPE,
            stderr=pipe,
            timeout=PATIENCE,
            check=False,
        )
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == told["exit_code"] == 0
    assert balanced(told) == {"updated": 30}


@POSIX
def test_a_run_without_any_standard_error_keeps_its_output_clean() -> None:
    closed = ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    done = subprocess.run(
        [*closed, *command("run", sheet("in.csv", rows(3)), "--simulate", "-v", "--json")],
        stdout=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert balanced(json.loads(done.stdout)) == {"updated": 3}


@POSIX
def test_results_that_nobody_reads_have_their_exit_code_all_the_same(here: Run) -> None:
    files()
    with unread() as pipe:
        done = subprocess.run(
            command("run", "bad.csv", "--simulate", "-v"),
            stdout=pipe,
            stderr=pipe,
            timeout=PATIENCE,
            check=False,
        )
        bad = subprocess.run(
            command("run", "none.csv", "--simulate"),
            stdout=pipe,
            stderr=pipe,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, bad.returncode) == (3, 4)
    (told,) = here("runs", "--json").json["runs"]
    assert (told["state"], told["settled"], told["exit_code"]) == ("finished", 1, 3)
    assert Path(told["output"]).exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_output_that_finds_no_room_is_told_and_costs_nothing_else() -> None:
    files()
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("run", "bad.csv", "--simulate", "--json", "-q"),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr == "Standard output cannot be written: No space left on device.\n"


@POSIX
def test_a_terminal_that_is_closed_ends_a_run_like_any_hangup(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--latency", "50ms")
    zoho.config(state_directory="state")
    ours, theirs = terminal()
    process = subprocess.Popen(
        command("run", sheet("in.csv", rows(200)), "--in-flight", 2),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    read_until(ours, "/200 rows")
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE) == 129
    (told,) = here("runs", "--json").json["runs"]
    assert (told["state"], told["exit_code"]) == ("unfinished", 129)
    assert Path(told["output"]).exists()
    assert "Traceback" not in Path("state/logs/batchlock.log").read_text("utf-8")
