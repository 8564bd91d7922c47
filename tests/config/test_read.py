import sys
from pathlib import Path

import pytest

from batchlock.config import read, sources


def test_settings_without_a_problem_are_read_beside_those_with_one() -> None:
    file = Path("config.yaml")
    file.write_text("org: acme\nzoho:\n  data_center: mars\nstop:\n  until: noon\n", "utf-8")
    result = read(environment={"BATCHLOCK_NO_SUCH_KEY": "1"})
    assert result.settings.org == "acme"
    assert result.settings.zoho.data_center == "us"
    assert len(result.problems) == 3
    assert result.invalid_paths == {("zoho", "data_center"), ("stop", "until")}


def test_a_file_that_cannot_be_read_leaves_every_setting_unknown() -> None:
    result = read(file=Path("missing.yaml"), environment={"BATCHLOCK_ORG": "acme"})
    assert result.settings.org == "acme"
    assert result.invalid_paths == {()}


@pytest.mark.skipif(sys.platform == "win32", reason="its paths have another limit")
def test_a_folder_for_the_configuration_that_cannot_be_read_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A name of 300 letters is refused for every user, also for root, who may read all folders.
    monkeypatch.setattr(sources, "user_folder", lambda _: Path("/", "x" * 300))
    result = read(environment={})
    assert "--config" in result.problems[0]
    assert result.invalid_paths == {()}
