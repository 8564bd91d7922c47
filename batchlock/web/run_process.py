"""The process that this server starts for a run: `batchlock work`.

It does not end with the server.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

# The sentences about a broken configuration and a traceback are shorter.
_LAST_BYTES = 4096


def start_process(arguments: Sequence[str], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a command of batchlock in a process that outlives this one."""
    return subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-P", "-m", "batchlock", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        # Ctrl-C at the server's terminal must not reach the run (POSIX, then Windows).
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


class RunProcess:
    """The process of one run, and what it prints on standard error."""

    def __init__(self, run_id: str, options: Sequence[str]) -> None:
        """Start the process with some options of the command line."""
        self.run_id = run_id
        # A file: a pipe would break when this server ends before the process. With --quiet the
        # process prints errors only, so the file stays small however long the run takes.
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  until the process ends
        self._process = start_process(["work", run_id, "--quiet", *options], self._stderr)

    def poll(self) -> int | None:
        """Return the exit code of the process, negative for a signal; None while it runs."""
        return self._process.poll()

    def close(self) -> str:
        """Return the last lines that the process has printed, and forget them."""
        with self._stderr as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LAST_BYTES))
            return file.read().decode("utf-8", "replace").strip()

    def detach(self) -> None:
        """Let the process continue when this server ends."""
        # Popen warns about a process without a return code, and would wait for it.
        self._process.returncode = 0
        self._stderr.close()
