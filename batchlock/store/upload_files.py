"""The file of each upload, and its plan.

<state>/web/files/<id>/upload/<name>   the file as it was uploaded
<state>/web/files/<id>/plan.journal    its plan; with a server `plan-<hex>.journal`, a new name for
                                       each plan, so that no machine shows an older one

With a server both are in the database as well, in parts, and the folder is a cache: another machine
than the one that received or planned a file makes its own copy when it needs one.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from batchlock.core.errors import BatchlockError
from batchlock.core.paths import make_private_folder
from batchlock.store.database import reading, writing

# A part is in memory as a whole, here and in the database.
_PART_BYTES = 1 << 20
_FILE = "upload"
_PLAN = "plan"

# Not in `schema.metadata`, which is also made in a state folder.
_table = sa.Table(
    "upload_files",
    sa.MetaData(),
    sa.Column("upload", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)


class UploadFiles:
    """The files in the folder of a machine whose store nobody shares."""

    def __init__(self, folder: Path) -> None:
        """Use `folder` as the parent of each upload's own folder."""
        self._folder = folder

    def folder(self, upload_id: str) -> Path:
        """Return the folder of the uploaded file alone, which may not exist yet."""
        return self._folder / upload_id / _FILE

    def add(self, upload_id: str, path: Path) -> None:
        """Keep an uploaded file, which was written into its folder."""

    def file(self, upload_id: str, name: str) -> Path:
        """Return the path of an uploaded file. Raises BatchlockError when it is gone."""
        return self.folder(upload_id) / name

    def new_plan(self, upload_id: str) -> Path:
        """Return where a new plan is to be written; an older one there is removed."""
        path = self._folder / upload_id / f"{_PLAN}.journal"
        path.unlink(missing_ok=True)
        return path

    def add_plan(self, upload_id: str, path: Path) -> None:
        """Keep the plan that was written to a path of `new_plan`, in place of an older one."""

    def plan(self, upload_id: str) -> Path:
        """Return the path of the newest plan. Raises BatchlockError when it is gone."""
        return self._folder / upload_id / f"{_PLAN}.journal"

    def remove(self, upload_id: str) -> None:
        """Remove the files of an upload."""
        shutil.rmtree(self._folder / upload_id, ignore_errors=True)

    @contextmanager
    def claim(self, upload_id: str) -> Iterator[bool]:  # noqa: ARG002  one server plans all
        """Plan an upload during the block; yield False when another server does that."""
        yield True


class SharedUploadFiles(UploadFiles):
    """The files in a database, with copies in the folder of this machine."""

    def __init__(self, folder: Path, engine: sa.Engine) -> None:
        """Use `folder` for the copies."""
        super().__init__(folder)
        self._engine = engine

    def add(self, upload_id: str, path: Path) -> None:
        """Keep an uploaded file, which was written into its folder."""
        with writing(self._engine) as connection:
            _insert(connection, upload_id, f"{_FILE}/{path.name}", path)

    def file(self, upload_id: str, name: str) -> Path:
        """Return the path of an uploaded file, which is copied from the database if missing."""
        return self._copy(upload_id, f"{_FILE}/{name}")

    def new_plan(self, upload_id: str) -> Path:
        """Return where a new plan is to be written; no plan is there yet."""
        return self._folder / upload_id / f"{_PLAN}-{secrets.token_hex(4)}.journal"

    def add_plan(self, upload_id: str, path: Path) -> None:
        """Keep the plan that was written to a path of `new_plan`, in place of an older one."""
        with writing(self._engine) as connection:
            connection.execute(_table.delete().where(_is_plan_of(upload_id)))
            _insert(connection, upload_id, path.name, path)

    def plan(self, upload_id: str) -> Path:
        """Return the path of the newest plan, which is copied from the database if missing."""
        query = sa.select(_table.c.name).where(_is_plan_of(upload_id)).limit(1)
        with reading(self._engine) as connection:
            name = connection.scalar(query)
        if name is None:
            raise _gone()
        return self._copy(upload_id, name)

    def remove(self, upload_id: str) -> None:
        """Remove the files of an upload."""
        with writing(self._engine) as connection:
            connection.execute(_table.delete().where(_table.c.upload == upload_id))
        super().remove(upload_id)

    @contextmanager
    def claim(self, upload_id: str) -> Iterator[bool]:
        """Plan an upload during the block; yield False when another server does that.

        The database gives the claim back when its connection ends, however this process ends.
        """
        key = sa.func.hashtextextended(f"batchlock upload {upload_id}", 0)
        # Not `reading`: its transaction would stay open for as long as the plan takes.
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            is_claimed = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))))
            try:
                yield is_claimed
            finally:
                if is_claimed:
                    with suppress(sa.exc.DBAPIError):  # a lost connection has no claim any more
                        connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))

    def _copy(self, upload_id: str, name: str) -> Path:
        """Return the path of a file, copied from the database unless it is there."""
        path = self._folder / upload_id / name
        if path.exists():
            return path
        make_private_folder(path.parent)
        draft = path.with_name(f"{secrets.token_hex(4)}.partial")
        try:
            with draft.open("xb") as file:
                count = 0
                for content in self._parts(upload_id, name):
                    file.write(content)
                    count += 1
            if not count:
                raise _gone()
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return path

    def _parts(self, upload_id: str, name: str) -> Iterator[bytes]:
        is_file = (_table.c.upload == upload_id) & (_table.c.name == name)
        number = 0
        # A query for each part: the driver would fetch the whole file at once.
        with reading(self._engine) as connection:
            while True:
                part = sa.select(_table.c.content).where(is_file, _table.c.part == number)
                content = connection.scalar(part)
                if content is None:
                    return
                yield content
                number += 1


def insert_files(
    connection: sa.Connection, upload_id: str, folder: Path, plan: Path | None
) -> None:
    """Keep the file of an upload, which is in `folder`, and its plan, in one transaction."""
    connection.execute(_table.delete().where(_table.c.upload == upload_id))
    for path in folder.glob("*"):
        _insert(connection, upload_id, f"{_FILE}/{path.name}", path)
    if plan is not None:
        _insert(connection, upload_id, f"{_PLAN}-{secrets.token_hex(4)}.journal", plan)


def _insert(connection: sa.Connection, upload_id: str, name: str, path: Path) -> None:
    with path.open("rb") as file:
        number = 0
        while (content := file.read(_PART_BYTES)) or not number:  # an empty file has one part
            values = {"upload": upload_id, "name": name, "part": number, "content": content}
            connection.execute(_table.insert().values(values))
            number += 1


def _is_plan_of(upload_id: str) -> sa.ColumnElement[bool]:
    return (_table.c.upload == upload_id) & _table.c.name.startswith(f"{_PLAN}-")


def _gone() -> BatchlockError:
    return BatchlockError("The file of this upload is gone. Upload it again.")
