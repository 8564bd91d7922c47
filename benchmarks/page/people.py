"""People who use the page, as far as a server sees them: requests, and the pauses between them."""

import asyncio
import json
import random
import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import aiohttp

PASSWORD = "correct horse battery staple"  # noqa: S105  of people who do not exist
_HEADER = "Module,Record Id,Lock Id,Reason\n"
_ROWS = 400
_SIGNS_IN_WITHIN_SECONDS = 60.0
# Seconds between two pages that a person opens.
_READS_PAGE = (5.0, 20.0)
# Seconds between two files of a person.
_PREPARES_FILE = (60.0, 180.0)
_LATEST_ANSWER_SECONDS = 60.0
_CSRF = re.compile(r'name="csrf" (?:content|value)="(\w+)"')
_LIVE = ("queued", "running", "paused")
_CONFIRMED = re.compile(r'name="confirmed" value="(\d+)"')
_RUN = re.compile(r'href="(/orgs/[^"/]+/runs/[0-9a-f-]+)"')


@dataclass(slots=True)
class Figures:
    """How long each view took, and what failed."""

    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By view."""
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By view and what happened."""
    refused: int = 0
    """Sign-ins that were asked to come again, since too many passwords were being checked."""


class Person:
    """One person with a browser of their own."""

    def __init__(self, number: int, url: str, org: str, figures: Figures) -> None:
        """Behave as the person with this number; all numbers have different random pauses."""
        self._number = number
        self._url = url
        self._home = f"/orgs/{org}"
        self._figures = figures
        self._random = random.Random(number)  # noqa: S311  no secret
        self._csrf = ""
        self._until = 0.0
        self._files = 0
        # Behind a proxy each person has another address.
        address = f"10.0.{number // 250}.{number % 250 + 1}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=6),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"X-Forwarded-For": address},
            timeout=aiohttp.ClientTimeout(total=_LATEST_ANSWER_SECONDS),
        )

    async def use(self, until: float) -> None:
        """Sign in within a minute, and use the page until a moment of the monotonic clock."""
        self._until = until
        async with self._session:
            sign_in_within = min(_SIGNS_IN_WITHIN_SECONDS, (until - time.monotonic()) / 5)
            await asyncio.sleep(self._random.uniform(0, sign_in_within))
            await self._sign_in()
            if self._number % 10 == 0:
                await self._send_files()
            elif self._number % 10 < 4:
                await self._browse()
            else:
                await self._watch()

    async def _sign_in(self) -> None:
        await self._get("sign-in form", "/login")
        form = {"name": f"person{self._number}", "password": PASSWORD}
        while (status := await self._post("sign in", "/login", form)) == 429:
            self._figures.refused += 1
            await asyncio.sleep(self._random.uniform(1, 3))
        if status is not None and status >= 400:
            raise RuntimeError(f"person{self._number} cannot sign in: {status}")

    async def _browse(self) -> None:
        """Open one page after the other."""
        while time.monotonic() < self._until:
            page = await self._get("first page", self._home)
            for name, path in (
                ("history", f"{self._home}/history"),
                ("results", self._any_run(page)),
                ("log", f"{self._home}/log"),
                ("locks", f"{self._home}/locks"),
            ):
                await self._pause(_READS_PAGE)
                if path:
                    await self._get(name, path)

    async def _watch(self) -> None:
        """Look at a run, and ask for what is new once a second, as the script does."""
        while time.monotonic() < self._until:
            run = self._any_run(await self._get("first page", self._home))
            if not run:
                await self._pause(_READS_PAGE)
                continue
            if "data-live" not in await self._get("run", run):
                await self._pause(_READS_PAGE)
                continue
            etag, leaves_at = "", time.monotonic() + self._random.uniform(30, 120)
            while time.monotonic() < min(self._until, leaves_at):
                is_live, etag = await self._poll(f"{run}/now", etag)
                if not is_live:
                    break
                await asyncio.sleep(1)

    async def _send_files(self) -> None:
        """Upload files, start them, and pause and resume each once."""
        while time.monotonic() < self._until:
            await self._get("first page", self._home)
            check = await self._upload()
            for _ in range(120):
                page = await self._get("check", check)
                if "being read" not in page:
                    break
                await asyncio.sleep(1)
            await self._pause((2, 5))
            run = await self._follow("start", f"{check}/start")
            if run:
                await self._get("run", run)
                await self._pause((1, 2))
                await self._post("pause", f"{run}/pause", {}, may_conflict=True)
                await self._pause((2, 4))
                await self._resume(f"{run}/go-on")
            await self._pause(_PREPARES_FILE)

    async def _resume(self, path: str) -> None:
        """Resume a run, and answer the question about the number of its rows."""
        async with (
            self._timed("resume"),
            self._session.post(self._url + path, data={"csrf": self._csrf}) as answer,
        ):
            number = _CONFIRMED.search(await answer.text())
        if number is not None:
            form = {"confirmed": number[1]}
            await self._post("confirm", path, form, may_conflict=True)

    def _any_run(self, page: str) -> str:
        runs = _RUN.findall(page)
        return self._random.choice(runs) if runs else ""

    async def _upload(self) -> str:
        self._files += 1
        first = 5_843_104_000_000_000_000 + self._number * 1_000_000 + self._files * _ROWS
        rows = "".join(f"Leads,{first + n},{first + n},reason {n}\n" for n in range(_ROWS))
        form = aiohttp.FormData()
        form.add_field("csrf", self._csrf)
        form.add_field("file", (_HEADER + rows).encode(), filename=f"file{self._files}.csv")
        return await self._follow("upload", f"{self._home}/files", form)

    async def _poll(self, path: str, etag: str) -> tuple[bool, str]:
        """Return whether the run is still active, and the ETag of its view."""
        headers = {"If-None-Match": etag} if etag else {}
        async with (
            self._timed("poll"),
            self._session.get(self._url + path, headers=headers, allow_redirects=False) as answer,
        ):
            self._note("poll", answer.status)
            content = await answer.read()
            is_live = answer.status == 304 or json.loads(content)["state"] in _LIVE
            return is_live, answer.headers.get("ETag", etag)
        return True, etag

    async def _get(self, name: str, path: str) -> str:
        async with self._timed(name), self._session.get(self._url + path) as answer:
            text = await answer.text()
            self._note(name, answer.status)
            if (token := _CSRF.search(text)) is not None:
                self._csrf = token[1]
            return text
        return ""

    async def _post(
        self, name: str, path: str, form: dict[str, str], *, may_conflict: bool = False
    ) -> int | None:
        async with (
            self._timed(name),
            self._session.post(
                self._url + path, data={"csrf": self._csrf, **form}, allow_redirects=False
            ) as answer,
        ):
            await answer.read()
            expected = {429} if name == "sign in" else {409} if may_conflict else set()
            if answer.status not in expected:
                self._note(name, answer.status)
            return answer.status
        return None

    async def _follow(self, name: str, path: str, form: aiohttp.FormData | None = None) -> str:
        """Send a form; return the path that the answer leads to."""
        data = form if form is not None else {"csrf": self._csrf}
        async with (
            self._timed(name),
            self._session.post(self._url + path, data=data, allow_redirects=False) as answer,
        ):
            await answer.read()
            self._note(name, answer.status)
            return answer.headers.get("Location", "")
        return ""

    def _note(self, name: str, status: int) -> None:
        if status >= 400:
            self._figures.failures[name, str(status)] += 1

    def _timed(self, name: str) -> "_Timed":
        return _Timed(name, self._figures)

    async def _pause(self, between: tuple[float, float]) -> None:
        left = self._until - time.monotonic()
        await asyncio.sleep(max(0.0, min(left, self._random.uniform(*between))))


class _Timed:
    """Counts how long a request takes, and what it ends with."""

    def __init__(self, name: str, figures: Figures) -> None:
        self._name = name
        self._figures = figures
        self._began = 0.0

    async def __aenter__(self) -> None:
        self._began = time.monotonic()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._figures.seconds[self._name].append(time.monotonic() - self._began)
        if kind is not None and issubclass(kind, (aiohttp.ClientError, TimeoutError)):
            self._figures.failures[self._name, kind.__name__] += 1
            return True
        return False
