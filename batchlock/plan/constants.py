"""One module, one reason or one action for all rows of a file, as the user named it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from batchlock.core.errors import UsageError
from batchlock.core.org import OrgModule
from batchlock.core.rows import Action, Field
from batchlock.plan.actions import read_action
from batchlock.plan.faults import Fault, quoted, strip_invisible
from batchlock.plan.modules import ModuleNames
from batchlock.plan.read.column_values import sample_values
from batchlock.plan.reasons import read_reason

if TYPE_CHECKING:
    import pandas as pd

# An id is never the same in all rows.
_ALLOWED = (Field.MODULE, Field.REASON, Field.ACTION)


def read_constants(
    values: Mapping[str, str],
    custom_modules: Sequence[str],
    org_modules: Sequence[OrgModule] = (),
) -> Mapping[Field, str]:
    """Return the values in their final form, by field.

    `values` are those of `--module` and `--reason`, and the action of the command, by field name.
    Raises UsageError for one that no row may have, and for a reason that no row uses.
    """
    constants: dict[Field, str] = {}
    modules = ModuleNames(custom_modules, org_modules)
    for name, text in values.items():
        field = Field(name)
        assert field in _ALLOWED
        value = _read_value(field, text, modules)
        if isinstance(value, Fault):
            message = _message(value, text, modules)
            raise UsageError(
                f"--{name}: {message}",
                page_message=f"The {name} for all rows: {message}",
            )
        if not value:
            raise UsageError(
                f"--{name}: the value is blank. Type one, or leave the option out.",
                page_message=f"The {name} for all rows is blank. Type one, or choose none.",
            )
        constants[field] = value
    if Field.REASON in constants and constants.get(Field.ACTION) == Action.UNLOCK:
        raise UsageError(
            "--reason: an unlock has no reason. Leave the option out.",
            page_message="An unlock has no reason. First empty the one reason for all rows, then "
            "choose to unlock.",
        )
    return constants


def _read_value(field: Field, text: str, modules: ModuleNames) -> str | Fault | None:
    match field:
        case Field.MODULE:
            return modules.read(text)
        case Field.ACTION:
            return read_action(text)
        case _:
            return read_reason(text)


def _message(fault: Fault, text: str, modules: ModuleNames) -> str:
    """Return what is wrong with a value for all rows: it stands in no cell and in no row."""
    if fault.code == "unknown_module":
        return modules.unknown_for_all_rows(text)
    if fault.code == "placeholder_reason":
        return (
            f"{quoted(text)} says that there is no reason, and would be sent to every row as it "
            "stands. Type the reason."
        )
    if fault.code == "bad_value":
        return (
            f"{quoted(text)} is an error of a spreadsheet, or holds a character that is not "
            "allowed in text. Type it again."
        )
    return fault.message


def check_blank(
    chunk: "pd.DataFrame",
    titles: Sequence[str],
    fields: Mapping[Field, int],
    constants: Mapping[Field, str],
) -> None:
    """Raise UsageError when a column has a value although there is one value for all rows."""
    for field in constants:
        # Rows may say the action that the command says too: see `row_actions`.
        if field not in fields or field is Field.ACTION:
            continue
        for row, cell in zip(chunk.index.tolist(), chunk[fields[field]].tolist(), strict=True):
            if cell is not None and (not isinstance(cell, str) or strip_invisible(cell)):
                fact = (
                    f"but row {row} of the column {titles[fields[field]]} has one already, "
                    f"{quoted(str(cell))}."
                )
                raise UsageError(
                    f"--{field} gives one value for all rows, {fact} "
                    f"Leave --{field} out, or empty the column.",
                    columns=[title for title in titles if title.strip()],
                    samples=[
                        sample_values(chunk[position].tolist())
                        for position, title in enumerate(titles)
                        if title.strip()
                    ],
                    page_message=f"One {field} is chosen for all rows, {fact} Choose no {field} "
                    "for all rows, or another column for it, or empty the column and upload the "
                    "file again.",
                )
