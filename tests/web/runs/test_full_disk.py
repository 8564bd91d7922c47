"""What a person reads while the disk of the server is full."""

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.page_server import add_person, served_page, signed_in
from support.visitor import csv_content
from support.zoho import Start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a small file system")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 8 MiB; skip the test where that is not allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=8m") != 0:
        pytest.skip("needs to mount a file system")
    yield folder
    libc.umount2(os.fsencode(folder), 2)  # MNT_DETACH


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    place = folder / "fill"
    with place.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return place


def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(
    stand_in: Start, small_disk: Path, tmp_path: Path
) -> None:
    stand_in("--latency", "20ms").config(
        tmp_path / "config.yaml", state_directory=str(small_disk / "state"), limits={"in_flight": 2}
    )
    (small_disk / "state").mkdir()
    (tmp_path / "state").symlink_to(small_disk / "state")
    add_person(tmp_path, "Anna")
    with served_page(tmp_path) as page:
        anna = signed_in(page, "Anna")
        run = anna.start("locks.csv", csv_content(600, first=1))
        anna.wait_for(run, "Sending.")
        filled = fill(small_disk)
        anna.wait_for(run, "is full. Make room")
        refused = anna.post(f"{run}/stop")
        assert (refused.status, "is full" in refused.words) == (409, True)
        filled.unlink()
        anna.wait_for(run, "Sending.")
        anna.post(f"{run}/stop")
        assert "Stopped by Anna" in anna.results(run).words
