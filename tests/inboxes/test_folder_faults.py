"""A folder that is full, read-only, or elsewhere: nothing is lost, and nothing is sent twice."""

from pathlib import Path

import pytest
from support.inbox import FOLDER, names, note, put, updates
from support.mounts import in_a_namespace, skip_without_mounts
from support.sheets import balanced, rows
from support.zoho import StandIn, Start


@pytest.fixture(autouse=True)
def mounts() -> None:
    """Skip these tests where no file system can be mounted for them alone."""
    skip_without_mounts()


def test_a_read_only_folder_is_said_before_anything_is_sent(org: StandIn) -> None:
    put("a.csv", 2, age=0)
    (night,) = in_a_namespace(
        "mount --bind in in; mount -o remount,bind,ro in; batchlock inbox in --json || true"
    )
    assert (night["exit_code"], night["files"]) == (2, [])
    assert "cannot be made" in night["message"]
    assert "Read-only file system" in night["message"]
    assert org.state()["calls"]["put"] == 0


def test_a_place_that_files_cannot_be_moved_to_is_said_before_anything_is_sent(
    org: StandIn,
) -> None:
    put("a.csv", 2, age=0)
    (FOLDER / "done").mkdir()
    read_only, elsewhere, finished = in_a_namespace(
        "mount -t tmpfs -o ro tmpfs in/done; batchlock inbox in --json || true; "
        "mount -o remount,rw in/done; batchlock inbox in --json || true; "
        "umount in/done; batchlock inbox in --json"
    )
    for night in (read_only, elsewhere):
        assert (night["exit_code"], night["files"]) == (2, [])
        assert f"cannot be moved to {FOLDER.absolute() / 'done'}" in night["message"]
    assert "must be folders of the same file system" in elsewhere["message"]
    assert (finished["exit_code"], finished["files_done"]) == (0, 1)
    assert org.state()["calls"]["put"] == 2


def test_a_state_folder_that_is_full_before_the_plan_moves_no_file(org: StandIn) -> None:
    put("a.csv", [(*row[:3], row[3] * 100) for row in rows(400)], age=9)
    put("b.csv", rows(2, first=5000), age=0)
    Path("state").mkdir()
    (night,) = in_a_namespace(
        "mount -t tmpfs -o size=300k tmpfs state; batchlock inbox in --json || true"
    )
    assert night["exit_code"] == 2
    assert "is full" in night["message"]
    assert [file["status"] for file in night["files"]] == ["left", "left"]
    assert names() == ["a.csv", "b.csv"]
    assert org.state()["calls"]["put"] == 0


def test_a_state_folder_that_gets_full_ends_the_night_and_the_next_one_goes_on(
    stand_in: Start,
) -> None:
    zoho = stand_in("--latency", "2ms")
    zoho.config(state_directory="state")
    put("a.csv", [(*row[:3], row[3] * 20) for row in rows(1500)], age=9)
    Path("state").mkdir()
    during, after = in_a_namespace(
        "mount -t tmpfs -o size=1500k tmpfs state; batchlock inbox in --json || true; "
        "mount -o remount,size=64m state; batchlock inbox in --json || true"
    )
    assert during["exit_code"] == 6
    assert "is full" in during["files"][0]["message"]
    # The disk gets no room by itself, so somebody must hear of it.
    assert (during["files"][0]["status"], during["files_need_person"]) == ("left", 1)
    assert (after["exit_code"], after["files_done"], names()) == (0, 1, [])
    assert balanced(after) == {"updated": 1500}
    assert len(zoho.locks()) == 1500


def test_results_that_fit_nowhere_are_said_beside_the_file(org: StandIn) -> None:
    org.config(state_directory="state", results={"format": "csv"})
    put("a.csv", [(*row[:3], row[3] * 100) for row in rows(100)], age=0)
    (night,) = in_a_namespace(
        # The folder has room for the text, and not for the results, which are as large as the file.
        "mkdir small; mount -t tmpfs -o size=300k tmpfs small; cp -p in/a.csv small/; "
        "dd if=/dev/zero of=small/.fill bs=1k count=140 2>/dev/null; "
        "mkdir -p state/results; mount -t tmpfs -o ro tmpfs state/results; "
        "batchlock inbox small --json || true; "
        "cp -r small/attention in/"
    )
    (file,) = night["files"]
    assert (night["exit_code"], file["status"], file["output"]) == (1, "attention", None)
    assert file["needs_person"]
    assert "The results cannot be written" in note("a")
    assert set(updates(org).values()) == {1}


def test_a_file_that_cannot_be_moved_is_not_sent_again(org: StandIn) -> None:
    put("a.csv", 2, age=0)
    nights = in_a_namespace(
        "mount --bind in/a.csv in/a.csv; batchlock inbox in --json || true; "
        "batchlock inbox in --json --again || true"
    )
    for night in nights:
        assert [file["status"] for file in night["files"]] == ["left"]
        assert "cannot be moved" in night["files"][0]["message"]
    assert set(updates(org).values()) == {1}
