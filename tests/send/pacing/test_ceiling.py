import json
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from support.clocks import START_UTC

from batchlock.send.org_memory import JsonFile
from batchlock.send.pacing.ceiling import Pace, load_pace, save_pace
from batchlock.send.pacing.window import Ceiling

WEEK = timedelta(days=7)


def save(path: Path, now: Pace, before: Pace = Pace()) -> None:  # noqa: B008  frozen
    save_pace(JsonFile(path), before=before, now=now, at=START_UTC)


def test_a_pace_is_stored_between_runs(tmp_path: Path) -> None:
    path = tmp_path / "pace" / "acme.json"
    assert load_pace(JsonFile(path), START_UTC) == Pace()
    for ceiling in (Ceiling(11, START_UTC), Ceiling(8, START_UTC + timedelta(seconds=1.5))):
        save(path, Pace(ceiling, 7))
        assert load_pace(JsonFile(path), START_UTC) == Pace(Ceiling(ceiling.refused, START_UTC), 7)
    assert [file.name for file in path.parent.iterdir()] == ["acme.json"]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_ceiling_that_is_no_longer_true_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "acme.json"
    save(path, Pace(Ceiling(11, START_UTC)))
    before = load_pace(JsonFile(path), START_UTC)
    save(path, Pace(), before)
    save(path, Pace())
    assert not path.exists()


def test_what_a_run_has_not_found_itself_keeps_its_date(tmp_path: Path) -> None:
    path = tmp_path / "acme.json"
    save(path, Pace(Ceiling(11, START_UTC), 10))
    later = START_UTC + 0.6 * WEEK
    before = load_pace(JsonFile(path), later)
    save_pace(JsonFile(path), before=before, now=Pace(before.ceiling, 6), at=later)
    assert load_pace(JsonFile(path), later) == before
    assert load_pace(JsonFile(path), later + 0.6 * WEEK) == Pace()


@pytest.mark.parametrize(
    ("ceiling", "good", "expected"),
    [
        (None, 6, 20),  # a short run
        (None, 20, 20),
        (None, 25, 25),
        (None, 0, 20),
        (Ceiling(25, START_UTC), 10, 20),
        (Ceiling(12, START_UTC), 11, 11),  # what was good is refused now
    ],
)
def test_the_highest_good_concurrency_stays_unless_it_is_refused(
    tmp_path: Path, ceiling: Ceiling | None, good: int, expected: int
) -> None:
    path = tmp_path / "acme.json"
    save(path, Pace(None, 20))
    save(path, Pace(ceiling, good), Pace(None, 20))
    assert load_pace(JsonFile(path), START_UTC).good == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"{}",
        b'{"refused": 11}',
        b'{"good": 11}',
        *(
            json.dumps({"refused": number, "at": at, "good": number, "good_at": at}).encode()
            for number, at in [
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
def test_a_damaged_file_counts_as_no_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "acme.json").write_bytes(content)
    assert load_pace(JsonFile(tmp_path / "acme.json"), START_UTC) == Pace()
    save(tmp_path / "acme.json", Pace(Ceiling(11, START_UTC), 10))
    assert load_pace(JsonFile(tmp_path / "acme.json"), START_UTC) == Pace(
        Ceiling(11, START_UTC), 10
    )


def test_the_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    content = {"refused": 11, "at": START_UTC.isoformat()}
    (tmp_path / "acme.json").write_text(json.dumps(content))
    assert load_pace(JsonFile(tmp_path / "acme.json"), START_UTC) == Pace(Ceiling(11, START_UTC))


@pytest.mark.parametrize(("days", "expected"), [(6, Pace(Ceiling(11, START_UTC), 9)), (8, Pace())])
def test_a_stored_pace_expires_after_a_week(tmp_path: Path, days: int, expected: Pace) -> None:
    then = START_UTC - timedelta(days=days)
    path = tmp_path / "acme.json"
    save_pace(JsonFile(path), before=Pace(), now=Pace(Ceiling(11, then), 9), at=then)
    assert load_pace(JsonFile(path), START_UTC) == expected


def test_a_pace_that_cannot_be_stored_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "pace").write_text("a file where the folder should be")
    save(tmp_path / "pace" / "acme.json", Pace(Ceiling(11, START_UTC)))
    (tmp_path / "acme.json").mkdir()
    save(tmp_path / "acme.json", Pace(Ceiling(11, START_UTC)))
    assert load_pace(JsonFile(tmp_path / "acme.json"), START_UTC) == Pace()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["acme.json", "pace"]
