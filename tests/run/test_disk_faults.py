from pathlib import Path

import pytest
from support.mounts import in_a_namespace, skip_without_mounts
from support.sheets import balanced, lines, rows, sheet
from support.zoho import StandIn, Start


@pytest.fixture
def mounts() -> None:
    """Skip the test where no file system can be mounted for it alone."""
    skip_without_mounts()


def test_a_full_disk_stops_the_run_with_the_journal_intact(stand_in: Start, mounts: None) -> None:
    zoho = stand_in("--latency", "2ms")
    zoho.config(state_directory="state")
    sheet("in.csv", [(*row[:3], row[3] * 20) for row in rows(1500)])
    Path("state").mkdir()
    stopped, summary, finished = in_a_namespace(
        "mount -t tmpfs -o size=1500k tmpfs state; "
        "batchlock run in.csv --json || true; "
        "mount -o remount,size=64m state; "
        'batchlock show "$(basename state/runs/default/*.journal .journal)" --json || true; '
        "batchlock run in.csv --json -o out.csv || true"
    )
    assert stopped["exit_code"] == 6
    assert "is full" in stopped["message"]
    assert 0 < balanced(summary)["updated"] < 1500
    assert (finished["exit_code"], balanced(finished)) == (0, {"updated": 1500})
    locks = zoho.locks()
    assert len(locks) == 1500
    assert sum(lock["updates"] - 1 for lock in locks.values()) <= 100
    assert len(lines("out.csv")) == 1500


def test_a_disk_full_before_sending_leaves_nothing_to_resume(org: StandIn, mounts: None) -> None:
    org.config(state_directory="state")
    sheet("in.csv", [(*row[:3], row[3] * 20) for row in rows(1500)])
    Path("state").mkdir()
    refused, runs = in_a_namespace(
        "mount -t tmpfs -o size=300k tmpfs state; "
        "batchlock run in.csv --json || true; "
        "batchlock runs --json || true"
    )
    assert refused["exit_code"] == 2
    assert refused["message"].endswith("is full. Nothing was sent. Make room, then run again.")
    assert runs["runs"] == []
    assert org.state()["calls"]["put"] == 0


def test_a_disk_without_room_to_open_the_store_is_full(org: StandIn, mounts: None) -> None:
    org.config(state_directory="state")
    sheet("first.csv", rows(1))
    sheet("in.csv", rows(3, first=5))
    Path("state").mkdir()
    _, full = in_a_namespace(
        "mount -t tmpfs -o size=64m tmpfs state; "
        "batchlock run first.csv --json; "
        "used=$(df -k --output=used state | tail -n 1); "
        # SQLite needs 32 KiB for its shared memory, and has another name for that error.
        "mount -o remount,size=$((used + 8))k state; "
        "batchlock run in.csv --json || true"
    )
    assert full["exit_code"] == 6
    assert "is full" in full["message"]
    assert org.state()["calls"]["put"] == 1


@pytest.mark.parametrize("folder", ["state", "state/runs"])
def test_a_read_only_state_folder_is_reported_before_sending(
    org: StandIn, mounts: None, folder: str
) -> None:
    org.config(state_directory="state")
    sheet("in.csv", rows(3))
    Path(folder).mkdir(parents=True)
    (output,) = in_a_namespace(
        f"mount -t tmpfs -o ro tmpfs {folder}; batchlock run in.csv --json || true"
    )
    assert output["exit_code"] == 2
    assert str(Path("state").absolute()) in output["message"]
    assert "Set state_directory" in output["message"]
    assert org.state()["calls"]["put"] == 0
