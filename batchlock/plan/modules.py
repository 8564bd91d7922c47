"""Read the names of modules."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from batchlock.core.cell_text import display_text
from batchlock.core.org import OrgModule
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
    """The lockable modules of an org, by any spelling of their API names or by their labels.

    An API name stands for its module, also where another module has it as its label. A label of
    two modules stands for none: nobody can tell which one is meant.
    """

    def __init__(
        self, custom_modules: Sequence[str], org_modules: Sequence[OrgModule] = ()
    ) -> None:
        # The last one wins, so that a custom module never replaces a standard one.
        names = (*(one.api_name for one in org_modules), *custom_modules, *MODULES)
        # Addresses of records have other names. A custom module may have the old name of a
        # standard one, so the API names win.
        numbered = {
            comparable(one.module_name): one.api_name for one in org_modules if one.module_name
        }
        self._by_api_name = OLD_NAMES | numbered | {comparable(name): name for name in names}
        self._by_label = _by_label((one.api_name, one.labels) for one in org_modules)
        self._by_singular = _by_label(
            (one.api_name, (one.singular_label, one.actual_singular_label)) for one in org_modules
        )
        single = {label: min(ones) for label, ones in self._by_label.items() if len(ones) == 1}
        self._by_comparable_name = single | self._by_api_name
        self.labels_used: dict[str, str] = {}
        """The module of each cell that was found by a label, by the cell."""
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
        """Return the API name of a module by any of its names, None for an unknown one."""
        return self._by_comparable_name.get(comparable(name))

    def find_in_file_name(self, label: str) -> str | None:
        """Return the module that a part of a file name stands for; None when it is not clear.

        A list export is named by a label, and a part of a backup by an API name.
        """
        name = comparable(label)
        modules = set(self._by_label.get(name, ()))
        if name in self._by_api_name:
            modules.add(self._by_api_name[name])
        return modules.pop() if len(modules) == 1 else None

    def find_owner(self, label: str) -> str | None:
        """Return the module whose records have this label in the column of the owner."""
        name = comparable(label)
        modules = set(self._by_singular.get(name, ()))
        if name in BY_SINGULAR:
            modules.add(BY_SINGULAR[name])
        return modules.pop() if len(modules) == 1 else None

    def _find(self, text: str) -> str | Fault | None:
        if not text:
            return None
        module = self.find(text)
        if module is not None and comparable(text) not in self._by_api_name:
            self.labels_used[text] = module
        return module or text_fault(text) or self._unknown(text)

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
        if len(modules := self._by_label.get(name, ())) > 1:
            named = " and ".join(sorted(modules))
            remedy = f": it is a label of {named}. Write the API name of the one that is meant."
        elif name in BY_SINGULAR:
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


def _by_label(labels_of: Iterable[tuple[str, Iterable[str]]]) -> Mapping[str, frozenset[str]]:
    """Return the modules that have a label, by the label in comparable form."""
    by_label: dict[str, frozenset[str]] = {}
    for api_name, labels in labels_of:
        for label in filter(None, map(comparable, labels)):
            by_label[label] = by_label.get(label, frozenset()) | {api_name}
    return by_label
