"""The JSON object of `batchlock doctor`."""

from pathlib import Path
from typing import TypedDict

from batchlock.doctor.checks import Check, Diagnosis, State


class CheckJson(TypedDict):
    """One check."""

    id: str
    group: str
    state: str
    message: str
    what_to_do: str


class DoctorJson(TypedDict):
    """All checks."""

    checks: list[CheckJson]
    counts: dict[str, int]
    """By state, zeros too."""
    exit_code: int
    message: str
    bundle: str | None
    """The file for a bug report; null when none was asked for."""


def doctor_json(diagnosis: Diagnosis, *, exit_code: int, bundle: Path | None) -> DoctorJson:
    """Return the object for a diagnosis; `bundle` is the file that was written."""
    return {
        "checks": [check_json(check) for check in diagnosis.checks],
        "counts": {state.value: diagnosis.count(state) for state in State},
        "exit_code": exit_code,
        "message": diagnosis.sentence,
        "bundle": None if bundle is None else str(bundle),
    }


def no_doctor_json(*, exit_code: int, message: str) -> DoctorJson:
    """Return the object for an error that ended the command."""
    counts = {state.value: 0 for state in State}
    return {
        "checks": [],
        "counts": counts,
        "exit_code": exit_code,
        "message": message,
        "bundle": None,
    }


def check_json(check: Check) -> CheckJson:
    """Return the object for a check."""
    return {
        "id": check.check_id,
        "group": check.group.value,
        "state": check.state.value,
        "message": check.message,
        "what_to_do": check.what_to_do,
    }
