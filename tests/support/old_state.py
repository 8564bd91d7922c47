"""The state folder that 0.1.0 wrote; tests/data/state/make_of_0_1_0.py made it."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchlock.store.database import open_database
from batchlock.store.schema import metadata
from support.paths import DATA


def unpack_old_state(folder: Path) -> Path:
    """Make the folder at `folder`."""
    with zipfile.ZipFile(DATA / "state" / "state-0.1.0.zip") as archive:
        archive.extractall(folder)
    return folder


def files_of(folder: Path) -> dict[str, str]:
    """Return a hash of every file below a folder, by its path.

    Without the shared memory of SQLite, where also those that only read take notes.
    """
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }


def content_of(state: Path) -> dict[str, list[Any]]:
    """Return the rows of all tables of a store, but for its facts, which hold a time."""
    engine = open_database(state)
    try:
        with engine.connect() as connection:
            return {
                table.name: list(connection.execute(sa.select(table).order_by(*table.primary_key)))
                for table in metadata.sorted_tables
                if table.name != "facts"
            }
    finally:
        engine.dispose()
