"""What one call of the program knows, for whoever reports its end."""

from dataclasses import dataclass, field
from pathlib import Path

from batchlock.cli.signals import Signals


@dataclass(slots=True)
class Context:
    """One call of the program."""

    command: str = ""
    file: str | None = None
    as_json: bool = False
    state: Path | None = None
    """The state folder, once the settings are known."""
    signals: Signals = field(default_factory=Signals)
    _exit_code: int | None = field(default=None, init=False)

    def clear_signal(self) -> None:
        """Forget the signal: it was how this command is meant to end."""
        self.signals.number = None

    def exit_code(self, code: int) -> int:
        """Return the exit code, which is the signal's when one came.

        The first answer stands, so that what is printed of it and what the process ends with are
        the same.
        """
        if self._exit_code is None:
            number = self.signals.number
            self._exit_code = code if number is None else 128 + number
        return self._exit_code
