"""`batchlock doctor --bundle`: the file for a bug report, and what is not in it."""

import json
import sys
import zipfile
from pathlib import Path

import pytest
from support.commands import POSIX, RunCommand
from support.sheets import sheet
from support.zoho import Start

from batchlock.doctor.redaction import Phrases, Redactor, own_phrases

RECORDS = [f"58431040000004255{number}" for number in range(10, 20)]
LOCKS = [f"58431040000009110{number}" for number in range(10, 20)]
REASONS = [
    "Frozen until Zebediah Quill signs",
    "the record is locked",
    "Audit; corrections only with a credit note",
]
SECRETS = ["hush-4711-client-secret", "1000.refresh-4711-token", "1000.CLIENT4711"]
PRIVATE = ["Quarterly-Secret-List", "Zebediah", "Quill", "Umbrella Holding", "tremolo", "Kassandra"]


def parts_of(bundle: Path) -> dict[str, str]:
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture
def run_of_secrets(
    stand_in: Start, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run a file, and meet errors, with texts that no other text has."""
    zoho = stand_in("--company-name", "Umbrella Holding")
    client_secret, refresh_token, client_id = SECRETS
    monkeypatch.setenv("BATCHLOCK_ZOHO__CLIENT_SECRET", client_secret)
    zoho.config(
        org="tremolo",
        state_directory="Kassandra/state",
        zoho={"client_id": client_id, "refresh_token": refresh_token, "client_secret": None},
    )
    config = json.loads(Path("config.yaml").read_text("utf-8"))
    del config["zoho"]["client_secret"]
    Path("config.yaml").write_text(json.dumps(config), "utf-8")
    rows = [
        ("Leads", record, lock, REASONS[number % 3])
        for number, (record, lock) in enumerate(zip(RECORDS, LOCKS, strict=True))
    ]
    sheet("Quarterly-Secret-List.csv", [*rows, ("Leeds", RECORDS[0], "", REASONS[0])])
    assert run_in_process("run", "Quarterly-Secret-List.csv", "-vv").code == 3
    sheet("none.csv", [("a", "b")], ("Zebediah", "Quill"))
    run_in_process("run", "none.csv")


@pytest.mark.usefixtures("run_of_secrets")
def test_no_secret_id_name_or_reason_of_a_run_is_in_the_bundle(run_in_process: RunCommand) -> None:
    result = run_in_process("doctor", "--json", "--bundle", "report.zip")
    assert result.json["bundle"] == "report.zip"
    parts = parts_of(Path("report.zip"))
    assert parts.keys() == {
        *("README.txt", "versions.json", "settings.json", "doctor.json", "last_run.json"),
        "log.txt",
    }
    run = json.loads(parts["last_run.json"])
    assert run["counts"]["updated"] == 10
    assert len(run["rows"]) == 11
    assert "rows" in parts["log.txt"]
    whole = "\n".join(parts.values())
    home = str(Path.home())
    private = [*RECORDS, *LOCKS, *REASONS, *SECRETS, *PRIVATE, home, str(Path.cwd()), "127.0.0.1"]
    private += [
        path.name.partition(".")[0] for path in Path("Kassandra/state/runs/tremolo").iterdir()
    ]
    assert [text for text in private if text.casefold() in whole.casefold()] == []
    if sys.platform != "win32":
        assert Path("report.zip").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("run_of_secrets")
def test_what_a_developer_needs_is_in_the_bundle(run_in_process: RunCommand) -> None:
    with Path("Kassandra/state/logs/batchlock.log").open("a", encoding="utf-8") as log:
        log.write(
            "2026-11-28 10:45:10,661 1 INFO unexpected error\n"
            "    Traceback (most recent call last):\n"
            f'      File "{Path.cwd()}/site-packages/batchlock/engine.py", line 5, in check\n'
            "        raise KeyError(name)\n"
            "    KeyError: 'Zebediah'\n"
        )
    run_in_process("doctor", "--offline", "--bundle", "report.zip")
    parts = parts_of(Path("report.zip"))
    assert 'File "batchlock/engine.py", line 5, in check' in parts["log.txt"]
    assert "raise KeyError(name)" in parts["log.txt"]
    assert "KeyError:" in parts["log.txt"]
    assert "Zebediah" not in parts["log.txt"]
    assert json.loads(parts["versions.json"])["python"].startswith("3.")
    settings = json.loads(parts["settings.json"])["settings"]
    assert settings["zoho.client_secret"] == {"value": "(set)", "from": "variable"}
    assert settings["zoho.data_center"] == {"value": "us", "from": "default"}
    assert settings["state_directory"] == {"value": "(set)", "from": "file"}
    checks = {one["id"]: one for one in json.loads(parts["doctor.json"])["checks"]}
    assert checks["folders.state_private"]["message"] == (
        "Only this user can look into the state folder."
    )
    run = json.loads(parts["last_run.json"])
    [cause] = run["causes"]
    assert (cause["code"], cause["rows"]) == ("unknown_module", 1)


def test_a_bundle_is_written_when_nothing_else_works(run_in_process: RunCommand) -> None:
    Path("config.yaml").write_text("org: [", "utf-8")
    assert run_in_process("doctor", "--bundle", "report.zip").code == 2
    parts = parts_of(Path("report.zip"))
    assert json.loads(parts["last_run.json"]) is None
    assert json.loads(parts["doctor.json"])["exit_code"] == 2
    refused = run_in_process("doctor", "--offline", "--bundle", "report.zip")
    assert (refused.code, "--overwrite" in refused.err) == (2, True)
    assert run_in_process("doctor", "--offline", "--bundle", "report.txt").code == 2
    assert run_in_process("doctor", "--offline", "--bundle", "no/report.zip").code == 2


@POSIX
def test_a_bundle_does_not_follow_a_link_in_its_folder(run_in_process: RunCommand) -> None:
    Path("other.txt").write_text("mine", "utf-8")
    Path("bug.zip.new").symlink_to("other.txt")
    run_in_process("doctor", "--offline", "--bundle", "bug.zip")
    assert Path("other.txt").read_text("utf-8") == "mine"
    assert "README.txt" in parts_of(Path("bug.zip"))


def test_only_phrases_of_messages_stay() -> None:
    redactor = Redactor(["zoho.data_center"], own_phrases())
    redactor.add_private(["the state folder of Anna"])
    kept = "The state folder is not there yet; the first run makes it."
    assert "the first run makes it." in redactor.text(kept)
    for text in (
        "12345678901234",
        "anna@example.com",
        "/home/anna/x.csv",
        "C:\\Users\\anna",
        "10.1.2.3",
        "https://me:pw@www.zohoapis.com",
        "https://crm.zoho.com/crm/org990000000/tab/Leads/1",
        "BATCHLOCK_ZOHO__PASSWORT",
        '"a reason"',
        "the state folder of Anna",
        "Frozen until the audit is done",
    ):
        redacted = redactor.text(f"{text} x")
        assert text not in redacted
    known = "zoho.data_center BATCHLOCK_ZOHO__DATA_CENTER accounts.zoho.eu 12,345 3.11.7 10:45:09"
    assert redactor.text(known) == known


def test_the_same_id_has_the_same_hash_in_one_bundle_and_another_in_the_next() -> None:
    nothing = Phrases(frozenset(), frozenset())
    one, other = Redactor([], nothing), Redactor([], nothing)
    assert one.text("5843104000000425565") == one.hashed("5843104000000425565")
    assert one.hashed("5843104000000425565") != other.hashed("5843104000000425565")


def test_a_log_of_json_objects_keeps_its_events() -> None:
    redactor = Redactor([], own_phrases())
    line = {
        "time": "2026-11-28T10:45:10.661+00:00",
        "level": "warning",
        "event": "row",
        "message": "Record 5843104000000425565 of Anna.",
        "org": "acme",
        "run_id": "20261128-104510-1f3a",
        "row": 7,
        "code": "INVALID_DATA",
        "more": "Anna",
    }
    redacted = redactor.log(f"{json.dumps(line)}\n{{no json of Anna")
    first, second = redacted.splitlines()
    kept = json.loads(first)
    assert (kept["event"], kept["row"], kept["code"]) == ("row", 7, "INVALID_DATA")
    assert kept["org"] == redactor.hashed("acme")
    for text in ("Anna", "acme", "5843104000000425565", "1f3a"):
        assert text not in first + second
