"""The state of one call of the program, which the error boundary reports."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.cli.signals import Signals

if TYPE_CHECKING:
    from batchlock.cli.notices import CommandNotices


@dataclass(slots=True)
class Context:
    """One call of the program. It fills while the command line is parsed."""

    command: str = ""
    file: str | None = None
    as_json: bool = False
    # The log is in the state folder, which is known once the settings are read.
    state_folder: Path | None = None
    is_quiet: bool = False
    # Whether every line on standard error is a JSON object.
    logs_json: bool = False
    # None when the command has no notices.
    notices: "CommandNotices | None" = None
    # Whether the command goes on until a signal.
    is_lasting: bool = False
    signals: Signals = field(default_factory=Signals)
    _exit_code: int | None = field(default=None, init=False)

    def clear_signal(self) -> None:
        """Forget the signal, for a command that normally ends by one, such as `serve`."""
        self.signals.number = None

    def exit_code(self, code: int) -> int:
        """Return the exit code of the process: `code`, or the signal's when a signal arrived."""
        # The first result is final: a signal between printing the JSON and the end of the process
        # must not make the process end with another code than the printed one.
        if self._exit_code is None:
            number = self.signals.number
            # 128 + n is the convention of the shells for "ended by signal n".
            self._exit_code = code if number is None else 128 + number
        return self._exit_code
