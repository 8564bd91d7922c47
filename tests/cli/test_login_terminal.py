"""`batchlock login` at a terminal: codes, questions and signals."""

import os
import re
import signal
import socket
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from support.commands import POSIX, SIGNALS, RunCommand
from support.sign_in import ORG_NUMBER, has_sent, sign_in_file
from support.terminal import Terminal, at_terminal
from support.zoho import StandIn

CLIENT = (("Client id", "1004.me"), ("Client secret (not shown)", "hush-hush"))


def decide(terminal: Terminal, zoho: StandIn, decision: str) -> None:
    """Accept or reject the code of a login, as a person does in a browser, and press Enter."""
    terminal.answer(*CLIENT)
    terminal.read("Press Enter when you have accepted it.")
    [user_code] = re.findall(r"code: (\w+)", terminal.screen)
    body = urllib.parse.urlencode({"user_code": user_code, "decision": decision}).encode()
    with urllib.request.urlopen(f"{zoho.url}/oauth/v3/device", body) as page:
        assert b"Accepted" in (text := page.read()) or b"Rejected" in text
    terminal.type("")


def test_a_code_accepted_in_a_browser_is_all_that_a_run_needs(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    with at_terminal("login") as terminal:
        decide(terminal, zoho, "approve")
        assert terminal.end() == 0, terminal.screen
    assert "hush-hush" not in terminal.screen
    assert f"Signed in: Rehearsal User, Rehearsal Ltd ({ORG_NUMBER}), production" in terminal.screen
    secrets = sorted(own_config.parent.glob("default.*"))
    assert [path.name for path in secrets] == ["default.client_secret", "default.refresh_token"]
    assert {path.stat().st_mode & 0o077 for path in (*secrets, own_config)} == {0}
    assert f"organization_id: {ORG_NUMBER}" in own_config.read_text()
    assert has_sent(run_in_process)


def test_a_question_after_the_key_enter_is_answered_at_the_terminal(zoho: StandIn) -> None:
    Path("config.yaml").write_text("org: trial\n")
    with at_terminal("login", "--config", "config.yaml") as terminal:
        decide(terminal, zoho, "approve")
        terminal.answer(("Change the file? [Y/n]", "y"))
        assert terminal.end() == 0, terminal.screen
    assert "client_secret_file" in Path("config.yaml").read_text("utf-8")


def test_a_code_that_is_rejected_in_the_browser_stores_nothing(
    zoho: StandIn, own_config: Path
) -> None:
    with at_terminal("login") as terminal:
        decide(terminal, zoho, "deny")
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


def test_a_sign_in_of_another_org_than_the_pinned_one_is_not_stored(
    zoho: StandIn, own_config: Path
) -> None:
    own_config.parent.mkdir(parents=True)
    own_config.write_text("zoho: {organization_id: 42}\n")
    with at_terminal("login", "--self-client") as terminal:
        terminal.answer(*CLIENT, ("Code (not shown)", "1000.the-code"))
        assert terminal.end() == 2
    assert f"for the org 990000000000000001 or {ORG_NUMBER}, not for 42" in " ".join(
        terminal.screen.split()
    )
    assert own_config.read_text() == "zoho: {organization_id: 42}\n"
    assert zoho.state()["calls"]["token"] == 3  # the code, an access token, and the revocation


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


def test_client_credentials_of_a_stored_org_take_the_place_of_its_refresh_token(
    org: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    assert run_in_process("orgs", "add", "acme", "--from-config").code == 0
    with at_terminal("login", "--org", "acme", "--client-credentials") as terminal:
        terminal.answer(*CLIENT, ("of the CRM)", ORG_NUMBER))
        assert terminal.end() == 0, terminal.screen
    assert "The sign-in of acme is in the store." in terminal.screen
    [listed] = run_in_process("orgs", "list", "--json").json["orgs"]
    assert listed["grant"] == "client_credentials"
    assert has_sent(run_in_process, "--org", "acme")
    refused = run_in_process("login", "--org", "acme", "--keyring")
    assert (refused.code, "Leave --keyring out." in refused.err) == (2, True)


@POSIX
def test_a_configuration_that_was_edited_during_a_question_is_left(zoho: StandIn) -> None:
    config = Path("config.yaml")
    config.write_text("org: acme\n", "utf-8")
    with at_terminal("login", "--from", sign_in_file()) as terminal:
        terminal.read("Change the file?")
        config.write_text("org: acme\nlimits: {max_in_flight: 5}\n", "utf-8")
        terminal.type("y")
        assert terminal.end() == 2
    assert "was changed by somebody else in the meantime" in " ".join(terminal.screen.split())
    assert config.read_text("utf-8").endswith("5}\n")
    assert not [*Path(os.environ["HOME"]).rglob("acme.*_token")]
