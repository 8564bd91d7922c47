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
from batchlock.store.org_lock import Holder, current_holder, org_lock

_HOLDER = """
import sys
from pathlib import Path
from batchlock.store.org_lock import org_lock

with org_lock(Path(sys.argv[1]), sys.argv[2]) as set_holder:
    set_holder(sys.argv[3])
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(
    state: Path, org: str, what: str = "run 1 of orders.xlsx"
) -> Iterator[subprocess.Popen[str]]:
    """Lock the org in another process, which ends when its stdin is closed."""
    command = [sys.executable, "-c", _HOLDER, str(state), org, what]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def test_another_run_on_the_org_is_named_with_its_file_and_process(tmp_path: Path) -> None:
    with (
        another_run(tmp_path, "acme", "/data/übung.xlsx") as child,
        pytest.raises(AlreadyRunning) as error,
    ):
        org_lock(tmp_path, "acme").__enter__()
    assert "/data/übung.xlsx" in str(error.value)
    assert f"process {child.pid}" in str(error.value)
    assert "acme" in str(error.value)
    assert error.value.exit_code == 7


def test_a_refused_run_does_not_replace_the_holder(tmp_path: Path) -> None:
    with another_run(tmp_path, "acme") as child:
        for _ in range(2):
            with pytest.raises(AlreadyRunning, match=f"process {child.pid}"):
                org_lock(tmp_path, "acme").__enter__()


def test_a_second_run_of_the_same_process_is_refused(tmp_path: Path) -> None:
    with org_lock(tmp_path, "acme") as set_holder:
        set_holder("run 1 of first.csv")
        with pytest.raises(AlreadyRunning, match=r"first\.csv"):
            org_lock(tmp_path, "acme").__enter__()


def test_each_org_has_its_own_lock(tmp_path: Path) -> None:
    with another_run(tmp_path, "acme"), org_lock(tmp_path, "other") as set_holder:
        set_holder("mine")
        assert (tmp_path / "locks" / "other.run").exists()


def test_the_end_of_the_run_releases_the_lock(tmp_path: Path) -> None:
    with another_run(tmp_path, "acme") as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait() == 0
        with org_lock(tmp_path, "acme") as set_holder:
            set_holder("run 2 of mine.csv")
            holder = json.loads((tmp_path / "locks" / "acme.run").read_text())
            assert holder == {"what": "run 2 of mine.csv", "run_id": "", "process": os.getpid()}
    assert not (tmp_path / "locks" / "acme.run").exists()


def test_a_killed_process_releases_the_lock(tmp_path: Path) -> None:
    with another_run(tmp_path, "acme", "killed.xlsx") as child:
        child.kill()
        child.wait()
        assert "killed.xlsx" in (tmp_path / "locks" / "acme.run").read_text()
        with org_lock(tmp_path, "acme") as set_holder:
            with pytest.raises(AlreadyRunning, match=r"^Another run is at work on acme\. Wait"):
                org_lock(tmp_path, "acme").__enter__()  # the killed run is not named
            set_holder("mine")
            with pytest.raises(AlreadyRunning, match="mine"):
                org_lock(tmp_path, "acme").__enter__()


def test_an_error_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), org_lock(tmp_path, "acme"):
        raise ZeroDivisionError
    with org_lock(tmp_path, "acme"):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"what": "x"}', b"\xff", None])
def test_a_lock_with_an_unreadable_holder_is_still_locked(
    content: bytes | None, tmp_path: Path
) -> None:
    with another_run(tmp_path, "acme"):
        holder_file = tmp_path / "locks" / "acme.run"
        holder_file.unlink() if content is None else holder_file.write_bytes(content)
        with pytest.raises(AlreadyRunning, match=r"^Another run is at work on acme\. Wait"):
            org_lock(tmp_path, "acme").__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_only_this_user_can_read_the_folder(tmp_path: Path) -> None:
    with org_lock(tmp_path, "acme"):
        assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "locks" / "acme.lock").stat().st_mode) == 0o600


def test_a_state_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UsageError, match="state_directory") as error:
        org_lock(tmp_path / "state", "acme").__enter__()
    assert str(tmp_path / "state") in str(error.value)


def test_a_holder_file_that_cannot_be_written_is_ignored(tmp_path: Path) -> None:
    with org_lock(tmp_path, "acme") as set_holder:
        (tmp_path / "locks" / "acme.run").mkdir()
        set_holder("a file that cannot be written")
    with org_lock(tmp_path, "acme"):
        pass


def test_the_current_holder_is_the_run_at_work(tmp_path: Path) -> None:
    assert current_holder(tmp_path, "acme") is None
    with another_run(tmp_path, "acme", "run 1 of a.csv") as child:
        assert current_holder(tmp_path, "acme") == Holder("run 1 of a.csv", "", child.pid)
        (tmp_path / "locks" / "acme.run").unlink()
        assert str(current_holder(tmp_path, "acme")) == "a run without a name, process 0"
    assert current_holder(tmp_path, "acme") is None
