"""Opening the store of a state folder."""

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from batchlock.core.errors import BatchlockError, UsageError
from batchlock.store.database import NAME
from batchlock.store.earlier import has_state
from batchlock.store.store import Store

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")

_OPEN = """
import sys
from pathlib import Path
from batchlock.store.earlier import has_state
from batchlock.store.store import Store

with Store(Path(sys.argv[1])) as store:
    store.people.put(sys.argv[2], "hash")
    print("alembic" in sys.modules)
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def set_revision(state: Path, revision: str) -> None:
    with closing(sqlite3.connect(state / NAME)) as sql:
        sql.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        sql.commit()


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    Store(tmp_path).close()
    set_revision(tmp_path, "9999")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="newer version of batchlock") as error:
        Store(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "Nothing was changed." in str(error.value)
    assert contents(tmp_path) == before


def test_a_store_that_a_newer_version_has_open_is_refused_too(tmp_path: Path) -> None:
    with Store(tmp_path) as newer:
        set_revision(tmp_path, "9999")  # in its write-ahead log
        with pytest.raises(UsageError, match="newer version of batchlock"):
            Store(tmp_path)
        newer.people.put("Anna", "hash")
        assert newer.people.names() == ["Anna"]


@posix
def test_only_this_user_can_read_the_store(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    with Store(state) as store:
        store.people.put("Anna", "hash")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
    assert modes[NAME] == 0o600
    assert set(modes.values()) == {0o600}  # the logs of SQLite and the lock as well
    assert f"{NAME}-wal" in modes
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.parametrize("below", ["", "below"])
def test_a_state_folder_that_cannot_be_made_is_reported(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    state = tmp_path / "file" / below
    with pytest.raises(UsageError, match=r"cannot be made: .*state_directory") as error:
        Store(state)
    assert str(state) in str(error.value)


def test_a_store_whose_file_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(UsageError, match=r"cannot be used: .*state_directory"):
        Store(tmp_path)


def test_a_damaged_store_is_reported_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"not a database, but long enough for one" * 99)
    with pytest.raises(BatchlockError, match=r"is damaged\. Move it away") as error:
        Store(tmp_path)
    assert str(tmp_path / NAME) in str(error.value)
    (tmp_path / NAME).rename(tmp_path / "damaged")
    Store(tmp_path).close()


def test_a_store_that_was_killed_while_it_was_made_is_completed(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    with Store(tmp_path) as store:
        assert store.people.names() == []


def test_several_processes_may_make_the_store_at_once(tmp_path: Path) -> None:
    names = ["Anna", "Ben", "Cleo"]
    processes = [
        subprocess.Popen([sys.executable, "-c", _OPEN, str(tmp_path / "state"), name])
        for name in names
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    with Store(tmp_path / "state") as store:
        assert store.people.names() == names


def test_a_process_may_open_the_store_twice_beside_another_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(tmp_path)]
    with Store(tmp_path) as first:
        first.people.put("Anna", "hash")
        with Store(tmp_path) as second:
            assert second.people.names() == ["Anna"]
        # The other process must not remove the write-ahead log of the first store.
        subprocess.run([*command, "Ben"], check=True, stdout=subprocess.DEVNULL)
        first.people.put("Cleo", "hash")
        subprocess.run([*command, "Dora"], check=True, stdout=subprocess.DEVNULL)
        assert first.people.names() == ["Anna", "Ben", "Cleo", "Dora"]
    with Store(tmp_path) as store:
        assert store.people.names() == ["Anna", "Ben", "Cleo", "Dora"]


def test_a_store_that_needs_no_migration_loads_no_alembic(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(tmp_path), "Anna"]
    outputs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)
    ]
    assert outputs == ["False\n", "False\n"]


def test_a_folder_without_store_and_runs_holds_no_state(tmp_path: Path) -> None:
    assert not has_state(tmp_path / "nowhere")
    assert not has_state(tmp_path)
    (tmp_path / "runs").mkdir()  # of 0.1.0
    assert has_state(tmp_path)
    Store(tmp_path / "new").close()
    assert has_state(tmp_path / "new")
