"""`batchlock login` without a question: what it stores, and what it refuses."""

import os
from collections.abc import Mapping
from pathlib import Path

import keyring
import pytest
from support.commands import POSIX, RunCommand, run_with_input
from support.sheets import rows, sheet
from support.sign_in import ORG_NUMBER, has_sent, sign_in_file
from support.zoho import StandIn, Start


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set client id and secret in the environment."""
    monkeypatch.setenv("BATCHLOCK_ZOHO__CLIENT_ID", "me")
    monkeypatch.setenv("BATCHLOCK_ZOHO__CLIENT_SECRET", "hush-hush")


def test_login_without_a_terminal_is_refused_when_it_must_ask(
    zoho: StandIn, run_subprocess: RunCommand
) -> None:
    completed = run_subprocess("login")
    assert completed.code == 2
    assert completed.err.endswith(
        "`batchlock login` asks questions, and got no answer. Type it at a terminal.\n"
    )


@POSIX
def test_answers_can_be_piped_without_a_warning(zoho: StandIn) -> None:
    login = ("login", "--client-credentials", "--organization-id", ORG_NUMBER)
    completed = run_with_input([*login], typed="me\nhush-hush\n")
    assert (completed.returncode, completed.stderr) == (0, "")


@pytest.mark.usefixtures("client")
def test_client_credentials_are_stored_without_any_token(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    login = ("login", "--client-credentials", "--organization-id")
    refused = run_in_process(*login, "42")
    assert (refused.code, "(missing_org_info)" in refused.err) == (5, True)
    assert not own_config.exists()
    stored = run_in_process(*login, ORG_NUMBER)
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
        ("--client-credentials", "--organization-id", ORG_NUMBER),
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


def test_without_agreement_the_sign_in_that_works_is_left(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    config = Path("config.yaml")
    config.write_text("org: acme\n", "utf-8")
    assert run_in_process("login", "--from", sign_in_file(), "--yes").code == 0
    other = sign_in_file(ZOHO_CLIENT_ID="other", ZOHO_REFRESH_TOKEN="1000.other")
    refused = run_in_process("login", "--from", other)
    assert refused.code == 2
    assert "add --yes. Nothing was stored." in refused.err
    [token] = Path(os.environ["HOME"]).rglob("acme.refresh_token")
    assert token.read_text() == "1000.mine"
    assert has_sent(run_in_process)


def test_the_files_of_another_configuration_are_not_replaced(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    assert run_in_process("login", "--from", sign_in_file(), "-c", "etc/one.yaml").code == 0
    other = sign_in_file(ZOHO_REFRESH_TOKEN="1000.other")
    refused = run_in_process("login", "--from", other, "-c", "etc/two.yaml")
    assert refused.code == 2
    assert "one.yaml, whose org is called default, too" in refused.err
    assert Path("etc/default.refresh_token").read_text() == "1000.mine"
    Path("etc/two.yaml").write_text("org: two\n", "utf-8")
    assert run_in_process("login", "--from", other, "-c", "etc/two.yaml", "--yes").code == 0
    for name in ("one", "two"):
        assert has_sent(run_in_process, "-c", f"etc/{name}.yaml")


def test_a_full_disk_leaves_the_sign_in_before(
    zoho: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ("-c", "etc/locks.yaml")
    assert run_in_process("login", "--from", sign_in_file(), *config).code == 0
    before = {path.name: path.read_bytes() for path in Path("etc").iterdir()}
    Path("etc/locks.yaml.new").mkdir()  # the draft of the last file cannot be written
    other = sign_in_file(ZOHO_CLIENT_ID="other", ZOHO_REFRESH_TOKEN="1000.other")
    refused = run_in_process("login", "--from", other, *config, "--yes")
    assert (refused.code, "Nothing was stored." in refused.err) == (2, True)
    Path("etc/locks.yaml.new").rmdir()
    assert {path.name: path.read_bytes() for path in Path("etc").iterdir()} == before


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


def test_a_sign_in_without_any_scope_for_locks_is_not_stored(
    stand_in: Start, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoho = stand_in("--scopes", "ZohoCRM.org.READ,ZohoCRM.users.READ")
    zoho.use_in_environment(monkeypatch)
    refused = run_in_process("login", "--from", sign_in_file())
    assert (refused.code, "no scope for records" in refused.err) == (5, True)


def test_scopes_that_commands_lack_are_named_with_them(
    stand_in: Start, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoho = stand_in("--scopes", "ZohoCRM.modules.ALL,ZohoCRM.org.READ,ZohoCRM.settings.ALL")
    zoho.use_in_environment(monkeypatch)
    completed = run_in_process("login", "--from", sign_in_file())
    assert completed.code == 0
    assert "lacks the scope ZohoCRM.coql.READ (needed by `batchlock locks`)" in completed.err


@pytest.mark.usefixtures("file_keyring")
def test_the_keyring_keeps_the_secrets(
    zoho: StandIn, run_in_process: RunCommand, own_config: Path
) -> None:
    assert run_in_process("login", "--from", sign_in_file(), "--keyring").code == 0
    assert [path.name for path in own_config.parent.iterdir()] == ["config.yaml"]
    assert keyring.get_password("batchlock", "default.refresh_token") == "1000.mine"
    assert has_sent(run_in_process)


def test_only_one_way_can_be_chosen(zoho: StandIn, run_in_process: RunCommand) -> None:
    refused = run_in_process("login", "--self-client", "--client-credentials")
    assert (refused.code, "Choose one of" in refused.err) == (2, True)
    assert "--json belongs to --status." in run_in_process("login", "--json").err
