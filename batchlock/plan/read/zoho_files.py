"""Tell which module the rows of one of Zoho's own files belong to.

A list export is `<plural label>_YYYY_MM_DD.csv`, a part of a backup `<API name>_001.csv`; both have
a column `<singular label> Owner`. The module is known when name and column agree, since either may
have been changed by a person. A Bulk Read, `<job id>.csv`, says nothing about its module.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from batchlock.core.org import OrgModule
from batchlock.plan.module_labels import comparable
from batchlock.plan.modules import WHERE_API_NAMES_ARE, ModuleNames

# What may follow: the number that a browser adds to a second download, and what people and
# batchlock add (`-results-…`).
_FILE_NAME = re.compile(
    r"(?P<label>.+?)_(?:[0-9]{4}_[0-9]{2}_[0-9]{2}|[0-9]{3})(?:[-_ (].*)?\.[A-Za-z]{3,4}"
)
# A job id is an id like any other.
_BULK_READ_NAME = re.compile(r"[0-9]{10,20}(?:[-_ (].*)?\.[A-Za-z]{3,4}")
# `Deal Owner`, its id in exports of today, and its id in backups until about 2020.
_OWNER = re.compile(r"(?P<label>.+?) Owner(?:\.id| Id)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileModule:
    """What a file says about the one module of its rows."""

    module: str | None = None
    """The module, when the name of the file and the column of the owner agree."""
    proposal: str | None = None
    """The module that one of them alone speaks of."""
    because: str = ""
    """What the file says, in a sentence; empty when it says nothing."""
    is_zohos: bool = False
    """Whether the name or a column is as in Zoho's own files."""


def module_of_file(
    file_name: str,
    titles: Sequence[str],
    custom_modules: Sequence[str],
    org_modules: Sequence[OrgModule] = (),
) -> FileModule:
    """Return what the name of a file and its titles say about the module of all rows."""
    names = _module_names(tuple(custom_modules), tuple(org_modules))
    match = _FILE_NAME.fullmatch(file_name)
    by_name = names.find_in_file_name(match["label"]) if match else None
    owners = {
        comparable(match["label"]): match["label"]
        for match in map(_OWNER.fullmatch, map(str.strip, titles))
        if match
    }
    by_owner = names.find_owner(next(iter(owners))) if len(owners) == 1 else None
    label = next(iter(owners.values()), "")
    if by_name and by_name == by_owner:
        return FileModule(module=by_name, is_zohos=True)
    if by_name and by_owner:
        because = (
            f"The name of the file is that of an export of {by_name}, but the column "
            f'"{label} Owner" is one of {by_owner}.'
        )
        return FileModule(because=because, is_zohos=True)
    if by_name:
        because = f"The name of the file is that of an export of {by_name}."
        return FileModule(proposal=by_name, because=because, is_zohos=True)
    if by_owner:
        because = f'The column "{label} Owner" is one of the module {by_owner}.'
        return FileModule(proposal=by_owner, because=because, is_zohos=True)
    if len(owners) == 1:
        because = (
            f'The column "{label} Owner" belongs to a module that your org has named itself; its '
            f"API name does not change with that. {WHERE_API_NAMES_ARE}."
        )
        return FileModule(because=because, is_zohos=True)
    if _BULK_READ_NAME.fullmatch(file_name):
        because = "The result of a Bulk Read does not say of which module it is."
        return FileModule(because=because, is_zohos=True)
    return FileModule()


@lru_cache(maxsize=1)
def _module_names(
    custom_modules: tuple[str, ...], org_modules: tuple[OrgModule, ...]
) -> ModuleNames:
    # Every row that may be the header is looked at; the names are the same for all.
    return ModuleNames(custom_modules, org_modules)
