"""Input files that stand for the ways in which a command can end."""

from pathlib import Path

from support.sheets import record, rows, sheet


def write_inputs() -> None:
    """Write one file per case to the current folder; the names say which case it is."""
    sheet("in.csv", rows(2))
    sheet("bad.csv", [*rows(1), ("Leeds", record(2), "", "")])
    sheet("empty.csv", [])
    sheet("odd.csv", [("a", "b")], ("Colour", "Size"))
    Path("page.pdf").write_bytes(b"%PDF-1.4\n")
    Path("bad.yaml").write_text("limits:\n  per_secnd: 3\n", "utf-8")


def case_id(value: object) -> str:
    """Name a parametrized case by the arguments that are typed."""
    return " ".join(value) if isinstance(value, list) else str(value)
