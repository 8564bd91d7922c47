"""`batchlock doctor`: Python, configuration, folders and store, without a network."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from support.commands import POSIX, CommandResult, RunCommand
from support.doctor import check_of, not_good, states
from support.old_state import files_of
from support.sheets import rows, sheet
from support.zoho import StandIn, Start

from batchlock.store.database import NAME
from batchlock.store.migrations import HEAD

# Without these, a store is one of revision 0012.
_TABLES_SINCE_0012 = ("approvals", "upload_editors")


def offline(run: RunCommand, *options: object) -> CommandResult:
    return run("doctor", "--offline", "--json", *options)


def test_an_empty_home_lacks_a_sign_in_only(run_in_process: RunCommand) -> None:
    result = offline(run_in_process)
    assert result.code == result.json["exit_code"] == 2
    assert not_good(result) == {
        "configuration.file": "doubtful",
        "configuration.credentials": "bad",
        "network.api": "skipped",
        "sign_in.token": "skipped",
    }
    assert "batchlock login" in check_of(result, "configuration.credentials")["what_to_do"]
    assert list(Path.home().iterdir()) == []


def test_nothing_is_changed(org: StandIn, run_in_process: RunCommand) -> None:
    sheet("in.csv", rows(3))
    assert run_in_process("run", "in.csv").code == 0
    # A process that was killed leaves a log behind, which a reader would write to its file.
    with sqlite3.connect("state/store.sqlite") as sql:
        sql.execute("INSERT INTO facts VALUES ('trial', 'x')")
        sql.commit()
        shutil.copytree("state", "killed")
    sql.close()
    assert Path("killed/store.sqlite-wal").stat().st_size
    Path("killed").chmod(0o755)
    org.config(state_directory="killed")
    before = tree(Path("killed"))
    for option in ("--offline", "--json"):
        run_in_process("doctor", option)
    assert tree(Path("killed")) == before
    calls = org.state()["calls"]
    assert (calls["put"], calls["post"], calls["delete"]) == (3, 0, 0)


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return the content, the rights and the time of everything in a folder."""
    content = files_of(folder)
    entries = {}
    for path in sorted(folder.rglob("*")):
        status, name = path.stat(), str(path.relative_to(folder))
        entries[name] = (content.get(name), status.st_mode, status.st_mtime_ns)
    return entries | {".": (folder.stat().st_mode,)}


def test_every_problem_of_the_configuration_is_named(
    run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config.yaml").write_text(
        "zoho: {data_center: mars}\nlimit: {in_flight: 3}\nstate_directory: state\n", "utf-8"
    )
    monkeypatch.setenv("BATCHLOCK_RETRY__TIMEOUT", "soon")
    result = offline(run_in_process)
    assert result.code == 2
    problems = [
        check["message"]
        for check in result.json["checks"]
        if check["id"].startswith("configuration.settings.")
    ]
    assert len(problems) == 3
    assert check_of(result, "configuration.file")["message"].endswith(
        f"{Path('config.yaml').absolute()}."
    )
    assert "BATCHLOCK_RETRY__TIMEOUT" in check_of(result, "configuration.variables")["message"]
    assert check_of(result, "configuration.credentials")["state"] == "skipped"
    # What the valid settings say is checked all the same.
    assert states(result)["folders.state"] == "good"


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\xfa", b"org: [", b"- a\n- b\n"], ids=["bytes", "yaml", "list"]
)
def test_a_configuration_that_cannot_be_read_skips_what_depends_on_it(
    content: bytes, run_in_process: RunCommand
) -> None:
    Path("config.yaml").write_bytes(content)
    result = offline(run_in_process)
    assert result.code == 2
    state_of = states(result)
    assert state_of["configuration.settings.1"] == "bad"
    assert state_of["folders.state"] == state_of["store.tables"] == "skipped"
    assert state_of["folders.current"] == state_of["platform.python"] == "good"


def test_a_configuration_that_is_missing_is_bad(run_in_process: RunCommand) -> None:
    result = offline(run_in_process, "-c", "missing.yaml")
    assert result.code == 2
    assert "missing.yaml" in check_of(result, "configuration.settings.1")["message"]


def test_a_wrong_data_centre_in_an_address_is_recognised(run_in_process: RunCommand) -> None:
    Path("config.yaml").write_text(
        "zoho: {data_center: eu, api_url: 'https://www.zohoapis.com'}\n", "utf-8"
    )
    check = check_of(offline(run_in_process), "configuration.data_center")
    assert check["state"] == "bad"
    assert "data centre us" in check["message"]


def test_credentials_that_go_to_another_server_are_doubtful(run_in_process: RunCommand) -> None:
    Path("config.yaml").write_text("zoho: {accounts_url: 'https://zoho.example.com'}\n", "utf-8")
    check = check_of(offline(run_in_process), "configuration.data_center")
    assert check["state"] == "doubtful"


@POSIX
def test_secrets_that_others_can_read_are_named(org: StandIn, run_in_process: RunCommand) -> None:
    Path("config.yaml").chmod(0o644)
    sheet("in.csv", rows(1))
    assert run_in_process("run", "in.csv").code == 0
    Path("state/tokens/default.json").chmod(0o644)
    result = offline(run_in_process)
    assert check_of(result, "configuration.private")["state"] == "doubtful"
    private = check_of(result, "folders.state_private")
    assert private["state"] == "bad"
    assert "tokens/default.json" in private["message"]
    Path("state/tokens/default.json").chmod(0o600)
    Path("state").chmod(0o755)
    assert check_of(offline(run_in_process), "folders.state_private")["state"] == "doubtful"


@pytest.mark.parametrize(
    ("setting", "check_id"),
    [("state_directory", "folders.state"), ("results: {directory", "folders.results")],
)
def test_a_folder_that_cannot_be_used_is_bad(
    setting: str, check_id: str, run_in_process: RunCommand
) -> None:
    Path("file").write_text("", "utf-8")
    end = "}" if "{" in setting else ""
    Path("config.yaml").write_text(f"{setting}: file/folder{end}\n", "utf-8")
    result = offline(run_in_process)
    assert result.code == 2
    assert check_of(result, check_id)["state"] == "bad"
    assert "is a file" in check_of(result, check_id)["message"]


def test_a_home_that_is_missing_is_bad(
    run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(Path("gone").absolute()))
    result = offline(run_in_process)
    assert check_of(result, "folders.state")["state"] == "bad"
    assert "HOME" in check_of(result, "folders.state")["what_to_do"]


def test_a_damaged_store_is_bad(org: StandIn, run_in_process: RunCommand) -> None:
    Path("state").mkdir(mode=0o700)
    store = Path("state", NAME)
    store.write_bytes(b"no database at all" * 1000)
    result = offline(run_in_process)
    assert result.code == 2
    check = check_of(result, "store.tables")
    assert (check["state"], "damaged" in check["message"]) == ("bad", True)
    assert "Move it away" in check["what_to_do"]
    assert states(result)["work.runs"] == "skipped"
    assert list(Path("state").iterdir()) == [store]


@pytest.mark.parametrize(("revision", "state"), [("9999", "bad"), ("0012", "good")])
def test_a_store_of_another_version_is_only_looked_at(
    revision: str, state: str, org: StandIn, run_in_process: RunCommand
) -> None:
    assert HEAD > "0012"
    sheet("in.csv", rows(1))
    run_in_process("run", "in.csv")
    with sqlite3.connect("state/store.sqlite") as sql:
        sql.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        if revision < HEAD:
            for table in _TABLES_SINCE_0012:
                sql.execute(f"DROP TABLE IF EXISTS {table}")
    sql.close()
    before = files_of(Path("state"))
    result = offline(run_in_process)
    assert check_of(result, "store.tables")["state"] == state
    assert result.code == (2 if state == "bad" else 0)
    assert files_of(Path("state")) == before


def test_an_unfinished_run_is_named_with_the_command_that_resumes_it(
    org: StandIn, run_in_process: RunCommand
) -> None:
    sheet("in.csv", rows(30))
    stopped = run_in_process("run", "in.csv", "--max-runtime", "0.001s", "--json").json
    assert stopped["exit_code"] == 6
    check = check_of(offline(run_in_process), "work.unfinished")
    assert check["state"] == "doubtful"
    assert f"batchlock resume {stopped['run_id']}." in check["what_to_do"]


def test_an_org_of_the_store_is_checked_with_its_own_sign_in(
    stand_in: Start, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", str(Path("state").absolute()))
    zoho = stand_in()
    zoho.config(Path("of-acme.yaml"))
    added = run_in_process(
        "orgs", "add", "acme", "--from-config", "--no-test", "-c", "of-acme.yaml"
    )
    assert added.code == 0, added.err
    assert offline(run_in_process, "--org", "acme").code == 0
    online = run_in_process("doctor", "--json", "--org", "acme")
    assert (online.code, states(online)["sign_in.token"]) == (0, "good")
    assert list(Path("state/tokens").glob("*.json")) == []
    # The machine of a worker has no sign-in in its configuration.
    other = run_in_process("doctor", "--json")
    assert (other.code, states(other)["configuration.credentials"]) == (0, "skipped")
    assert "--org" in check_of(other, "configuration.credentials")["message"]
    result = offline(run_in_process, "--org", "acmee")
    assert result.code == 2
    assert "acme" in check_of(result, "configuration.org")["message"]
    Path("state/secrets.key").unlink()
    result = offline(run_in_process, "--org", "acme")
    assert result.code == 2
    assert check_of(result, "store.key")["state"] == "bad"
    assert "secrets.key" in check_of(result, "store.key")["message"]


def test_quiet_shows_what_a_person_should_look_at_only(run_in_process: RunCommand) -> None:
    loud, quiet = (run_in_process("doctor", "--offline", *more) for more in ((), ("-q",)))
    assert loud.code == quiet.code == 2
    assert "  good      " in loud.out
    assert "good  " not in quiet.out
    assert "BAD       zoho.client_id is missing." in quiet.out
    assert quiet.out.splitlines()[-1] == loud.out.splitlines()[-1]


def test_an_option_that_does_not_exist_ends_with_the_object_of_the_command(
    run_in_process: RunCommand,
) -> None:
    result = run_in_process("doctor", "--ofline", "--json")
    assert (result.code, result.json["checks"]) == (2, [])


def test_a_folder_with_files_is_checked_with_its_places_for_them(
    run_in_process: RunCommand,
) -> None:
    Path("in/attention").mkdir(parents=True)
    Path("in/done").write_text("", "utf-8")
    state_of = states(offline(run_in_process, "--inbox", "in"))
    assert state_of["folders.inbox"] == state_of["folders.inbox_attention"] == "good"
    assert state_of["folders.inbox_done"] == "bad"
    assert states(offline(run_in_process, "--inbox", "gone"))["folders.inbox"] == "bad"
