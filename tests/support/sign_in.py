"""A sign-in by `batchlock login`, and whether it works."""

from pathlib import Path

from support.commands import RunCommand
from support.sheets import rows, sheet

ORG_NUMBER = "990000000"


def sign_in_file(**changed: str) -> Path:
    """Write a file with a sign-in, for `login --from`."""
    values = {
        "ZOHO_CLIENT_ID": "me",
        "ZOHO_CLIENT_SECRET": "hush-hush",
        "ZOHO_REFRESH_TOKEN": "1000.mine",
        **changed,
    }
    file = Path("sign-in.env")
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), "utf-8")
    return file


def has_sent(run_in_process: RunCommand, *options: object) -> bool:
    """Return whether a run sends a row with the stored sign-in."""
    completed = run_in_process("run", sheet("in.csv", rows(1)), *options, "--json")
    return completed.code == 0 and completed.json["counts"]["updated"] == 1
