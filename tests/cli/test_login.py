"""`batchlock login`: each way of signing in, what it stores, and what it refuses."""

import os
import re
import signal
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import keyring
import pytest
from support.commands import POSIX, SIGNALS, TIMEOUT_SECONDS, RunCommand, command
from support.sheets import rows, sheet
from support.terminal import open_terminal, read_until
from support.zoho import StandIn, Start

CLIENT = (("Client id", "1004.me"), ("Client secret (not shown)", "hush-hush"))
NUMBER = "990000000"


@dataclass
class Terminal:
    """A command at a terminal, and what it has written so far."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    screen: str = field(default="")

    def read(self, words: str | None) -> str:
        part = read_until(self.descriptor, words)
        self.screen += part
        return part

    def type(self, text: str) -> None:
        os.write(self.descriptor, f"{text}\n".encode())

    def answer(self, *pairs: tuple[str, str]) -> None:
        for prompt, text in pairs:
            # click writes the prompt; getpass then switches the echo off and writes the space.
            self.read(f"{prompt}: " if "[" not in prompt else prompt)
            self.type(text)

    def end(self) -> int:
        self.read(None)
        return self.process.wait(TIMEOUT_SECONDS)


@contextmanager
def at_terminal(*arguments: object) -> Iterator[Terminal]:
    ours, theirs = open_terminal()
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait(TIMEOUT_SECONDS)
        os.close(ours)


def decide(zoho: StandIn, user_code: str, decision: str) -> None:
    """Accept or reject a code, as a person does in a browser."""
    body = urllib.parse.urlencode({"user_code": user_code, "decision": decision}).encode()
    with urllib.request.urlopen(f"{zoho.url}/oauth/v3/device", body) as page:
        assert b"Accepted" in (text := page.read()) or b"Rejected" in text


@pytest.fixture
def zoho(stand_in: Start, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Start a stand-in that the environment names; there is no configuration."""
    zoho = stand_in()
    for name in ("API_URL", "ACCOUNTS_URL"):
        monkeypatch.setenv(f"BATCHLOCK_ZOHO__{name}", zoho.url)
    return zoho


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set client id and secret in the environment."""
    monkeypatch.setenv("BATCHLOCK_ZOHO__CLIENT_ID", "me")
    monkeypatch.setenv("BATCHLOCK_ZOHO__CLIENT_SECRET", "hush-hush")


@pytest.fixture
def own_config() -> Path:
    return Path(os.environ["HOME"], ".config", "batchlock", "config.yaml")


def sign_in_file(**changed: str) -> Path:
    values = {
        "ZOHO_CLIENT_ID": "me",
        "ZOHO_CLIENT_SECRET": "hush-hush",
        "ZOHO_REFRESH_TOKEN": "1000.mine",
        **changed,
    }
    file = Path("sign-in.env")
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), "utf-8")
    return file


def has_sent(run_in_process: RunCommand, *options: object) -> bool:
    completed = run_in_process("run", sheet("in.csv", rows(1)), *options, "--json")
    return completed.code == 0 and completed.json["counts"]["updated"] == 1


def test_a_code_accepted_in_a_browser_is_all_that_a_run_needs(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    with at_terminal("login") as terminal:
        terminal.answer(*CLIENT)
        terminal.read("Press Enter when you have accepted it.")
        [user_code] = re.findall(r"code: (\w+)", terminal.screen)
        decide(zoho, user_code, "approve")
        terminal.type("")
        assert terminal.end() == 0, terminal.screen
    assert "hush-hush" not in terminal.screen
    assert f"Signed in: Rehearsal User, Rehearsal Ltd ({NUMBER}), production" in terminal.screen
    secrets = sorted(own_config.parent.glob("default.*"))
    assert [path.name for path in secrets] == ["default.client_secret", "default.refresh_token"]
    assert {path.stat().st_mode & 0o077 for path in (*secrets, own_config)} == {0}
    assert f"organization_id: {NUMBER}" in own_config.read_text()
    assert has_sent(run_in_process)


def test_a_question_after_the_key_enter_is_answered_at_the_terminal(zoho: StandIn) -> None:
    Path("config.yaml").write_text("org: trial\n")
    with at_terminal("login", "--config", "config.yaml") as terminal:
        terminal.answer(*CLIENT)
        terminal.read("Press Enter when you have accepted it.")
        [user_code] = re.findall(r"code: (\w+)", terminal.screen)
        decide(zoho, user_code, "approve")
        terminal.type("")
        terminal.answer(("Change the file? [Y/n]", "y"))
        assert terminal.end() == 0, terminal.screen
    assert "client_secret_file" in Path("config.yaml").read_text("utf-8")


def test_a_code_that_is_rejected_in_the_browser_stores_nothing(
    zoho: StandIn, own_config: Path
) -> None:
    with at_terminal("login") as terminal:
        terminal.answer(*CLIENT)
        terminal.read("Press Enter when you have accepted it.")
        [user_code] = re.findall(r"code: (\w+)", terminal.screen)
        decide(zoho, user_code, "deny")
        terminal.type("")
        assert terminal.end() == 5, terminal.screen
    assert "was rejected at Zoho" in terminal.screen
    assert list(own_config.parent.glob("*")) == []


@POSIX
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_wait_for_a_person(zoho: StandIn, number: signal.Signals) -> None:
    with at_terminal("login") as terminal:
        terminal.answer(*CLIENT)
        terminal.read("Press Enter when you have accepted it.")
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
    assert f"Interrupted by {number.name}." in terminal.screen
    assert "Traceback" not in terminal.screen


@POSIX
def test_a_signal_ends_login_at_any_question() -> None:
    with at_terminal("login") as terminal:
        terminal.answer(("[us]", "eu"), CLIENT[0])
        terminal.read("Client secret (not shown)")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
    assert "https://api-console.zoho.eu" in terminal.screen
    assert "Interrupted" in terminal.screen
    assert "Traceback" not in terminal.screen


@POSIX
def test_a_signal_ends_login_while_it_waits_for_zoho(own_config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        port = silent_server.getsockname()[1]
        Path("config.yaml").write_text(f"zoho:\n  accounts_url: http://127.0.0.1:{port}\n", "utf-8")
        with at_terminal("login", "--self-client") as terminal:
            terminal.answer(*CLIENT, ("Code (not shown)", "1000.the-code"))
            connection, _ = silent_server.accept()
            with connection:
                terminal.process.send_signal(signal.SIGINT)
                assert terminal.end() == 130, terminal.screen
    assert "Interrupted by SIGINT." in terminal.screen
    assert list(own_config.parent.glob("default.*")) == []


def test_the_code_of_a_self_client_changes_the_configuration_after_a_yes(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    config = Path("config.yaml")
    config.write_text("limits:\n    in_flight: 3   # slow\n\nzoho:   # ours\n    api_version: v8\n")
    with at_terminal("login", "--self-client") as terminal:
        terminal.answer(*CLIENT, ("Code (not shown)", "1000.the-code"), ("[Y/n]", "y"))
        assert terminal.end() == 0, terminal.screen
    assert "ZohoCRM.modules.lockinginformation.ALL" in terminal.screen
    assert "1000.the-code" not in terminal.screen
    text = config.read_text()
    assert text.startswith("limits:\n    in_flight: 3   # slow\n\nzoho:   # ours\n    api_version")
    assert f"    client_secret_file: {own_config.parent / 'default.client_secret'}\n" in text
    assert has_sent(run_in_process)


def test_a_code_that_was_used_is_refused(zoho: StandIn, own_config: Path) -> None:
    with at_terminal("login", "--self-client") as terminal:
        terminal.answer(*CLIENT, ("Code (not shown)", "used"))
        assert terminal.end() == 5
    assert "invalid_code" in terminal.screen
    assert list(own_config.parent.glob("*")) == []


def test_login_without_a_terminal_is_refused_when_it_must_ask(
    zoho: StandIn, run_subprocess: RunCommand
) -> None:
    completed = run_subprocess("login")
    assert completed.code == 2
    assert completed.err.endswith(
        "`batchlock login` asks questions, and got no answer. Type it at a terminal.\n"
    )


@pytest.mark.usefixtures("client")
def test_client_credentials_are_stored_without_any_token(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    login = ("login", "--client-credentials", "--organization-id")
    refused = run_in_process(*login, "42")
    assert (refused.code, "(missing_org_info)" in refused.err) == (5, True)
    assert not own_config.exists()
    stored = run_in_process(*login, NUMBER)
    assert (stored.code, "stay in the environment" in stored.out) == (0, True)
    assert "grant: client_credentials" in own_config.read_text()
    assert "hush-hush" not in own_config.read_text()  # it stays in the environment
    assert has_sent(run_in_process)


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"CLIENT_ID": "wrong"}, "of another data centre than eu"),
        ({"CLIENT_SECRET": "wrong"}, "does not take the client secret"),
    ],
)
def test_a_wrong_client_is_refused_by_every_way(
    zoho: StandIn,
    run_in_process: RunCommand,
    own_config: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: Mapping[str, str],
    words: str,
) -> None:
    file = sign_in_file(**{f"ZOHO_{name}": value for name, value in changed.items()})
    for name, value in changed.items():
        monkeypatch.setenv(f"BATCHLOCK_ZOHO__{name}", value)
    ways: list[tuple[object, ...]] = [
        ("--client-credentials", "--organization-id", NUMBER),
        ("--from", file),
    ]
    if "CLIENT_ID" in changed:  # the secret is sent with the first question for the tokens
        ways.append(())
    for way in ways:
        refused = run_in_process("login", "--data-center", "eu", *way)
        assert (refused.code, words in refused.err) == (5, True), refused.err
    assert not own_config.exists()


def test_a_sign_in_of_a_file_is_taken_over_with_its_data_center(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    file = sign_in_file(ZOHO_API_DOMAIN="https://www.zohoapis.com.au")
    assert run_in_process("login", "--from", file).code == 0
    assert "data_center: au" in own_config.read_text()
    assert has_sent(run_in_process)


def test_a_file_without_a_sign_in_is_refused(zoho: StandIn, run_in_process: RunCommand) -> None:
    refused = run_in_process("login", "--from", sheet("in.csv", rows(1)))
    assert (refused.code, "in.csv has no sign-in." in refused.err) == (2, True)


def test_a_configuration_that_is_named_is_made_with_the_secrets_beside_it(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    named = ("-c", "etc/locks.yaml")
    completed = run_in_process("login", "--from", sign_in_file(), *named)
    assert "batchlock run FILE --config etc/locks.yaml" in completed.out
    assert not own_config.exists()
    assert {path.name for path in Path("etc").iterdir()} == {
        "locks.yaml",
        "default.client_secret",
        "default.refresh_token",
    }
    assert has_sent(run_in_process, *named)


def test_without_a_terminal_the_lines_are_printed_unless_yes_is_typed(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    config = Path("config.yaml")
    config.write_text("org: acme\nzoho:\n  client_secret: old-secret  # of last year\n", "utf-8")
    before = config.read_bytes()
    printed = run_in_process("login", "--from", sign_in_file())
    assert (printed.code, config.read_bytes()) == (0, before)
    assert "Put these lines into" in printed.out
    assert "zoho.client_secret" in printed.out
    assert "old-secret" not in printed.out
    assert run_in_process("login", "--from", sign_in_file(), "--yes").code == 0
    text = config.read_text("utf-8")
    assert "client_secret: null" in text
    assert "# of last year" in text
    assert "old-secret" not in text
    assert has_sent(run_in_process)


def test_a_configuration_that_cannot_be_changed_safely_is_left_and_the_lines_are_printed(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    config = Path("config.yaml")
    # Both groups are one object, so a change of one is a change of both.
    config.write_text("zoho: &nothing {}\nlimits: *nothing\n", "utf-8")
    before = config.read_bytes()
    refused = run_in_process("login", "--from", sign_in_file(), "--yes")
    assert (refused.code, config.read_bytes()) == (2, before)
    assert "cannot be changed" in refused.err
    assert "refresh_token_file: " in refused.out


@POSIX
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named_before_any_question(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    Path("etc").mkdir(mode=0o500)
    refused = run_in_process("login", "-c", "etc/config.yaml")
    assert (refused.code, "etc cannot be written" in refused.err) == (2, True)
    assert zoho.state()["calls"]["token"] == 0


def test_a_file_in_the_place_of_the_folder_is_named_before_any_question(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    Path("etc").write_text("")
    refused = run_in_process("login", "-c", "etc/config.yaml")
    assert (refused.code, "etc cannot be written" in refused.err) == (2, True)


def test_without_a_home_a_configuration_must_be_named(
    zoho: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", str(isolated / "state"))
    # What the standard library returns for an account that is not in the list of accounts.
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.delenv(name)
    refused = run_in_process("login", "--from", sign_in_file())
    assert (refused.code, "Set HOME, or name a configuration" in refused.err) == (2, True)
    assert run_in_process("login", "--from", sign_in_file(), "-c", "locks.yaml").code == 0
    assert has_sent(run_in_process, "-c", "locks.yaml")


def test_a_variable_that_would_win_over_the_sign_in_is_named(
    zoho: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_ZOHO__REFRESH_TOKEN", "old")
    refused = run_in_process("login", "--from", sign_in_file())
    assert refused.code == 2
    assert refused.err.startswith("BATCHLOCK_ZOHO__REFRESH_TOKEN is set in the environment")


def test_a_sign_in_of_another_org_than_the_pinned_one_is_not_stored(
    zoho: StandIn, own_config: Path
) -> None:
    own_config.parent.mkdir(parents=True)
    own_config.write_text("zoho: {organization_id: 42}\n")
    with at_terminal("login", "--self-client") as terminal:
        terminal.answer(*CLIENT, ("Code (not shown)", "1000.the-code"))
        assert terminal.end() == 2
    assert f"for the org 990000000000000001 or {NUMBER}, not for 42" in " ".join(
        terminal.screen.split()
    )
    assert own_config.read_text() == "zoho: {organization_id: 42}\n"
    assert zoho.state()["calls"]["token"] == 3  # the code, an access token, and the revocation


def test_a_sign_in_without_any_scope_for_locks_is_not_stored(
    stand_in: Start, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoho = stand_in("--scopes", "ZohoCRM.org.READ,ZohoCRM.users.READ")
    for name in ("API_URL", "ACCOUNTS_URL"):
        monkeypatch.setenv(f"BATCHLOCK_ZOHO__{name}", zoho.url)
    refused = run_in_process("login", "--from", sign_in_file())
    assert (refused.code, "no scope for records" in refused.err) == (5, True)


def test_scopes_that_commands_lack_are_named_with_them(
    stand_in: Start, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoho = stand_in("--scopes", "ZohoCRM.modules.ALL,ZohoCRM.org.READ,ZohoCRM.settings.ALL")
    for name in ("API_URL", "ACCOUNTS_URL"):
        monkeypatch.setenv(f"BATCHLOCK_ZOHO__{name}", zoho.url)
    completed = run_in_process("login", "--from", sign_in_file())
    assert completed.code == 0
    assert "lacks the scope ZohoCRM.coql.READ (needed by `batchlock locks`)" in completed.err


def test_a_new_token_is_stored_although_zoho_does_not_answer_the_call_that_tries_it(
    zoho: StandIn, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_ZOHO__API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("BATCHLOCK_RETRY__GIVE_UP_AFTER", "100ms")
    with at_terminal("login", "--self-client") as terminal:
        terminal.answer(*CLIENT, ("Code (not shown)", "1000.the-code"))
        assert terminal.end() == 6, terminal.screen
    assert "The sign-in is stored, and was not tried." in " ".join(terminal.screen.split())
    assert own_config.exists()


@pytest.mark.usefixtures("file_keyring")
def test_the_keyring_keeps_the_secrets(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    assert run_in_process("login", "--from", sign_in_file(), "--keyring").code == 0
    assert [path.name for path in own_config.parent.iterdir()] == ["config.yaml"]
    assert keyring.get_password("batchlock", "default.refresh_token") == "1000.mine"
    assert has_sent(run_in_process)


def test_client_credentials_of_a_stored_org_take_the_place_of_its_refresh_token(
    org: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    assert run_in_process("orgs", "add", "acme", "--from-config").code == 0
    with at_terminal("login", "--org", "acme", "--client-credentials") as terminal:
        terminal.answer(*CLIENT, ("of the CRM)", NUMBER))
        assert terminal.end() == 0, terminal.screen
    assert "The sign-in of acme is in the store." in terminal.screen
    [listed] = run_in_process("orgs", "list", "--json").json["orgs"]
    assert listed["grant"] == "client_credentials"
    assert has_sent(run_in_process, "--org", "acme")
    refused = run_in_process("login", "--org", "acme", "--keyring")
    assert (refused.code, "Leave --keyring out." in refused.err) == (2, True)


def test_only_one_way_can_be_chosen(zoho: StandIn, run_in_process: RunCommand) -> None:
    refused = run_in_process("login", "--self-client", "--client-credentials")
    assert (refused.code, "Choose one of" in refused.err) == (2, True)
    assert "--json belongs to --status." in run_in_process("login", "--json").err
