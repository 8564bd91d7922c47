"""Write docs/messages.md: every message that a person can meet, with its cause and what to do.

    python tools/make_messages.py [--check]

The messages are taken from the code: the exceptions of `core/errors.py`, the problems and notes of
rows, what is said of a row's end, Zoho's codes, and why a run stops. A sentence of a message that
begins with one of IMPERATIVES (code_messages.py) says what to do. The cells that a message does
not fill by itself are written by hand in docs/messages.md, and are kept.
`tests/test_docs.py` fails when the table and the code differ, or when a cell is empty.
"""

import re
import sys
from collections.abc import Sequence

from code_messages import ROOT, Message, collect

DOCUMENT = ROOT / "docs" / "messages.md"
TOPICS = (
    (
        "The command and its configuration",
        (
            "cli/",
            "doctor/",
            "api.py",
            "api_call.py",
            "config/",
            "org",
            "new_orgs",
            "plan_file.py",
            "plan_format.py",
            "core/encodings.py",
            "core/paths.py",
            "core/sizes.py",
        ),
    ),
    ("The file and its table", ("plan/read/", "plan/child", "plan/constants.py")),
    ("Rows with problems, and notes", ("plan/", "core/messages.py", "report/recognise")),
    (
        "Sign-in",
        (
            "zoho/oauth.py",
            "zoho/tokens.py",
            "zoho/token_file.py",
            "zoho/credentials.py",
            "zoho/device_flow.py",
            "zoho/revocation.py",
            "zoho/sign_in_files.py",
            "sign_in_",
            "sign_out.py",
        ),
    ),
    ("What Zoho refuses", ("zoho/error_codes.py", "zoho/replies.py")),
    ("The network", ("zoho/",)),
    (
        "Why a run stops",
        (
            "send/",
            "core/stop.py",
            "engine.py",
            "confirming.py",
            "start.py",
            "results_input.py",
            "execute.py",
            "find.py",
            "report/summaries.py",
        ),
    ),
    ("Results", ("report/",)),
    ("Runs, state folder and journal", ("store/", "core/")),
    ("Notices", ("notify/",)),
    ("Files of a folder", ("inboxes/",)),
    ("The web page", ("web/",)),
    ("Many orgs on many machines", ("fleet/",)),
)
HEADER = """\
# Messages

Every message that batchlock can end with or write about a row. `{…}` stands for what changes from
case to case. *Code* is the exit code of the command, or the code of a problem or note, as in the
results and in `--json`. The messages of Zoho itself are passed on as they are; below is what
batchlock adds to them.

[The README](../README.md) lists the exit codes and results. This page is made by
`python tools/make_messages.py`; the cells that the program does not say itself are written here.
"""
COLUMNS = "| Message | Code | Cause | What to do | From |\n|---|---|---|---|---|"


def cells_of(line: str) -> list[str]:
    """Return the cells of a line of a table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def escaped(text: str) -> str:
    """Return a text as a cell of a table holds it."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def document(messages: Sequence[Message], previous: str) -> str:
    """Return the page; the cells that were written by hand are those of the `previous` one."""
    # Two messages that differ only in what to do about them have the same text and code.
    generated = {escaped(message.remedy) for message in messages}
    by_hand: dict[tuple[str, str, str], tuple[str, str]] = {}
    for line in previous.splitlines():
        cells = cells_of(line)
        if len(cells) == 5:
            text, code, cause, remedy, _ = cells
            by_hand.setdefault((text, code, ""), (cause, remedy))
            by_hand[text, code, remedy if remedy in generated else ""] = cause, remedy
    parts = [HEADER]
    remaining = list(messages)
    for title, places in TOPICS:
        rows = []
        for message in [one for one in remaining if one.place.startswith(places)]:
            remaining.remove(message)
            text, code = escaped(message.text), message.code or "–"
            own = escaped(message.remedy)
            cause, remedy = by_hand.get((text, code, own), ("", own))
            rows.append(f"| {text} | {code} | {cause} | {remedy} | `{message.place}` |")
        parts.append(f"## {title}\n\n{COLUMNS}\n" + "\n".join(rows) + "\n")
    if remaining:
        raise ValueError(f"no topic for {remaining[0].place}")
    return "\n".join(parts)


def main() -> None:
    """Write the page; with --check, only say what is missing in it, and exit with 1."""
    previous = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else ""
    page = document(collect(), previous)
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(page, "utf-8")
        return
    old, new = set(previous.splitlines()), set(page.splitlines())
    faults = [f"missing: {line}" for line in sorted(new - old)]
    faults += [f"gone: {line}" for line in sorted(old - new)]
    faults += [f"empty cell: {line}" for line in page.splitlines() if "" in cells_of(line)]
    if page != previous and not faults:
        faults = ["the lines are in another order"]
    if faults:
        # The texts have characters that not every console can show.
        sys.exit("\n".join(faults).encode("ascii", "backslashreplace").decode())


if __name__ == "__main__":
    main()
