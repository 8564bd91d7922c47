"""Which passwords are refused when they are set."""

import pytest

from batchlock.web.auth.strength import weakness


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 10 characters"),
        ("password123", "leaked"),
        ("P@ssw0rd1234", "leaked"),
        ("1234567890", "leaked"),
        ("aaaaaaaaaaaaaaa", "leaked"),
        ("qwertyuiop", "leaked"),
        ("Batchlock2026", "leaked"),
        ("annelise01", "leaked"),
        ("x" * 5000, "leaked"),
    ],
)
def test_a_short_leaked_or_trivial_password_is_refused(password: str, reason: str) -> None:
    assert reason in weakness(password, "Annelise Moser")


@pytest.mark.parametrize(
    "password",
    ["velvet otter lantern nine", "kD8#qv0!zL", "\udcff and more", "山川海空森花鳥風月星"],
)
def test_another_password_is_taken(password: str) -> None:
    assert weakness(password, "Annelise Moser") == ""
