import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, command
from support.forked_command import run_on
from support.sheets import balanced, rows, sheet

# Letters that Latin-1, code page 437 or ASCII lack.
MODULE = "Umowy Łódź"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
STREAMS = [
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "latin-1:strict"},
    {"PYTHONIOENCODING": "cp437"},
    {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "latin-1"},
    ASCII,
]


def run(
    *arguments: object, environment: dict[str, str] | None = None, **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        command(*arguments),
        env={**os.environ, **(environment or {})},
        timeout=TIMEOUT_SECONDS,
        check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


@pytest.fixture
def file() -> Path:
    return sheet("in.csv", [*rows(1), (MODULE, *rows(2)[1][1:])])


# JSON has no letter that depends on the encoding; these streams differ in how they are opened.
@pytest.mark.parametrize("environment", STREAMS[-2:])
def test_json_is_ascii_and_true_in_any_encoding(file: Path, environment: dict[str, str]) -> None:
    completed = run("run", file, "--simulate", "--json", environment=environment)
    assert completed.stdout.isascii()
    result = json.loads(completed.stdout)
    assert completed.returncode == result["exit_code"] == 3
    assert balanced(result) == {"updated": 1, "invalid": 1}
    assert MODULE in result["causes"][0]["message"]


@pytest.mark.parametrize("environment", STREAMS)
def test_text_escapes_what_an_encoding_lacks(file: Path, environment: dict[str, str]) -> None:
    completed = run("check", file, environment=environment)
    assert completed.returncode == 3
    encoding = environment.get("PYTHONIOENCODING", "ascii").partition(":")[0]
    text = completed.stdout.decode(encoding)
    assert r"Umowy \u0141" in text
    assert b"Traceback" not in completed.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take text as names only")
@pytest.mark.parametrize("as_json", [True, False])
def test_the_name_of_a_file_may_be_no_text(as_json: bool) -> None:
    file = sheet("in.csv", rows(1)).rename(os.fsdecode(b"na\xffme.csv"))
    options = ["--json", "-v"] if as_json else []
    completed = run("run", file, "--simulate", *options)
    assert completed.returncode == 0
    assert b"Traceback" not in completed.stderr
    assert b"Logging error" not in completed.stderr
    if as_json:
        output = Path(json.loads(completed.stdout)["output"])
    else:
        assert rb"Results: " in completed.stdout
        assert rb"na\udcffme-results-" in completed.stdout
        (output,) = Path().glob("*-results-*.xlsx")
    assert output.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("streams", ["stdout", "stderr", "stdout stderr"])
def test_full_streams_do_not_change_the_exit_code(file: Path, streams: str) -> None:
    with Path("/dev/full").open("w") as full, Path("printed").open("w+") as printed:
        ends = {"stdout": -1, "stderr": printed.fileno()}
        ends |= dict.fromkeys(streams.split(), full.fileno())
        for arguments, code in ((["run", file, "--simulate"], 3), (["--help"], 0), (["no"], 2)):
            assert run_on(arguments, **ends) == code
        assert "Traceback" not in Path("printed").read_text("utf-8")


@POSIX
@pytest.mark.parametrize("closed", ["stdout", "stderr", "stdin"])
def test_a_closed_stream_does_not_change_the_exit_code(file: Path, closed: str) -> None:
    with Path("printed").open("w+") as printed:
        ends = {"stdin": -1, "stdout": -1, "stderr": printed.fileno(), closed: None}
        assert run_on(["run", file, "--simulate", "--json"], **ends) == 3
        assert "Traceback" not in Path("printed").read_text("utf-8")


# In a process that the shell starts, so that Python itself finds the streams closed.
@POSIX
def test_closed_streams_do_not_change_the_exit_code(file: Path) -> None:
    arguments = command("run", file, "--simulate", "--json")
    completed = subprocess.run(
        ["sh", "-c", '"$@" >&- 2>&- <&-', "sh", *arguments],
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert completed.returncode == 3
    assert b"Traceback" not in completed.stderr


@POSIX
def test_a_full_pipe_that_does_not_block_is_waited_for() -> None:
    file = sheet("in.csv", [("x", "1", "2", "why")] * 1_000)  # more than a pipe holds
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    parts: list[bytes] = []

    def read() -> None:
        while part := os.read(ours, 1 << 16):
            parts.append(part)

    with subprocess.Popen(command("check", file, "--json"), stdout=theirs) as process:
        os.close(theirs)
        reader = threading.Thread(target=read)
        reader.start()
        assert process.wait(TIMEOUT_SECONDS) == 3
        reader.join(TIMEOUT_SECONDS)
    os.close(ours)
    assert json.loads(b"".join(parts))["rows"] == 1_000
