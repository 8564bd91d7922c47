"""The command lines that are measured, of batchlock and its peers, and the folders they run in."""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.measure import PYTHON, Usage, run, with_benchmarks

# The default of limits.max_in_flight: the concurrency limit of Zoho's largest edition.
WORKERS = 25
# All other variables could change what is measured, such as PYTHONPATH or a proxy.
_INHERITED = ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Place:
    """The temporary folder, and the spreadsheets in it."""

    root: Path
    files: set[Path] = field(default_factory=set)

    def file(self, rows: int, suffix: str) -> Path:
        """Return a spreadsheet with this many rows, and write it before the first use."""
        path = self.root / f"{rows}{suffix}"
        if path not in self.files:
            # In a process of its own, because this one must stay small (see measure.run).
            subprocess.run(  # noqa: S603  our own module
                [PYTHON, "-m", "benchmarks.data", str(rows), path],
                env=with_benchmarks(os.environ),
                check=True,
            )
            self.files.add(path)
        return path

    def fresh(self) -> Path:
        """Return an empty folder."""
        return Path(mkdtemp(dir=self.root))

    def drop(self, folder: Path) -> None:
        """Remove a folder and all in it."""
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Home:
    """A home without settings or history, and the environment that names a server."""

    folder: Path
    env: dict[str, str]

    # Nothing listens on the default URL: a command that should make no call would fail.
    @classmethod
    def create(cls, folder: Path, url: str = "http://127.0.0.1:9") -> "Home":
        """Create a home in an empty folder."""
        zoho = {
            "API_URL": url,
            "ACCOUNTS_URL": url,
            "CLIENT_ID": "benchmark",
            "CLIENT_SECRET": "benchmark",
            "REFRESH_TOKEN": "benchmark",
        }
        env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        env |= {f"BATCHLOCK_ZOHO__{name}": value for name, value in zoho.items()}
        env |= {"HOME": str(folder), "BATCHLOCK_STATE_DIRECTORY": str(folder / "state")}
        return cls(folder, env)

    def batchlock(self, *arguments: object, codes: tuple[int, ...] = (0,)) -> Usage:
        """Run the installed batchlock."""
        # Without PYTHONPATH, so that the installed package is measured and not the checkout.
        command = [PYTHON, "-m", "batchlock", *map(str, arguments)]
        return run(command, env=self.env, cwd=self.folder, codes=codes)

    def peer(self, name: str, *arguments: object) -> Usage:
        """Run one of the peers."""
        command = [PYTHON, "-m", f"benchmarks.peers.{name}", *map(str, arguments)]
        return run(command, env=with_benchmarks(self.env), cwd=self.folder)


SENDERS = {
    "bare aiohttp pool": ("pool", ()),
    "bare aiohttp pool, uvloop and orjson": ("pool", ("fast",)),
    "httpx pool": ("with_httpx", ()),
    "requests in threads": ("with_requests", ()),
    "Zoho's SDK in threads": ("with_sdk", ()),
}
"""Peers that read a CSV, send every row and write a CSV: the module and its options."""

_NEEDS = {"with_httpx": "httpx", "with_requests": "requests", "with_sdk": "zohocrmsdk"}


def is_installed(peer: str) -> bool:
    """Return whether the library of a peer is installed."""
    # The other peers need nothing that batchlock does not need too; `csv` is always there.
    return importlib.util.find_spec(_NEEDS.get(peer, "csv")) is not None


def send_with(sender: str, home: Home, file: Path, url: str) -> Usage:
    """Send a CSV with one of the senders."""
    module, options = SENDERS[sender]
    return home.peer(module, file, home.folder / "results.csv", url, WORKERS, *options)


def curl(home: Home, file: Path, url: str) -> Usage:
    """Send a CSV with `curl --parallel`; the time to write its configuration is not measured."""
    config = home.folder / "curl.txt"
    home.peer("with_curl", file, config, url)
    command = ["curl", "--silent", "--parallel", "--parallel-max", str(WORKERS)]
    return run([*command, "--config", config], env=home.env, cwd=home.folder)
