"""What is measured, as command lines, and where it runs: batchlock and its peers."""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.measure import PYTHON, Usage, run, with_us

WORKERS = 25
_KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for everything, the user's own left out of it."""

    root: Path
    made: set[Path] = field(default_factory=set)

    def file(self, rows: int, suffix: str) -> Path:
        """Return a spreadsheet with so many rows, made when first asked for."""
        path = self.root / f"{rows}{suffix}"
        if path not in self.made:
            subprocess.run(  # noqa: S603  our own module
                [PYTHON, "-m", "benchmarks.data", str(rows), path],
                env=with_us(os.environ),
                check=True,
            )
            self.made.add(path)
        return path

    def fresh(self) -> Path:
        """Return an empty folder."""
        return Path(mkdtemp(dir=self.root))

    def drop(self, folder: Path) -> None:
        """Remove a folder and all in it."""
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Home:
    """A home without settings or history, and a configuration that points to a server."""

    folder: Path
    env: dict[str, str]

    @classmethod
    def at(cls, folder: Path, url: str = "http://127.0.0.1:9") -> "Home":
        """Make a home in an empty folder."""
        zoho = {
            "API_URL": url,
            "ACCOUNTS_URL": url,
            "CLIENT_ID": "benchmark",
            "CLIENT_SECRET": "benchmark",
            "REFRESH_TOKEN": "benchmark",
        }
        env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        env |= {f"BATCHLOCK_ZOHO__{name}": value for name, value in zoho.items()}
        env |= {"HOME": str(folder), "BATCHLOCK_STATE_DIRECTORY": str(folder / "state")}
        return cls(folder, env)

    def batchlock(self, *arguments: object, codes: tuple[int, ...] = (0,)) -> Usage:
        """Run batchlock as it is installed."""
        command = [PYTHON, "-m", "batchlock", *map(str, arguments)]
        return run(command, env=self.env, cwd=self.folder, codes=codes)

    def peer(self, name: str, *arguments: object) -> Usage:
        """Run one of the peers."""
        command = [PYTHON, "-m", f"benchmarks.peers.{name}", *map(str, arguments)]
        return run(command, env=with_us(self.env), cwd=self.folder)


SENDERS = {
    "bare aiohttp pool": ("pool", ()),
    "bare aiohttp pool, uvloop and orjson": ("pool", ("fast",)),
    "httpx pool": ("with_httpx", ()),
    "requests in threads": ("with_requests", ()),
    "Zoho's SDK in threads": ("with_sdk", ()),
}
"""Peers that read a CSV, send every row and write a CSV: the module and its options."""

_NEEDS = {
    "with_httpx": "httpx",
    "with_requests": "requests",
    "with_sdk": "zohocrmsdk",
}


def is_here(peer: str) -> bool:
    """Say whether the library that a peer stands for is installed."""
    return importlib.util.find_spec(_NEEDS.get(peer, "csv")) is not None


def send_with(sender: str, home: Home, file: Path, url: str) -> Usage:
    """Send a CSV with one of the senders."""
    module, options = SENDERS[sender]
    return home.peer(module, file, home.folder / "results.csv", url, WORKERS, *options)


def curl(home: Home, file: Path, url: str) -> Usage:
    """Send a CSV with `curl --parallel`; making its configuration does not count."""
    config = home.folder / "curl.txt"
    home.peer("with_curl", file, config, url)
    command = ["curl", "--silent", "--parallel", "--parallel-max", str(WORKERS)]
    return run([*command, "--config", config], env=home.env, cwd=home.folder)
