"""One call of a function for Python: its settings, its engine and its event loop."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from batchlock.cli.progress import TerminalProgress
from batchlock.config import Settings, load, replaced
from batchlock.confirming import Unlocks
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.event_loop import loop_factory
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.stop import StopCode, StopReason
from batchlock.engine import Engine
from batchlock.org_settings import settings_of_org
from batchlock.report.frame import frame_file
from batchlock.store.store import Store

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


@contextmanager
def _settings_and_store(
    file: Path | None, settings: Mapping[str, Any] | None, options: RunOptions, *, to_send: bool
) -> Iterator[tuple[Settings, Store | None]]:
    """Yield the settings of a call, and the open store when the org is one of it.

    They are those that the command line would have.
    """
    values = _replacements(settings)
    # A rehearsal belongs to this machine, as its stand-in does.
    local = {(name,): "" for name in ("database", "database_file", "database_command")}
    load_with = partial(load, file=file, environment=os.environ, from_python=True)
    loaded = load_with(options=values | local if options.simulate else values)
    if options.org is None:
        yield loaded, None
        return
    # The org is where all orgs are, also in a rehearsal.
    home = load_with(options=values) if options.simulate else loaded
    with Store(home.state, home.database_url) as store:
        of_org = settings_of_org(
            loaded,
            store,
            options.org,
            to_send=to_send and not options.simulate,
            with_secrets=store.database_url is None,  # else a worker has them
        )
        # They were checked when the settings were loaded, so no message can name their source.
        of_org = replaced(of_org, values, source=".".join)
        yield of_org, None if options.simulate else store


def _engine_class(settings: Settings, options: RunOptions) -> type[Engine]:
    """Return the engine that sends, or the one that lets workers send."""
    if settings.database_url is None or options.simulate:
        return Engine
    from batchlock.fleet.engine import SharedEngine

    return SharedEngine


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
        org: str | None = None,
        to_send: bool = True,
        progress: bool = False,
        yes: bool = False,
    ) -> Iterator["Call"]:
        """Build the engine and, for a frame, write its file; both are closed and removed again.

        `org` is one of the store. Without `to_send` it needs no secrets. Raises UsageError.
        """
        file = None if config is None else Path(config)
        options = replace(options, config=file, org=org)
        observer = TerminalProgress(bar=True) if progress else RunObserver()
        with ExitStack() as stack:
            loaded, store = stack.enter_context(
                _settings_and_store(file, settings, options, to_send=to_send)
            )
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
                source = stack.enter_context(frame_file(table))
            else:
                index, source = None, Path(table)
            confirm = (lambda _: True) if yes else _refuse_unlocks
            engine = _engine_class(loaded, options)(
                loaded, options, CancelToken(), observer, store=store, confirm_unlocks=confirm
            )
            stack.callback(engine.close)
            if isinstance(observer, TerminalProgress):
                stack.callback(observer.close)
            yield cls(engine, source, index)

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
