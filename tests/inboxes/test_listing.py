"""Which files of a folder are complete, and moves that never replace a file."""

import asyncio
import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchlock.inboxes import filing
from batchlock.inboxes.listing import FileSource, FolderPoller, list_files, make_folders

NOW = 1_700_000_000.0


def written(path: Path, at: float, text: str = "x") -> Path:
    path.write_text(text, "utf-8")
    os.utime(path, (at, at))
    return path


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -3600.0])
def test_a_file_is_old_by_the_clock_of_its_server(tmp_path: Path, ahead: float) -> None:
    server_time = NOW + ahead
    old = written(tmp_path / "old.csv", server_time - 601)
    new = written(tmp_path / "new.csv", server_time - 1)
    poller = FolderPoller(FileSource(tmp_path), now=lambda: NOW + ahead)
    first, second = poller.poll(), poller.poll()
    assert (first.complete, first.growing) == ((old,), (new,))
    assert second.complete == (old, new)


def test_a_file_whose_time_is_in_the_future_is_complete_when_it_stays_the_same(
    tmp_path: Path,
) -> None:
    file = written(tmp_path / "a.csv", NOW + 86_400)
    poller = FolderPoller(FileSource(tmp_path), now=lambda: NOW)
    assert poller.poll().growing == (file,)
    assert poller.poll().complete == (file,)
    written(file, NOW + 86_400, "longer")
    assert poller.poll().growing == (file,)


def test_a_file_that_is_removed_while_it_is_waited_for_is_left_out(tmp_path: Path) -> None:
    stays = tmp_path / "b.csv"
    stays.write_text("x", "utf-8")
    (tmp_path / "a.csv").write_text("x", "utf-8")

    async def remove(_: float) -> None:
        (tmp_path / "a.csv").unlink(missing_ok=True)

    assert asyncio.run(list_files(FileSource(tmp_path), remove)).complete == (stays,)


def test_the_probes_leave_nothing(tmp_path: Path) -> None:
    assert abs(make_folders(tmp_path)) < 3600
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["attention", "done"]


@pytest.fixture(params=["links", "no links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file system with or without hard links, as FAT and some network drives are."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("file_system")
def test_a_move_takes_a_free_name(tmp_path: Path) -> None:
    make_folders(tmp_path)
    taken = tmp_path / "done" / "a.csv"
    taken.write_text("of somebody else", "utf-8")
    file = tmp_path / "a.csv"
    file.write_text("mine", "utf-8")
    assert filing._move_input(file, taken) == tmp_path / "done" / "a (2).csv"
    assert filing._move_input(file, taken) is None  # another process was faster
    assert not file.exists()
    texts = sorted(path.read_text("utf-8") for path in (tmp_path / "done").iterdir())
    assert texts == ["mine", "of somebody else"]


@pytest.mark.skipif(os.name == "nt", reason="a rename there is one step")
def test_a_move_that_was_killed_between_its_two_steps_is_finished(tmp_path: Path) -> None:
    make_folders(tmp_path)
    file, target = tmp_path / "a.csv", tmp_path / "done" / "a.csv"
    file.write_text("mine", "utf-8")
    os.link(file, target)
    assert filing._move_input(file, target) == target
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
    assert target.read_text("utf-8") == "mine"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
@pytest.mark.usefixtures("file_system")
def test_a_link_leads_to_the_same_file_after_its_move(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make_folders(folder)
    (tmp_path / "export.csv").write_text("mine", "utf-8")
    link = folder / "a.csv"
    link.symlink_to("../export.csv")
    moved = filing._move_input(link, folder / "done" / "a.csv")
    assert moved is not None
    assert moved.read_text("utf-8") == "mine"
    assert not link.is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="a rename there is one step")
def test_a_file_whose_way_aside_was_killed_is_there_once(tmp_path: Path) -> None:
    make_folders(tmp_path)
    file, moment = tmp_path / "a.csv", datetime(2026, 3, 14, tzinfo=UTC)
    file.write_text("mine", "utf-8")
    name = "a-20260314-000000.csv"
    os.link(file, tmp_path / "attention" / name)
    assert filing.put_aside(file, moment, "why").name == name
    names = sorted(path.name for path in (tmp_path / "attention").iterdir())
    assert (names, file.exists()) == ([name, f"{name}.txt"], False)
