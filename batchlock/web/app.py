"""The server: what it is made of, which page is where, and what it does beside answering."""

import asyncio
import getpass
import logging
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web
from filelock import FileLock, Timeout

from batchlock.config import Settings
from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.options import RunOptions
from batchlock.store.history import History
from batchlock.store.journal import Journal
from batchlock.store.page import Store
from batchlock.web import security
from batchlock.web.auth.views import AuthViews
from batchlock.web.context import AppContext
from batchlock.web.queue import RunQueue
from batchlock.web.runs.list import RunList
from batchlock.web.runs.pages import Runs
from batchlock.web.templating import Templates, static
from batchlock.web.uploads.intake import Uploads
from batchlock.web.uploads.views import Files
from batchlock.zoho.connect import address
from batchlock.zoho.network import is_this_machine
from batchlock.zoho.settings import SIMULATOR

_LARGEST_FORM = 64 * 1024
_CLEAN_EVERY = 3600.0
_GRACE = 3.0
"""Seconds that those who watch have when the server ends."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(
    settings: Settings,
    choices: RunOptions,
    *,
    host: str,
    port: int,
    tells: Callable[[str], None],
) -> AsyncIterator[str]:
    """Serve the page while the block runs, which is given the address.

    `tells` is told every link that lets somebody in. Raises UsageError where the address cannot be
    had, and where strangers could reach a page that asks nobody for a password.
    """
    store = Store(settings.state)
    org = SIMULATOR if choices.simulate else settings.org
    alone = FileLock(store.folder / f"{org}.lock", mode=0o600)
    try:
        _hold(alone, org)
        if not is_this_machine(host) and not store.people():
            raise UsageError(
                f"On {host} others could reach the page, so people must sign in. Add the first "
                "with `batchlock serve --add-user NAME`."
            )
        listening = _socket(host, port)
        named = host if ":" not in host else f"[{host}]"
        url = f"http://{named}:{listening.getsockname()[1]}"
        app = _app(settings, choices, store, host=host, tells=lambda link: tells(url + link))
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        try:
            await web.SockSite(runner, listening, shutdown_timeout=_GRACE).start()
            yield url
        finally:
            await runner.cleanup()
    finally:
        alone.release()
        store.close()


def _hold(alone: FileLock, org: str) -> None:
    """Make sure that no other server looks after the runs of this org."""
    try:
        alone.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"The page of {org} is served already, by another process.") from None


def _app(
    settings: Settings,
    choices: RunOptions,
    store: Store,
    *,
    host: str,
    tells: Callable[[str], None],
) -> web.Application:
    org = SIMULATOR if choices.simulate else settings.org
    environment, api = address(settings.zoho, org)
    history = History(settings.state, org)
    history.make_folder()
    where = "" if choices.simulate else settings.zoho.data_center.upper()
    look = Templates({"name": org, "environment": environment, "api": api, "data_center": where})
    rules = security.SecurityRules(
        hosts=frozenset(
            name.lower() for name in ("localhost", "127.0.0.1", "::1", host, *settings.web.hosts)
        ),
        proxies=settings.web.trusted_proxy,
        session=settings.web.session,
        cookie=f"batchlock_{org}",
    )
    options: Sequence[str] = ()
    if choices.config is not None:
        options = ("--config", str(choices.config.absolute()))
    door = AuthViews(store, look, rules, org=org, alone=_user(), tells=tells)
    queue = RunQueue(store, history, settings.state, options)
    site = AppContext(
        settings=settings,
        choices=choices,
        store=store,
        look=look,
        history=history,
        pasts=RunList(history),
        queue=queue,
        options=options,
    )
    intake, runs = Uploads(site), Runs(site)
    files = Files(site, intake)
    app = web.Application(
        middlewares=security.middlewares(store, rules, look.page),
        client_max_size=_LARGEST_FORM,
    )
    app.on_response_prepare.append(security.dress)
    run = "/runs/{run:[0-9a-f-]{1,40}}"
    app.add_routes(
        [
            web.get("/enter/{link}", door.enter, allow_head=False),
            web.get("/login", door.ask),
            web.post("/login", door.sign_in),
            web.post("/logout", door.sign_out),
            web.get("/static/{name}", static),
            web.get("/", runs.home),
            web.get("/template.xlsx", files.template),
            web.post("/files", intake.upload),
            web.get("/files/{id}", files.show),
            web.get("/files/{id}/problems.xlsx", files.problems),
            web.post("/files/{id}/read", files.read_again),
            web.post("/files/{id}/start", files.start),
            web.post("/files/{id}/remove", files.remove),
            web.get(run, runs.show),
            web.get(run + "/now", runs.now),
            web.get(run + "/events", runs.events),
            web.get(run + "/results.{kind:xlsx|csv}", runs.download),
            web.post(run + "/pause", runs.pause),
            web.post(run + "/stop", runs.stop),
            web.post(run + "/go-on", runs.go_on),
            web.post(run + "/retry", runs.retry),
            web.get("/history", runs.history),
            web.get("/log", runs.log),
        ]
    )

    async def beside(_: web.Application) -> AsyncIterator[None]:
        intake.go_on()
        await asyncio.to_thread(_remove_strays, store.folder / "files", store.file_ids())
        tasks = [asyncio.create_task(queue.keep())]
        if settings.web.keep is not None:
            tasks.append(asyncio.create_task(_clean(store, history, settings.web.keep)))
        door.open_a_link()
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        queue.leave()
        await intake.end()

    app.cleanup_ctx.append(beside)
    return app


def _remove_strays(folder: Path, known: Collection[str]) -> None:
    """Remove uploads that were broken off with an earlier server."""
    hour = time.time() - 3600  # another org's server may be taking one in
    for one in folder.glob("*"):
        if one.name not in known and one.stat().st_mtime < hour:
            shutil.rmtree(one, ignore_errors=True)


async def _clean(store: Store, history: History, keep: float) -> None:
    """Remove, now and again, what is older than it is to be kept."""
    while True:
        try:
            for run_id in await asyncio.to_thread(_remove_runs, history, time.time() - keep):
                store.remove_run(run_id)
                shutil.rmtree(store.folder / "desks" / run_id, ignore_errors=True)
            for file in store.outdated(history.org, time.time() - keep):
                store.remove_file(file.id)
                await asyncio.to_thread(shutil.rmtree, store.place(file.id), ignore_errors=True)
        except Exception:
            _log.exception("removing what is old")
        await asyncio.sleep(_CLEAN_EVERY)


def _remove_runs(history: History, before: float) -> list[str]:
    """Remove the journals of runs that came to their end before that moment; return their ids."""
    removed = []
    for run in list(history.all()):
        end, path = run.end, run.path
        if end is not None and end.closed and end.finished_at.timestamp() < before:
            with suppress(OSError, BatchlockError):
                with Journal.open(path):
                    pass  # so that nothing is left beside it
                path.unlink()
                removed.append(run.info.run_id)
    return removed


def _socket(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(found[4][:2], family=found[0])
    except OSError as error:
        raise UsageError(
            f"The page cannot be served on {host}, port {port}: {error.strerror or error}. Name "
            "another with --host and --port."
        ) from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "you"
