"""The folders that batchlock makes for itself."""

import stat
import sys
from pathlib import Path

import pytest

from batchlock.core.paths import make_private_folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_only_this_user_can_read_any_folder_that_was_missing(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = tmp_path / "state" / "web" / "files"
    make_private_folder(folder)
    make_private_folder(folder)
    for made in (folder, folder.parent, folder.parent.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    for folder in (tmp_path / "state", tmp_path / "state" / "web"):
        with pytest.raises(OSError):  # noqa: PT011  each system has another error
            make_private_folder(folder)
