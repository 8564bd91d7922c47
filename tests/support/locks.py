"""Locks that `batchlock locks` finds, and the inventory of the stand-in that it should find."""

from pathlib import Path
from typing import Any

import openpyxl

from support.sheets import lines
from support.zoho import StandIn

MODULES = ("Leads", "Contacts", "Deals", "Invoices", "Visits")


def configure(zoho: StandIn, **sections: Any) -> None:
    """Write a configuration for an org with the modules of a sample inventory."""
    zoho.config(state_directory="state", input={"custom_modules": ["Visits"]}, **sections)


def locked_records(zoho: StandIn, *modules: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the locks of the inventory by module and record id."""
    return {
        (module, record["id"]): record
        for module in modules or MODULES
        for record in zoho.inventory(module)
        if record["lock"] is not None
    }


def written_locks(output: str | Path) -> list[dict[str, Any]]:
    """Return the lines of all sheets of locks, or of the CSV file, with the titles of `Locks`."""
    if Path(output).suffix == ".csv":
        return lines(output)
    book = openpyxl.load_workbook(output, read_only=True)
    try:
        found = []
        for name in ("Locks", "Automatic"):
            titles, *content = book[name].iter_rows(values_only=True)
            plain = [str(title).removesuffix(" (automatic)") for title in titles]
            found += [dict(zip(plain, line, strict=True)) for line in content]
    finally:
        book.close()
    return found


def keys_of(output: str | Path) -> list[tuple[str, str]]:
    """Return module and record id of each line."""
    return [(line["Module"], line["Record Id"]) for line in written_locks(output)]


def export(zoho: StandIn, module: str) -> Path:
    """Write an export of a module as Zoho does, with the column Locked."""
    path = Path(f"{module}_2026_03_01.csv")
    rows = [
        f"zcrm_{record['id']},{str(record['lock'] is not None).lower()}"
        for record in zoho.inventory(module)
    ]
    path.write_text("\n".join([f"Record Id,Locked,{module[:-1]} Owner", *rows]) + "\n", "utf-8")
    return path
