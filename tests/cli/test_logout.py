"""`batchlock login --status` and `batchlock logout`."""

import os
from pathlib import Path

import keyring
import pytest
from support.commands import RunCommand
from support.sheets import rows, sheet
from support.sign_in import sign_in_file
from support.zoho import StandIn, Start


def sign_in(run_in_process: RunCommand, *options: object) -> None:
    assert run_in_process("login", "--from", sign_in_file(), *options).code == 0


def test_the_status_says_whose_the_sign_in_is(zoho: StandIn, run_in_process: RunCommand) -> None:
    missing = run_in_process("login", "--status", "--json")
    assert (missing.code, missing.json["works"]) == (2, False)
    assert "zoho.client_id is missing" in missing.json["message"]
    sign_in(run_in_process)
    status = run_in_process("login", "--status", "--json").json
    assert status.pop("scopes")
    assert status == {
        "org": "default",
        "works": True,
        "exit_code": 0,
        "message": "",
        "grant": "refresh_token",
        "data_center": "us",
        "environment": "production",
        "user": "Rehearsal User",
        "organization_id": "990000000",
        "company_name": "Rehearsal Ltd",
        "org_type": "production",
        "edition": "ultimate",
        "pinned": True,
        "missing_scopes": [],
    }
    text = run_in_process("login", "--status").out
    assert "works    yes" in text
    assert "pinned   yes" in text
    zoho.revoke("1000.mine")
    revoked = run_in_process("login", "--status")
    assert (revoked.code, "works    no" in revoked.out) == (5, True)
    assert "(invalid_code)" in revoked.out


def test_the_status_names_missing_scopes_with_their_commands(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    stand_in("--scopes", "ZohoCRM.modules.ALL,ZohoCRM.org.READ,ZohoCRM.settings.ALL").config()
    status = run_in_process("login", "--status", "--json").json
    missing = {one["scope"]: one["commands"] for one in status["missing_scopes"]}
    assert missing["ZohoCRM.coql.READ"] == ["locks"]
    text = run_in_process("login", "--status").out
    assert "user     Zoho does not say" in text
    assert "pinned   no: set zoho.organization_id to 990000000" in text
    assert "lacks the scope ZohoCRM.coql.READ (needed by `batchlock locks`)" in text


def test_the_status_is_one_object_also_for_a_configuration_that_cannot_be_read(
    run_in_process: RunCommand,
) -> None:
    Path("config.yaml").write_text("zoho: {data_center: mars}\n")
    failed = run_in_process("login", "--status", "--json")
    assert (failed.code, failed.json["works"], failed.json["org"]) == (2, False, None)
    assert "data_center" in failed.json["message"]


def test_a_run_is_told_at_once_that_its_sign_in_has_no_scope_for_rows(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    stand_in("--scopes", "ZohoCRM.org.READ,ZohoCRM.settings.ALL").config()
    refused = run_in_process("run", sheet("in.csv", rows(3)))
    assert refused.code == 5
    warned_at, sending_at = refused.err.find("no scope for records"), refused.err.find("Sending")
    assert 0 <= warned_at < sending_at


def test_a_logout_revokes_the_token_and_removes_all_that_the_login_made(
    zoho: StandIn, run_in_process: RunCommand, own_folder: Path
) -> None:
    sign_in(run_in_process)
    assert run_in_process("run", sheet("in.csv", rows(1))).code == 0
    refused = run_in_process("logout")
    assert (refused.code, "Add --yes" in refused.err) == (2, True)
    done = run_in_process("logout", "--yes")
    assert done.code == 0, done.err
    assert "The token is revoked at Zoho." in done.out
    assert [path.name for path in own_folder.iterdir()] == ["config.yaml"]
    [tokens] = Path(os.environ["HOME"]).rglob("tokens/default.json")
    assert tokens.read_text() == "{}"
    missing = run_in_process("run", "in.csv")
    assert (missing.code, "zoho.client_secret is missing" in missing.err) == (2, True)
    again = run_in_process("login", "--from", "sign-in.env")  # a revoked token stays revoked
    assert (again.code, "(invalid_code)" in again.err) == (5, True)
    nothing = run_in_process("logout", "--yes")
    assert (nothing.code, "no sign-in of default to remove" in nothing.err) == (2, True)


def test_while_zoho_gives_no_answer_nothing_is_removed(
    zoho: StandIn,
    run_in_process: RunCommand,
    own_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign_in(run_in_process)
    before = {path.name: path.read_bytes() for path in own_folder.iterdir()}
    monkeypatch.setenv("BATCHLOCK_ZOHO__ACCOUNTS_URL", "http://127.0.0.1:9")
    away = run_in_process("logout", "--yes")
    assert (away.code, "Nothing was removed" in away.err) == (6, True)
    assert {path.name: path.read_bytes() for path in own_folder.iterdir()} == before
    local = run_in_process("logout", "--yes", "--local")
    assert local.code == 0, local.err
    assert [path.name for path in own_folder.iterdir()] == ["config.yaml"]
    monkeypatch.setenv("BATCHLOCK_ZOHO__ACCOUNTS_URL", zoho.url)
    sign_in(run_in_process, "--yes")  # it is valid at Zoho still


def test_a_token_that_was_revoked_before_is_removed(
    zoho: StandIn, run_in_process: RunCommand, own_folder: Path
) -> None:
    sign_in(run_in_process)
    zoho.revoke("1000.mine")
    done = run_in_process("logout", "--yes")
    assert (done.code, "was not valid at Zoho any more" in done.out) == (0, True)
    assert [path.name for path in own_folder.iterdir()] == ["config.yaml"]


def test_the_sign_in_of_another_configuration_stays(
    zoho: StandIn, run_in_process: RunCommand, own_folder: Path
) -> None:
    sign_in(run_in_process)
    sign_in(run_in_process, "-c", "etc/locks.yaml")
    Path("etc/new.yaml").write_text("limits: {}\n", "utf-8")
    refused = run_in_process("logout", "--yes", "-c", "etc/new.yaml")
    assert (refused.code, "no sign-in of default to remove" in refused.err) == (2, True)
    assert run_in_process("logout", "--yes", "--local", "-c", "etc/locks.yaml").code == 0
    assert {path.name for path in Path("etc").iterdir()} == {"locks.yaml", "new.yaml"}
    assert len([*own_folder.iterdir()]) == 3
    assert run_in_process("login", "--status").code == 0


def test_a_logout_that_was_killed_is_completed(
    zoho: StandIn, run_in_process: RunCommand, own_folder: Path
) -> None:
    sign_in(run_in_process)
    for name in ("client_secret", "refresh_token"):
        Path(own_folder, f"default.{name}").unlink()
    done = run_in_process("logout", "--yes")
    assert (done.code, "This stays" in done.out) == (0, False)
    assert "default.refresh_token" not in Path(own_folder, "config.yaml").read_text("utf-8")


def test_what_a_login_did_not_make_is_named_and_left(
    zoho: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("token").write_text("1000.mine")
    Path("config.yaml").write_text(
        "zoho: {client_id: me, refresh_token_file: token, client_secret_command: echo hush}\n"
    )
    done = run_in_process("logout", "--yes")
    assert "This stays: token was not made by `batchlock login`." in done.out
    assert "This stays: zoho.client_secret_command prints the secret." in done.out
    assert Path("token").exists()
    monkeypatch.setenv("BATCHLOCK_ZOHO__REFRESH_TOKEN", "1000.other")
    Path("config.yaml").write_text("zoho: {client_id: me, client_secret: hush}\n")
    done = run_in_process("logout", "--yes")
    assert "This stays: BATCHLOCK_ZOHO__REFRESH_TOKEN is set in the environment." in done.out
    assert "hush" not in Path("config.yaml").read_text()


@pytest.mark.usefixtures("file_keyring")
def test_the_entries_of_the_keyring_are_removed(zoho: StandIn, run_in_process: RunCommand) -> None:
    sign_in(run_in_process, "--keyring")
    assert run_in_process("logout", "--yes").code == 0
    for name in ("client_secret", "refresh_token"):
        assert keyring.get_password("batchlock", f"default.{name}") is None


def test_a_stored_org_stays_without_its_sign_in(org: StandIn, run_in_process: RunCommand) -> None:
    assert run_in_process("orgs", "add", "acme", "--from-config").code == 0
    assert run_in_process("login", "--status", "--org", "acme").code == 0
    # Whoever disables an org may want to end its sign-in, too.
    assert run_in_process("orgs", "disable", "acme").code == 0
    done = run_in_process("logout", "--org", "acme", "--yes")
    assert (done.code, "in the store: its secrets" in done.out) == (0, True)
    [listed] = run_in_process("orgs", "list", "--json").json["orgs"]
    assert listed["name"] == "acme"
    status = run_in_process("login", "--status", "--org", "acme")
    assert (status.code, "zoho.client_id is missing" in status.out) == (2, True)
    refused = run_in_process("run", sheet("in.csv", rows(1)))  # the same token is in config.yaml
    assert (refused.code, "(invalid_code)" in refused.out) == (5, True)


def test_client_credentials_end_with_their_access_token(
    zoho: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_ZOHO__CLIENT_ID", "me")
    monkeypatch.setenv("BATCHLOCK_ZOHO__CLIENT_SECRET", "hush")
    login = ("login", "--client-credentials", "--organization-id", "990000000")
    assert run_in_process(*login).code == 0
    done = run_in_process("logout", "--yes")
    assert "The token is revoked at Zoho." in done.out
    assert "The client stays valid at Zoho until it is deleted at" in done.out
    assert "There was no valid access token" in run_in_process("logout", "--yes").out
