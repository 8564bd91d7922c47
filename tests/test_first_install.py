"""The page of the first install: its commands lead to a sign-in that works."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from support.commands import TIMEOUT_SECONDS, command
from support.forked_command import run_forked
from support.paths import ROOT
from support.readme import commands_in
from support.terminal import open_terminal, read_until
from support.zoho import Start

_PAGE = (ROOT / "docs" / "first-install.md").read_text("utf-8")
_ADDRESS = "http://127.0.0.1:8899"


def sign_in(arguments: list[str], *answers: tuple[str, str]) -> str:
    """Type a command at a terminal, answer its questions, and return what it shows after them."""
    ours, theirs = open_terminal()
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        for question, answer in answers:
            read_until(ours, question)
            os.write(ours, f"{answer}\n".encode())
        shown = read_until(ours, None)
        assert process.wait(TIMEOUT_SECONDS) == 0, shown
    finally:
        process.kill()
        process.wait(TIMEOUT_SECONDS)
        os.close(ours)
    return shown


def test_the_commands_of_the_first_install_work_one_after_the_other(
    samples_copy: Path, stand_in: Start
) -> None:
    url = stand_in().url
    (config, *_) = re.findall(r"^```yaml\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
    assert _ADDRESS in config
    expected = {
        "run samples": "200 rows: 200 updated",
        "login": "config.yaml was changed",
        "doctor": "Everything that was checked works",
        "template": "Fill in locks.xlsx",
        "check": "To send ",
        "run": "200 rows: 200 updated",
        "runs": "rows done:       200 of       200",
    }
    executed = []
    # What follows is for an org.
    for arguments in commands_in(_PAGE.partition("## Step 7")[0]):
        name = arguments[0]
        # The stand-in of the fixture takes the place of the first, and tests of `batchlock login`
        # take the way of the browser.
        if name == "simulate" or arguments == ["login"]:
            continue
        if name == "run" and "--simulate" in arguments:
            name = "run samples"
        if name == "login":
            Path("config.yaml").write_text(config.replace(_ADDRESS, url), "utf-8")
            answers = (("Client id: ", "an id"), ("shown): ", "a secret"), ("[Y/n]", "y"))
            out = sign_in(arguments, *answers)
        else:
            completed = run_forked(arguments)
            assert completed.returncode == 0, (arguments, completed.stdout, completed.stderr)
            out = completed.stdout
        assert expected[name] in out.replace("\r\n", "\n"), (arguments, out)
        executed.append(name)
        if name == "template":  # "with rows in it, such as a copy of the samples"
            shutil.copy(samples_copy / "samples" / "lock_updates.xlsx", "lock_updates.xlsx")
    assert set(executed) == set(expected)
