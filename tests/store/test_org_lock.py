import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import pytest

from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.store.database import NAME
from batchlock.store.org_lock import org_lock
from batchlock.store.store import Store

_HOLDER = """
import sys
from pathlib import Path
from batchlock.store.org_lock import org_lock
from batchlock.store.store import Store

with Store(Path(sys.argv[1])) as store:
    with org_lock(store.state, sys.argv[2], store.orgs) as set_holder:
        set_holder(sys.argv[3])
        print("locked", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def store(embedded_store: Store) -> Store:
    """Return the store of one machine; with a server, the lease takes the place of the lock."""
    return embedded_store


def lock_of(store: Store, org: str = "acme") -> AbstractContextManager[Any]:
    return org_lock(store.state, org, store.orgs)


@contextmanager
def another_run(
    store: Store, org: str = "acme", what: str = "run 1 of orders.xlsx"
) -> Iterator[subprocess.Popen[str]]:
    """Lock the org in another process, which ends when its stdin is closed."""
    command = [sys.executable, "-c", _HOLDER, str(store.state), org, what]
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


def without_orgs(store: Store) -> None:
    """Damage the store, so that no holder can be read or written."""
    with closing(sqlite3.connect(store.state / NAME)) as sql:
        sql.execute("DROP TABLE orgs")


def test_another_run_on_the_org_is_named_with_its_file_and_process(store: Store) -> None:
    with (
        another_run(store, what="/data/übung.xlsx") as child,
        pytest.raises(AlreadyRunning) as error,
    ):
        lock_of(store).__enter__()
    assert "/data/übung.xlsx" in str(error.value)
    assert f"process {child.pid}" in str(error.value)
    assert "acme" in str(error.value)
    assert error.value.exit_code == 7


def test_a_refused_run_does_not_replace_the_holder(store: Store) -> None:
    with another_run(store) as child:
        for _ in range(2):
            with pytest.raises(AlreadyRunning, match=f"process {child.pid}"):
                lock_of(store).__enter__()


def test_a_second_run_of_the_same_process_is_refused(store: Store) -> None:
    with lock_of(store) as set_holder:
        set_holder("run 1 of first.csv")
        with pytest.raises(AlreadyRunning, match=r"first\.csv"):
            lock_of(store).__enter__()


def test_each_org_has_its_own_lock(store: Store) -> None:
    with another_run(store) as child, lock_of(store, "other") as set_holder:
        set_holder("mine")
        assert "mine" in (store.orgs.holder("other") or "")
        assert store.orgs.holder("acme") == f"run 1 of orders.xlsx, process {child.pid}"


def test_the_end_of_the_run_releases_the_lock_and_clears_its_holder(store: Store) -> None:
    assert store.orgs.holder("acme") is None
    with another_run(store) as child:
        assert child.stdin is not None
        assert store.orgs.holder("acme") is not None
        child.stdin.close()
        assert child.wait() == 0
        assert store.orgs.holder("acme") is None
        with lock_of(store):
            pass


def test_a_killed_process_releases_the_lock(store: Store) -> None:
    with another_run(store, what="killed.xlsx") as child:
        child.kill()
        child.wait()
        assert "killed.xlsx" in (store.orgs.holder("acme") or "")
        with lock_of(store) as set_holder:
            with pytest.raises(AlreadyRunning, match=r"^Another run is at work on acme\. Wait"):
                lock_of(store).__enter__()  # the killed run is not named
            set_holder("mine")
            with pytest.raises(AlreadyRunning, match="mine"):
                lock_of(store).__enter__()


def test_an_error_releases_the_lock(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), lock_of(store):
        raise ZeroDivisionError
    with lock_of(store):
        pass


def test_a_lock_whose_holder_cannot_be_read_is_still_locked(store: Store) -> None:
    with another_run(store):
        without_orgs(store)
        with pytest.raises(AlreadyRunning, match=r"^Another run is at work on acme\. Wait"):
            lock_of(store).__enter__()


def test_a_holder_that_cannot_be_written_is_ignored(store: Store) -> None:
    without_orgs(store)
    with lock_of(store) as set_holder:
        set_holder("a run that cannot be written")
    with lock_of(store):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_only_this_user_can_read_the_folder(store: Store) -> None:
    with lock_of(store):
        assert stat.S_IMODE((store.state / "locks").stat().st_mode) == 0o700
        assert stat.S_IMODE((store.state / "locks" / "acme.lock").stat().st_mode) == 0o600


def test_a_folder_of_locks_that_cannot_be_made_is_reported(store: Store) -> None:
    (store.state / "locks").write_text("a file")
    with pytest.raises(UsageError, match="state_directory") as error:
        lock_of(store).__enter__()
    assert str(store.state) in str(error.value)
