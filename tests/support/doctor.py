"""The checks that `batchlock doctor --json` prints."""

from typing import Any

from support.commands import CommandResult


def states(result: CommandResult) -> dict[str, str]:
    """Return the state of each check by its id, from `--json`."""
    checks = result.json["checks"]
    state_by_id = {check["id"]: check["state"] for check in checks}
    assert len(state_by_id) == len(checks), "two checks have the same id"
    for check in checks:
        assert check["group"] == check["id"].partition(".")[0]
        assert check["message"].endswith((".", "?"))
        # Whoever has to act is told what to do.
        assert bool(check["what_to_do"]) == (check["state"] in ("doubtful", "bad")), check
    return state_by_id


def check_of(result: CommandResult, check_id: str) -> dict[str, Any]:
    """Return one check."""
    [check] = [check for check in result.json["checks"] if check["id"] == check_id]
    assert isinstance(check, dict)
    return check


def not_good(result: CommandResult) -> dict[str, str]:
    """Return the state of each check that is not good."""
    return {check_id: state for check_id, state in states(result).items() if state != "good"}
