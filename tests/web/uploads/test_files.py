"""File names that browsers send."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchlock.web.uploads.files import safe_name


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.csv",
        "..\\..\\windows\\system32\\evil.csv",
        "/etc/cron.d/x.csv",
        "C:\\autoexec.csv",
        "CON.csv",
        "a\x00b.csv",
        "<img src=x onerror=alert(1)>.csv",
        "\"; rm -rf ~; '.csv",
        "a" * 300 + ".csv",
        ".htaccess",
        "..",
        "\u202etxt.csv",
        "naïve Größe 表.csv",
    ],
)
def test_a_hostile_name_becomes_safe(name: str) -> None:
    safe = safe_name(name)
    assert safe not in ("", ".", "..")
    assert not set(safe) & set('/\\<>:"|?*\0\u202e')
    assert len(safe.encode()) <= 160
    assert Path(safe).name == safe
    assert not safe.lower().startswith(("con.", "nul."))


@given(st.text())
def test_every_name_becomes_safe_once(name: str) -> None:
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert safe_name(safe) == safe
