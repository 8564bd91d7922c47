"""Read the names of modules."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from batchlock.core.cell_text import display_text
from batchlock.core.rows import MODULES, Cell, NoValue
from batchlock.plan.faults import (
    MAX_QUOTED,
    Fault,
    no_value_fault,
    quoted,
    strip_invisible,
    text_fault,
)
from batchlock.plan.module_labels import BY_SINGULAR, OLD_NAMES, comparable

WHERE_API_NAMES_ARE = "Zoho shows API names under Setup → Developer Space → APIs → API names"
# Zoho's own name of a custom module, which stands in the address of each of its records.
_NUMBERED_MODULE = re.compile(r"custommodule[0-9]+")
OR_DELETE_TOTALS = "; if the row holds no record, such as a row of totals, delete the row"
"""The part of a remedy that fits a row, and not one module for all rows."""
_CUSTOM = "name its API name under input.custom_modules in the configuration"


class ModuleNames:
    """The lockable modules of an org, found by any spelling of their API names."""

    def __init__(self, custom_modules: Sequence[str]) -> None:
        # The last one wins, so that a custom module never replaces a standard one.
        names = (*custom_modules, *MODULES)
        # A custom module may have the old name of a standard one.
        self._by_comparable_name = OLD_NAMES | {comparable(name): name for name in names}
        # Results by cell: a file repeats few spellings in very many rows.
        self._cache: dict[str, str | Fault | None] = {name: name for name in names}

    def read(self, cell: Cell) -> str | Fault | None:
        """Return the API name of a module, a fault, or None for a blank cell."""
        if not isinstance(cell, str):
            if isinstance(cell, NoValue):
                return no_value_fault(cell)
            return self._find(display_text(cell))
        if cell not in self._cache:
            self._cache[cell] = self._find(strip_invisible(cell))
        return self._cache[cell]

    def find(self, name: str) -> str | None:
        """Return the API name of a module in any spelling, None for an unknown one."""
        return self._by_comparable_name.get(comparable(name))

    def _find(self, text: str) -> str | Fault | None:
        if not text:
            return None
        return self.find(text) or text_fault(text) or self._unknown(text)

    def nearest(self, text: str) -> str | None:
        """Return the module that an unknown name may stand for, if one is similar."""
        # Cut, since comparing a very long text with every name takes long.
        name = comparable(text)[:MAX_QUOTED]
        if (module := BY_SINGULAR.get(name)) is not None:
            return module
        nearest = get_close_matches(name, self._by_comparable_name, n=1)
        return self._by_comparable_name[nearest[0]] if nearest else None

    def unknown_for_all_rows(self, text: str) -> str:
        """Return the message about an unknown module that was named for all rows."""
        nearest = self.nearest(text)
        suggestion = f' Did you mean "{nearest}"?' if nearest else ""
        known = ", ".join(sorted({*self._by_comparable_name.values()}))
        return (
            f"{quoted(text)} is not a module that can be locked.{suggestion} These can: {known}. "
            f"If it is a custom module of your org, {_CUSTOM}. {WHERE_API_NAMES_ARE}."
        )

    def _unknown(self, text: str) -> Fault:
        name = comparable(text)[:MAX_QUOTED]
        if name in BY_SINGULAR:
            remedy = f'; did you mean "{self.nearest(text)}"? {WHERE_API_NAMES_ARE}.'
        elif _NUMBERED_MODULE.fullmatch(name):
            remedy = f". {WHERE_API_NAMES_ARE}: find the custom module there and {_CUSTOM}."
        elif (module := self.nearest(text)) is not None:
            remedy = (
                f'; did you mean "{module}"? {WHERE_API_NAMES_ARE}. '
                f"If it is a custom module of your org, {_CUSTOM}."
            )
        else:
            remedy = (
                f". {WHERE_API_NAMES_ARE}. If it is a custom module of your org, {_CUSTOM}"
                f"{OR_DELETE_TOTALS}."
            )
        return Fault("unknown_module", f"{quoted(text)} is not a module that can be locked{remedy}")
