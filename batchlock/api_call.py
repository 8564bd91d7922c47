"""One call of a function for Python: its settings, its engine and its event loop."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from batchlock.cli.progress import TerminalProgress
from batchlock.config import load
from batchlock.confirming import Unlocks
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.event_loop import loop_factory
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.stop import StopCode, StopReason
from batchlock.engine import Engine
from batchlock.report.frame import frame_file

Table = pd.DataFrame | str | os.PathLike[str]
"""A table of rows, or the path of a spreadsheet."""

_T = TypeVar("_T")

_INTERRUPTED = StopReason(code=StopCode.SIGNAL, sentence="Interrupted.", exit_code=130)


def _refuse_unlocks(unlocks: Unlocks) -> bool:
    count = unlocks.count
    raise UsageError(
        f"{'1 row unlocks a record' if count == 1 else f'{count:,} rows unlock records'}. Nothing "
        "was sent. Pass yes=True if that is meant."
    )


def _replacements(settings: Mapping[str, Any] | None) -> dict[tuple[str, ...], Any]:
    """Return nested settings by their paths, such as `("limits", "in_flight")`."""
    return {
        path: value
        for name, section in (settings or {}).items()
        for path, value in (
            (((name, key), each) for key, each in section.items())
            if isinstance(section, Mapping)
            else [((name,), section)]
        )
    }


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function: its engine, the file that it reads, and the frame it comes from."""

    engine: Engine
    file: Path
    index: "pd.Index[Any] | None"
    """The index of the frame; None for a path."""

    @classmethod
    @contextmanager
    def opened(
        cls,
        table: Table,
        config: str | os.PathLike[str] | None,
        settings: Mapping[str, Any] | None,
        options: RunOptions,
        *,
        progress: bool = False,
        yes: bool = False,
    ) -> Iterator["Call"]:
        """Build the engine and, for a frame, write its file; both are closed and removed again."""
        loaded = load(
            file=None if config is None else Path(config),
            environment=os.environ,
            options=_replacements(settings),
            from_python=True,
        )
        options = replace(options, config=None if config is None else Path(config))
        observer = TerminalProgress(bar=True) if progress else RunObserver()
        with ExitStack() as stack:
            if isinstance(table, pd.DataFrame):
                index = table.index
                # Else they would be beside the file of the frame, which is removed at the end.
                folder = loaded.results.directory or loaded.state / "results"
                loaded = replace(
                    loaded,
                    results=replace(loaded.results, directory=folder),
                    # As the file of the frame is written, whatever files are.
                    input=replace(loaded.input, encoding="utf-8", delimiter="comma"),
                )
                file = stack.enter_context(frame_file(table))
            else:
                index, file = None, Path(table)
            confirm = (lambda _: True) if yes else _refuse_unlocks
            engine = Engine(loaded, options, CancelToken(), observer, confirm_unlocks=confirm)
            stack.callback(engine.close)
            if isinstance(observer, TerminalProgress):
                stack.callback(observer.close)
            yield cls(engine, file, index)

    def await_(
        self,
        function: Callable[[Engine, Path], Coroutine[Any, Any, tuple[pd.DataFrame, _T]]],
    ) -> tuple[pd.DataFrame, _T]:
        """Run a coroutine in a thread, since a notebook has an event loop in its own thread."""
        frame, result = run_in_thread(function(self.engine, self.file), self.engine.cancel_token)
        if self.index is not None:
            # The first row of the frame is row 2 of its file. Blank rows have no result.
            frame = frame.reindex(range(2, len(self.index) + 2))
            frame.index = self.index
        return frame, result


def run_in_thread(work: Coroutine[Any, Any, _T], cancel_token: CancelToken) -> _T:
    """Run a coroutine in a thread with an event loop of its own; an interruption cancels the token.

    Raises what the coroutine raises.
    """
    loops: list[asyncio.AbstractEventLoop] = []

    def run_loop() -> _T:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            loops.append(runner.get_loop())
            return runner.run(work)

    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(run_loop)
        try:
            return future.result()
        except BaseException:  # also what a scheduler raises when the time of a task is over
            if future.done():
                raise
            if loops:
                with suppress(RuntimeError):  # the loop is closed, because the run has ended
                    loops[0].call_soon_threadsafe(cancel_token.cancel, _INTERRUPTED)
            else:
                cancel_token.cancel(_INTERRUPTED)
            with suppress(BatchlockError):  # the interruption itself, before a row was sent
                future.result()
            raise
