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


def short_outage(one: Installation) -> None:
    """Let Zoho be away for a moment in the middle; the night goes on by itself."""
    files = [one.put(), one.put()]
    fault = one.random.choice((_REFUSED, "dropped_before", "dropped_after", "throttled", "hang"))

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(2, one.rows[0] // 2))
        _disturb(one, fault)
        threading.Event().wait(0.25)
        one.recover()
        one.slow_down()

    one.slow_down()
    places = dict.fromkeys(files, "done")
    one.night(
        "short outage",
        {0},
        places,
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
        # Longer than the outage, whatever the waits are.
        settings={"retry": {"attempts": 20, "give_up_after": 20, "timeout": 1}},
    )
    one.recover()


def long_outage(one: Installation) -> None:
    """Let Zoho go away until batchlock gives up."""
    files = [one.put(), one.put(), one.put()]
    fault = one.random.choice((_REFUSED, "throttled"))

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(1, one.rows[0] - 1))
        _disturb(one, fault)

    one.slow_down()
    kind = "outage until batchlock gives up"
    first, second, third = files
    places = {first: "attention", second: "attention|left", third: "left"}
    one.night(kind, {6}, places, *_ONE_AT_A_TIME, while_running=disturb, needs_person=False)
    one.recover()
    one.night(f"{kind}: the night after", {0}, dict.fromkeys(files, "done"), needs_person=False)


def outage_until_the_end(one: Installation) -> None:
    """Let Zoho be away until the time of --until."""
    first, second = one.put(), one.put()

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, 2)
        _disturb(one, one.random.choice((_REFUSED, "throttled")))

    one.slow_down()
    kind = "outage until the time is over"
    one.night(
        kind,
        {6},
        # It gives up earlier where Zoho would answer after that time only; then both are begun.
        {first: "attention", second: "attention|left"},
        *_ONE_AT_A_TIME,
        "--until",
        "06:00",
        while_running=disturb,
        needs_person=False,
        at=one.evening.replace(hour=5, minute=59, second=56),
        settings={"retry": {"give_up_after": 900}},
    )
    one.recover()
    places = {first: "done", second: "done"}
    one.night(f"{kind}: the night after", {0}, places, needs_person=False)


def failing(one: Installation) -> None:
    """Let every call be answered with an error until rows fail; a person sends them again."""
    first, second = one.put(), one.put()
    fault = one.random.choice(("server_error", "bad_gateway", "dropped_before", "cut_body"))

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(2, one.rows[0] // 2))
        _disturb(one, fault)
        threading.Event().wait(2.5)
        one.recover()

    one.slow_down()
    kind = "errors for so long that rows fail"
    one.night(
        kind,
        {3},
        {first: "attention", second: "done|attention"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=True,
        says="failed",
        settings={"retry": {"attempts": 2}},
    )
    places = {}
    for file in (first, second):
        if file.place == "attention":
            places[one.correct(file)] = "done"
    one.night(f"{kind}: the results are put back", {0}, places, needs_person=False)


def deadline(one: Installation) -> None:
    """Let the time of --until come in the middle of a file."""
    first, second = one.put(one.new_rows(one.rows[1])), one.put()
    one.zoho.behave(latency=6.0 / one.rows[1])
    kind = "--until in the middle"
    one.night(
        kind,
        {6},
        {first: "attention", second: "left"},
        *_ONE_AT_A_TIME,
        "--until",
        "06:00",
        needs_person=False,
        at=one.evening.replace(hour=5, minute=59, second=56),
        says="time",
    )
    one.recover()
    places = {first: "done", second: "done"}
    one.night(f"{kind}: the night after", {0}, places, needs_person=False)


def spent_credits(one: Installation) -> None:
    """Let the credits of the org be used up in the middle."""
    first, second = one.put(), one.put()
    # Beside the rows, an org is asked two questions, and a row may be looked up.
    left = one.random.randint(5, one.rows[0])
    one.zoho.behave(credits=one.zoho.state()["credits_used"] + left)
    kind = "credits are spent in the middle"
    places = {first: "attention", second: "attention|left"}
    one.night(kind, {6}, places, *_ONE_AT_A_TIME, needs_person=False)
    one.zoho.behave(credits=None)
    places = {first: "done", second: "done"}
    one.night(f"{kind}: the night after", {0}, places, needs_person=False)


def revoked(one: Installation) -> None:
    """Revoke the sign-in in the middle, and mend it after another night."""
    first, second = one.put(), one.put()

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(2, one.rows[0] // 2))
        one.zoho.revoke()

    one.slow_down()
    kind = "sign-in revoked in the middle"
    places = {first: "attention", second: "left"}
    one.night(kind, {5}, places, *_ONE_AT_A_TIME, while_running=disturb, needs_person=True)
    one.recover()
    third = one.put()
    one.night(f"{kind}: not mended", {5}, {third: "left"}, needs_person=True)
    one.zoho.sign_in_again()
    places = dict.fromkeys((first, second, third), "done")
    one.night(f"{kind}: mended", {0}, places, needs_person=False)


def scope_missing(one: Installation) -> None:
    """Let the sign-in look, and not change; then mend it."""
    file = one.put()
    scopes = one.zoho.behaviour["scopes"]
    one.zoho.behave(scopes=_ONLY_READING)
    kind = "scope missing"
    one.night(kind, {5}, {file: "attention|left"}, needs_person=True)
    one.zoho.behave(scopes=scopes)
    one.night(f"{kind}: mended", {0}, {file: "done"}, needs_person=False)


def _disturb(one: Installation, fault: str) -> None:
    if fault == _REFUSED:
        one.way.cut()
    else:
        one.zoho.behave(faults={fault: 1})


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
