import json
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from support.clocks import START_UTC

from batchlock.send.pacing.ceiling import load_ceiling, save_ceiling
from batchlock.send.pacing.window import Ceiling


def test_a_ceiling_is_stored_between_runs(tmp_path: Path) -> None:
    path = tmp_path / "pace" / "acme.json"
    assert load_ceiling(path, START_UTC) is None
    for ceiling in (Ceiling(11, START_UTC), Ceiling(8, START_UTC + timedelta(seconds=1.5))):
        save_ceiling(path, ceiling)
        assert load_ceiling(path, START_UTC) == Ceiling(ceiling.refused, START_UTC)
    assert [file.name for file in path.parent.iterdir()] == ["acme.json"]
    save_ceiling(path, None)
    save_ceiling(path, None)
    assert load_ceiling(path, START_UTC) is None
    save_ceiling(path, Ceiling(11, START_UTC))
    if sys.platform != "win32":
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"{}",
        b'{"refused": 11}',
        *(
            json.dumps({"refused": refused, "at": at}).encode()
            for refused, at in [
                ("11", "2026-01-01T00:00:00+00:00"),
                (1, "2026-01-01T00:00:00+00:00"),
                (5, "2026-01-01T00:00:00+00:00"),  # every edition allows as many
                (-3, "2026-01-01T00:00:00+00:00"),
                (11.5, "2026-01-01T00:00:00+00:00"),
                (11, "2026-01-01T00:00:00"),
                (11, "yesterday"),
                (11, 5),
            ]
        ),
    ],
)
def test_a_damaged_file_counts_as_no_ceiling(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "acme.json").write_bytes(content)
    assert load_ceiling(tmp_path / "acme.json", START_UTC) is None
    save_ceiling(tmp_path / "acme.json", Ceiling(11, START_UTC))
    assert load_ceiling(tmp_path / "acme.json", START_UTC) == Ceiling(11, START_UTC)


@pytest.mark.parametrize(("days", "expected"), [(6, Ceiling(11, START_UTC)), (8, None)])
def test_a_stored_ceiling_expires_after_a_week(
    tmp_path: Path, days: int, expected: Ceiling | None
) -> None:
    save_ceiling(tmp_path / "acme.json", Ceiling(11, START_UTC - timedelta(days=days)))
    assert load_ceiling(tmp_path / "acme.json", START_UTC) == expected


def test_a_ceiling_that_cannot_be_stored_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "pace").write_text("a file where the folder should be")
    save_ceiling(tmp_path / "pace" / "acme.json", Ceiling(11, START_UTC))
    (tmp_path / "acme.json").mkdir()
    save_ceiling(tmp_path / "acme.json", Ceiling(11, START_UTC))
    assert load_ceiling(tmp_path / "acme.json", START_UTC) is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["acme.json", "pace"]
