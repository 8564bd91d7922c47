import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.runs import STATE, journals, open_store, recorded
from support.sheets import balanced, rows, sheet
from support.zoho import StandIn

from batchlock.core.errors import UsageError
from batchlock.core.runs import RunState


def test_the_state_is_readable_by_this_user_only(org: StandIn, run_in_process: RunCommand) -> None:
    run_in_process("run", sheet("in.csv", rows(1)))
    if os.name == "posix":
        assert STATE.stat().st_mode & 0o077 == 0
        (token,) = (STATE / "tokens").glob("*.json")
        assert token.stat().st_mode & 0o077 == 0


def test_no_secret_is_written_or_printed(org: StandIn, run_in_process: RunCommand) -> None:
    secret = "1000.abcdef.very-secret"
    org.config(
        state_directory=str(STATE), zoho={"client_secret": secret, "refresh_token": secret + "2"}
    )
    completed = run_in_process("run", sheet("in.csv", rows(1)), "-v", "-o", "out.csv")
    contents = [path.read_bytes() for path in Path().rglob("*") if path.is_file()]
    result = [one for one in contents if secret.encode() in one]
    assert completed.code == 0
    assert secret not in completed.out + completed.err
    assert result == [Path("config.yaml").read_bytes()]


def test_errors_of_one_run_name_their_cause(run_in_process: RunCommand) -> None:
    completed = run_in_process("run", sheet("in.csv", rows(1)), "--json")
    assert completed.code == UsageError.exit_code
    for name in ("client_id", "client_secret", "refresh_token"):
        assert f"zoho.{name} is missing" in completed.json["message"]


def test_an_unknown_run_is_reported_with_the_name_of_the_org(
    run_in_process: RunCommand, org: StandIn
) -> None:
    sheet("orders.csv", rows(1))
    assert run_in_process("run", "orders.csv", "--simulate").code == 0
    missing = run_in_process("show", "1999")
    assert missing.code == 2
    assert 'No run of the org default has an id that begins with "1999".' in missing.err


def test_an_ambiguous_run_id_is_reported_with_all_matches(
    run_in_process: RunCommand, org: StandIn
) -> None:
    sheet("orders.csv", rows(1))
    ids = {run_in_process("run", "orders.csv", "--json").json["run_id"] for _ in range(2)}
    result = run_in_process("show", "20")
    assert result.code == 2
    assert all(one in result.err for one in ids)


def test_a_state_folder_that_cannot_be_created_is_reported(
    run_in_process: RunCommand, org: StandIn, tmp_path: Path
) -> None:
    sheet("orders.csv", rows(1))
    (tmp_path / "file").write_text("")
    org.config(Path("blocked.yaml"), state_directory=str(tmp_path / "file" / "state"))
    completed = run_in_process("run", "orders.csv", "-c", "blocked.yaml")
    assert completed.code == 2
    assert "state_directory" in completed.err
    assert org.state()["calls"]["put"] == 0


@pytest.mark.parametrize("command", [("resume",), ("runs",), ("show", "2026")])
@pytest.mark.parametrize("state", ["file", "file/below"])
def test_a_state_path_that_is_a_file_is_not_an_empty_state_folder(
    run_in_process: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    state: str,
) -> None:
    Path("file").touch()
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", state)
    completed = run_in_process(*command)
    assert (completed.code, completed.out) == (2, "")
    assert "Set state_directory to" in completed.err


def damage(run_id: str) -> None:
    (journal,) = STATE.glob(f"runs/*/{run_id}.journal")
    journal.write_bytes(b"SQLite format 3" + bytes(4096))


def test_a_damaged_journal_is_reported_and_stops_no_other_run(
    run_in_process: RunCommand, org: StandIn
) -> None:
    file = sheet("orders.csv", rows(1))
    damage(run_in_process("run", file, "--json").json["run_id"])
    completed = run_in_process("run", file, "--json")
    assert (completed.code, balanced(completed.json)) == (0, {"updated": 1})
    assert "is damaged. What it did is not known, so its rows go out again." in completed.err


@pytest.mark.parametrize("loss", ["damaged", "empty", "missing"])
def test_an_unfinished_run_whose_journal_is_lost_stops_no_other_run(
    run_in_process: RunCommand, org: StandIn, loss: str
) -> None:
    file = sheet("orders.csv", rows(2))
    left = run_in_process("run", file, "--json", "--max-runtime", "1ms").json
    (journal,) = journals()
    match loss:
        case "damaged":
            damage(left["run_id"])
        case "empty":
            journal.write_bytes(b"")
        case _:
            journal.unlink()
    with open_store() as store:  # as if its process had been killed
        store.runs.start_session(recorded(left["run_id"]))
    resumed = run_in_process("resume")
    assert "no unfinished run" in resumed.out
    assert "Its run cannot be resumed" in resumed.err
    assert len(run_in_process("runs", "--json").json["runs"]) == 1
    completed = run_in_process("run", file, "--json")
    assert (completed.code, balanced(completed.json)) == (0, {"updated": 2})
    assert completed.json["run_id"] != left["run_id"]
    assert recorded(left["run_id"]).state is RunState.SUPERSEDED
    assert (left["run_id"] in [path.stem for path in journals()]) is (loss != "missing")


def test_an_error_that_ends_a_run_is_recorded_with_its_sentence(
    run_in_process: RunCommand, org: StandIn
) -> None:
    # With so few credits nothing is asked about the org, so no call has been made when it ends.
    org.config(state_directory=str(STATE), limits={"max_credits": 40})
    left = run_in_process("run", sheet("orders.csv", rows(2)), "--json", "--max-runtime", "1ms")
    (journal,) = journals()
    with closing(sqlite3.connect(journal, isolation_level=None)) as sql:
        sql.execute("UPDATE run SET value = '{}' WHERE name = 'reading'")
    resumed = run_in_process("resume")
    run = recorded(left.json["run_id"])
    assert run.reason is not None
    assert "was made by another version of batchlock" in run.reason.sentence
    assert run.reason.sentence in resumed.err
    assert (run.state, run.exit_code, resumed.code) == (RunState.STOPPED, 1, 1)
    assert (run.figures.remaining, org.state()["calls"]["put"]) == (2, 0)


@pytest.mark.parametrize(
    "arguments", [("run", "in.csv"), ("run", "in.csv", "--simulate"), ("runs",)]
)
def test_a_home_that_does_not_exist_is_told_before_anything_else(
    org: StandIn,
    run_in_process: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    org.config()
    home = Path("no-home").absolute()
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    sheet("in.csv", rows(1))
    completed = run_in_process(*arguments)
    assert completed.code == 2
    assert f"Your home folder {home} does not exist" in completed.err
    assert not home.exists()
    assert run_in_process("check", "in.csv").code == 0
    assert sum(org.state()["calls"].values()) == 0
