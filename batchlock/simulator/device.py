"""The device flow: a code that a person approves in a browser, and the polls that wait for that.

Zoho's page on the device flow names two calls and leaves open in which unit the times of the first
answer are. Two clients read milliseconds, so these are milliseconds.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from batchlock.simulator.answers import HTML, CannedResponse, json_answer, sign_in_refusal

DEVICE_PATH = "/oauth/v3/device"
"""The page where a person approves a code, and the start of the paths of both calls."""
# Seconds for which a code can be approved, and between two polls.
_LIFETIME_SECONDS = 300
_INTERVAL_SECONDS = 5
# Letters and digits that people do not confuse.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"


@dataclass(slots=True)
class _Code:
    user_code: str
    ends_at: float
    polled_at: float | None = None
    is_approved: bool | None = None
    """None: the person has not decided yet."""


class DeviceCodes:
    """The codes of one org. `clock` returns seconds and is monotonic."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        """By device code."""

    def new_code(self, url: str) -> CannedResponse:
        """Answer the request for a code; `url` is the address of the stand-in."""
        code = _Code(_user_code(), self._clock() + _LIFETIME_SECONDS)
        device_code = f"1004.{secrets.token_hex(16)}"
        self._codes[device_code] = code
        page = f"{url}{DEVICE_PATH}"
        return json_answer(
            {
                "device_code": device_code,
                "user_code": code.user_code,
                "verification_url": page,
                "verification_uri_complete": f"{page}?user_code={code.user_code}",
                "interval": _INTERVAL_SECONDS * 1000,
                "expires_in": _LIFETIME_SECONDS * 1000,
            }
        )

    def poll(self, device_code: str) -> CannedResponse | None:
        """Return the refusal of a poll; None if the code is approved. An approved code ends."""
        code = self._codes.get(device_code)
        now = self._clock()
        if code is None or now >= code.ends_at:
            return sign_in_refusal("expired")
        is_early = code.polled_at is not None and now - code.polled_at < _INTERVAL_SECONDS
        code.polled_at = now
        if is_early:
            return sign_in_refusal("slow_down")
        if code.is_approved is None:
            return sign_in_refusal("authorization_pending")
        del self._codes[device_code]
        return None if code.is_approved else sign_in_refusal("access_denied")

    def decide(self, user_code: str, *, is_approved: bool) -> bool:
        """Approve or deny a code, as a person does; return False if it cannot be used."""
        for code in self._codes.values():
            if code.user_code == user_code and self._clock() < code.ends_at:
                code.is_approved = is_approved
                return True
        return False


def approval_page(user_code: str, message: str = "") -> CannedResponse:
    """Return the page where a person approves or denies a code."""
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Stand-in for Zoho</title>'
        f"<h1>Stand-in for Zoho</h1><p>{escape(message)}</p>"
        f'<form method="post"><label>Code <input name="user_code" value="{escape(user_code)}">'
        '</label> <button name="decision" value="approve">Accept</button> '
        '<button name="decision" value="deny">Reject</button></form></html>'
    )
    return CannedResponse(200, html.encode(), HTML)


def _user_code() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(8))
