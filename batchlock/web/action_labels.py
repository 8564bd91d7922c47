"""How the page names what a run does with the locks.

Each action also has a symbol in `macros.html` and a colour in `style.css`; the words say the same,
for people who do not see the colour.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from batchlock.core.preview import ModuleRows
from batchlock.core.rows import Action
from batchlock.core.runs import MIXED

ACTION_LABELS: Mapping[str, str] = {
    Action.UPDATE: "Change the reason",
    Action.LOCK: "Lock",
    Action.UNLOCK: "Unlock",
    Action.FIND: "Find locks",
    MIXED: "Different actions",
}
"""The page's words for each action of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRows:
    """The rows of one action, by module."""

    action: str
    modules: Sequence[ModuleRows]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(one.rows for one in self.modules)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCounts:
    """What the rows of a run do with the locks, in numbers."""

    action: str
    """The action of all rows, or MIXED."""
    by_action: Sequence[ActionRows]
    """In the order of `Action`; only those with rows."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(one.rows for one in self.by_action)


def action_counts(modules: Iterable[ModuleRows], *, default: str) -> ActionCounts:
    """Count rows by action and module; `default` is the action when there is no row."""
    groups: dict[str, list[ModuleRows]] = {action.value: [] for action in Action}
    for one in modules:
        groups[one.action].append(one)
    parts = [ActionRows(action=action, modules=group) for action, group in groups.items() if group]
    action = parts[0].action if len(parts) == 1 else MIXED if parts else default
    return ActionCounts(action=action, by_action=parts)
