"""Read the names of modules."""

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


class ModuleNames:
    """The lockable modules of an org, found by any spelling of their API names."""

    def __init__(self, custom_modules: Sequence[str]) -> None:
        # The last one wins, so that a custom module never replaces a standard one.
        names = (*custom_modules, *MODULES)
        self._by_comparable_name = {_comparable(name): name for name in names}
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

    def _find(self, text: str) -> str | Fault | None:
        if not text:
            return None
        name = self._by_comparable_name.get(_comparable(text))
        return name or text_fault(text) or self._unknown(text)

    def _unknown(self, text: str) -> Fault:
        # Cut, since comparing a very long text with every name takes long.
        nearest = get_close_matches(_comparable(text)[:MAX_QUOTED], self._by_comparable_name, n=1)
        hint = f'; did you mean "{self._by_comparable_name[nearest[0]]}"?' if nearest else "."
        return Fault(
            "unknown_module",
            f"{quoted(text)} is not a module that can be locked{hint} "
            "A custom module is added under input.custom_modules.",
        )


def _comparable(name: str) -> str:
    """Return a name without case, spaces and underscores: `Sales Orders`, `salesorders`."""
    return "".join(name.replace("_", " ").split()).casefold()
