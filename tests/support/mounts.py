"""File systems that are mounted for the commands of one test alone."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.commands import TIMEOUT_SECONDS, command

_IN_A_NAMESPACE = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]


def skip_without_mounts() -> None:
    """Skip the test where no file system can be mounted for it alone."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    Path("probe").mkdir()
    attempt = subprocess.run(
        [*_IN_A_NAMESPACE, "mount -t tmpfs -o size=64k tmpfs probe"],
        capture_output=True,
        check=False,
    )
    if attempt.returncode != 0:
        pytest.skip("needs to mount a file system")


def in_a_namespace(script: str) -> list[dict[str, Any]]:
    """Run a script that may mount; return the JSON objects that it prints, a line each."""
    completed = subprocess.run(
        [*_IN_A_NAMESPACE, script.replace("batchlock", " ".join(command()))],
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return [json.loads(line) for line in completed.stdout.splitlines()]
