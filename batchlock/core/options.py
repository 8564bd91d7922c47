"""The options of one command that are not settings."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchlock.core.corrections import Correction


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What one command says about a file and its results."""

    output: Path | None = None
    overwrite: bool = False
    """Whether the results replace a file that is no results file of batchlock."""
    sheet: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """The title of a column by its field, from `--column`."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """The one value of all rows by its field, from `--module` and `--reason`.

    That of `action` is from the command: `lock` or `unlock`; there is none for `run`.
    """
    visible_only: bool = False
    """Whether rows that the spreadsheet does not show are left out."""
    header_row: int | None = None
    """The row of the titles that a person chose on the page, from 1; None: it is searched for."""
    encoding: str | None = None
    """The encoding that a person chose on the page; None for that of the settings."""
    earlier_encoding: str | None = None
    """The encoding that a person chose for a file with the same titles."""
    corrections: Sequence[Correction] = ()
    """The cells that people have corrected on the page."""
    change_reason: bool = False
    """Whether a row that locks gives a record that is locked already its reason."""
    simulate: bool = False
    fresh: bool = False
    pins_results: bool = False
    """Whether a run keeps the place of its results, whoever resumes it with which settings."""
    detach: bool = False
    """Whether the command ends as soon as the run waits for a worker."""
    typed: Mapping[str, Any] = field(default_factory=dict)
    """The settings of the command line that the sending obeys, such as `limits.in_flight`."""
    config: Path | None = None
    """The file from `--config`; it is part of every command that a message names."""
    org: str | None = None
    """The name from `--org`; it is part of those commands, too."""

    def command(self, name: str, *arguments: str) -> str:
        """Return a command that meets the same org and the same runs, quoted for a shell."""
        options = [] if self.config is None else ["--config", str(self.config)]
        options += [] if self.org is None else ["--org", self.org]
        return shlex.join(["batchlock", name, *options, *arguments])
