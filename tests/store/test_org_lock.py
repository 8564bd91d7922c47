import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.store.org_lock import org_lock

_HOLDER = """
import sys
from pathlib import Path
from batchlock.store.org_lock import org_lock

with org_lock(Path(sys.argv[1]), sys.argv[2]) as set_holder:
    set_holder(sys.argv[3])
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(
    state: Path, org: str, what: str = "run 1 of orders.xlsx"
) -> Iterator[subprocess.Popen[str]]:
    """Hold the org in a process of its own, which ends with its stdin."""
    command = [sys.executable, "-c", _HOLDER, str(state), org, what]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def test_another_run_on_the_same_org_is_named_with_its_file_and_process(tmp_path: Path) -> None:
    with (
        another_run(tmp_path, "acme", "/data/übung.xlsx") as child,
        pytest.raises(AlreadyRunning) as told,
    ):
        org_lock(tmp_path, "acme").__enter__()
    assert "/data/übung.xlsx" in str(told.value)
    assert f"process {child.pid}" in str(told.value)
    assert "acme" in str(told.value)
    assert told.value.exit_code == 7


def test_a_refused_run_does_not_take_the_place_of_the_one_at_work(tmp_path: Path) -> None:
    with another_run(tmp_path, "acme") as child:
        for _ in range(2):
            with pytest.raises(AlreadyRunning, match=f"process {child.pid}"):
                org_lock(tmp_path, "acme").__enter__()


def test_two_runs_of_one_process_are_two_runs(tmp_path: Path) -> None:
    with org_lock(tmp_path, "acme") as tell:
        tell("run 1 of first.csv")
        with pytest.raises(AlreadyRunning, match=r"first\.csv"):
            org_lock(tmp_path, "acme").__enter__()


def test_orgs_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with another_run(tmp_path, "acme"), org_lock(tmp_path, "other") as tell:
        tell("mine")
        assert (tmp_path / "locks" / "other.run").exists()


def test_the_lock_goes_with_the_end_of_the_run(tmp_path: Path) -> None:
    with another_run(tmp_path, "acme") as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait() == 0
        with org_lock(tmp_path, "acme") as tell:
            tell("run 2 of mine.csv")
            told = json.loads((tmp_path / "locks" / "acme.run").read_text())
            assert told == {"what": "run 2 of mine.csv", "run_id": "", "process": os.getpid()}
    assert not (tmp_path / "locks" / "acme.run").exists()


def test_the_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    with another_run(tmp_path, "acme", "killed.xlsx") as child:
        child.kill()
        child.wait()
        assert "killed.xlsx" in (tmp_path / "locks" / "acme.run").read_text()
        with org_lock(tmp_path, "acme") as tell:
            with pytest.raises(AlreadyRunning, match=r"^Another run is at work on acme\. Wait"):
                org_lock(tmp_path, "acme").__enter__()  # the one that was killed is not named
            tell("mine")
            with pytest.raises(AlreadyRunning, match="mine"):
                org_lock(tmp_path, "acme").__enter__()


def test_the_lock_goes_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), org_lock(tmp_path, "acme"):
        raise ZeroDivisionError
    with org_lock(tmp_path, "acme"):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"what": "x"}', b"\xff", None])
def test_a_holder_that_cannot_be_read_is_still_a_holder(
    content: bytes | None, tmp_path: Path
) -> None:
    with another_run(tmp_path, "acme"):
        told = tmp_path / "locks" / "acme.run"
        told.unlink() if content is None else told.write_bytes(content)
        with pytest.raises(AlreadyRunning, match=r"^Another run is at work on acme\. Wait"):
            org_lock(tmp_path, "acme").__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="rights are others there")
def test_the_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    with org_lock(tmp_path, "acme"):
        assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "locks" / "acme.lock").stat().st_mode) == 0o600


def test_a_state_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UsageError, match="state_directory") as told:
        org_lock(tmp_path / "state", "acme").__enter__()
    assert str(tmp_path / "state") in str(told.value)


def test_a_run_need_not_be_named(tmp_path: Path) -> None:
    with org_lock(tmp_path, "acme") as tell:
        (tmp_path / "locks" / "acme.run").mkdir()
        tell("it cannot be written, which harms nobody")
    with org_lock(tmp_path, "acme"):
        pass
