"""Nights in which Zoho is away or refuses, and nights of a sign-in that is refused."""

import threading
from collections.abc import Callable

from benchmarks.nights.installation import Installation
from benchmarks.nights.process import InboxProcess

_ONE_AT_A_TIME = ("--in-flight", "1")
# Not a fault of the stand-in: nobody listens at its address.
_REFUSED = "refused"
# Without those of changes.
_ONLY_READING = [f"ZohoCRM.{name}.READ" for name in ("modules", "org", "settings.modules", "users")]


def short_outage(installation: Installation) -> None:
    """Let Zoho be away for a moment in the middle; the night goes on by itself."""
    files = [installation.put(), installation.put()]
    fault = installation.random.choice(
        (_REFUSED, "dropped_before", "dropped_after", "throttled", "hang")
    )

    def disturb(process: InboxProcess) -> None:
        installation.wait_for_changes(
            process, installation.random.randint(2, installation.rows[0] // 2)
        )
        _disturb(installation, fault)
        threading.Event().wait(0.25)
        installation.recover()
        installation.slow_down()

    installation.slow_down()
    places = dict.fromkeys(files, "done")
    installation.night(
        "short outage",
        {0},
        places,
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
        # Longer than the outage, whatever the waits are.
        settings={"retry": {"attempts": 20, "give_up_after": 20, "timeout": 1}},
    )
    installation.recover()


def long_outage(installation: Installation) -> None:
    """Let Zoho go away until batchlock gives up."""
    files = [installation.put(), installation.put(), installation.put()]
    fault = installation.random.choice((_REFUSED, "throttled"))

    def disturb(process: InboxProcess) -> None:
        installation.wait_for_changes(
            process, installation.random.randint(1, installation.rows[0] - 1)
        )
        _disturb(installation, fault)

    installation.slow_down()
    kind = "outage until batchlock gives up"
    first, second, third = files
    places = {first: "attention", second: "attention|left", third: "left"}
    installation.night(
        kind, {6}, places, *_ONE_AT_A_TIME, while_running=disturb, needs_person=False
    )
    installation.recover()
    installation.night(
        f"{kind}: the night after", {0}, dict.fromkeys(files, "done"), needs_person=False
    )


def outage_until_the_end(installation: Installation) -> None:
    """Let Zoho be away until the time of --until."""
    first, second = installation.put(), installation.put()

    def disturb(process: InboxProcess) -> None:
        installation.wait_for_changes(process, 2)
        _disturb(installation, installation.random.choice((_REFUSED, "throttled")))

    installation.slow_down()
    kind = "outage until the time is over"
    installation.night(
        kind,
        {6},
        # It gives up earlier where Zoho would answer after that time only; then both are begun.
        {first: "attention", second: "attention|left"},
        *_ONE_AT_A_TIME,
        "--until",
        "06:00",
        while_running=disturb,
        needs_person=False,
        at=installation.evening.replace(hour=5, minute=59, second=56),
        settings={"retry": {"give_up_after": 900}},
    )
    installation.recover()
    places = {first: "done", second: "done"}
    installation.night(f"{kind}: the night after", {0}, places, needs_person=False)


def failing(installation: Installation) -> None:
    """Let every call be answered with an error until rows fail; a person sends them again."""
    first, second = installation.put(), installation.put()
    fault = installation.random.choice(
        ("server_error", "bad_gateway", "dropped_before", "cut_body")
    )

    def disturb(process: InboxProcess) -> None:
        installation.wait_for_changes(
            process, installation.random.randint(2, installation.rows[0] // 2)
        )
        _disturb(installation, fault)
        threading.Event().wait(2.5)
        installation.recover()

    installation.slow_down()
    kind = "errors for so long that rows fail"
    installation.night(
        kind,
        {3},
        {first: "attention", second: "done|attention"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=True,
        notice_part="failed",
        settings={"retry": {"attempts": 2}},
    )
    places = {}
    for file in (first, second):
        if file.place == "attention":
            places[installation.correct(file)] = "done"
    installation.night(f"{kind}: the results are put back", {0}, places, needs_person=False)


def deadline(installation: Installation) -> None:
    """Let the time of --until come in the middle of a file."""
    first, second = (
        installation.put(installation.new_rows(installation.rows[1])),
        installation.put(),
    )
    installation.zoho.behave(latency=6.0 / installation.rows[1])
    kind = "--until in the middle"
    installation.night(
        kind,
        {6},
        {first: "attention", second: "left"},
        *_ONE_AT_A_TIME,
        "--until",
        "06:00",
        needs_person=False,
        at=installation.evening.replace(hour=5, minute=59, second=56),
        notice_part="time",
    )
    installation.recover()
    places = {first: "done", second: "done"}
    installation.night(f"{kind}: the night after", {0}, places, needs_person=False)


def spent_credits(installation: Installation) -> None:
    """Let the credits of the org be used up in the middle."""
    first, second = installation.put(), installation.put()
    # Beside the rows, an org is asked two questions, and a row may be looked up.
    left = installation.random.randint(5, installation.rows[0])
    installation.zoho.behave(credits=installation.zoho.state()["credits_used"] + left)
    kind = "credits are spent in the middle"
    places = {first: "attention", second: "attention|left"}
    installation.night(kind, {6}, places, *_ONE_AT_A_TIME, needs_person=False)
    installation.zoho.behave(credits=None)
    places = {first: "done", second: "done"}
    installation.night(f"{kind}: the night after", {0}, places, needs_person=False)


def revoked(installation: Installation) -> None:
    """Revoke the sign-in in the middle, and mend it after another night."""
    first, second = installation.put(), installation.put()

    def disturb(process: InboxProcess) -> None:
        installation.wait_for_changes(
            process, installation.random.randint(2, installation.rows[0] // 2)
        )
        installation.zoho.revoke()

    installation.slow_down()
    kind = "sign-in revoked in the middle"
    places = {first: "attention", second: "left"}
    installation.night(kind, {5}, places, *_ONE_AT_A_TIME, while_running=disturb, needs_person=True)
    installation.recover()
    third = installation.put()
    installation.night(f"{kind}: not mended", {5}, {third: "left"}, needs_person=True)
    installation.zoho.sign_in_again()
    places = dict.fromkeys((first, second, third), "done")
    installation.night(f"{kind}: mended", {0}, places, needs_person=False)


def scope_missing(installation: Installation) -> None:
    """Let the sign-in look, and not change; then mend it."""
    file = installation.put()
    scopes = installation.zoho.behaviour["scopes"]
    installation.zoho.behave(scopes=_ONLY_READING)
    kind = "scope missing"
    installation.night(kind, {5}, {file: "attention|left"}, needs_person=True)
    installation.zoho.behave(scopes=scopes)
    installation.night(f"{kind}: mended", {0}, {file: "done"}, needs_person=False)


def _disturb(installation: Installation, fault: str) -> None:
    if fault == _REFUSED:
        installation.proxy.refuse()
    else:
        installation.zoho.behave(faults={fault: 1})


KINDS: dict[str, Callable[[Installation], None]] = {
    "outage": short_outage,
    "away": long_outage,
    "window": outage_until_the_end,
    "failing": failing,
    "until": deadline,
    "credits": spent_credits,
    "revoked": revoked,
    "scope": scope_missing,
}
