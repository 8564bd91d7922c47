"""Which passwords are refused when they are set."""

import pytest

from batchlock.web.auth.strength import weakness


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 12 characters"),
        ("kD8#qv0!zLw", "at least 12 characters"),
        ("kD8#     qv0!", "at least 12 characters"),
        ("velvet otter " * 10, "at most 128 characters"),
        ("password1234", "leaked"),
        ("P@ssw0rd1234", "leaked"),
        ("123456789012", "leaked"),
        ("aaaaaaaaaaaaaaa", "leaked"),
        ("qwertyuiop[]", "leaked"),
        ("Batchlock2026", "leaked"),
        ("annelise2001", "leaked"),
        ("x" * 128, "leaked"),
    ],
)
def test_a_short_long_leaked_or_trivial_password_is_refused(password: str, reason: str) -> None:
    assert reason in weakness(password, "Annelise Moser")


@pytest.mark.parametrize(
    "password",
    [
        "velvet otter lantern nine",
        "kD8#qv0!zLw4",
        "\udcff and some more",
        "山川海空森花鳥風月星雲雪",
        "velvet otter lantern nine " * 4,
    ],
)
def test_another_password_is_taken(password: str) -> None:
    assert weakness(password, "Annelise Moser") == ""
