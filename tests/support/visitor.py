"""A visitor of the page who has a browser's manners, without a browser."""

import http.client
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode, urlsplit

from support.commands import PATIENCE, command
from support.paths import ROOT


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        """The page as it was sent."""
        return self.content.decode()

    @property
    def words(self) -> str:
        """What a person reads of it."""
        told = re.sub(r"<(script|style|head).*?</\1>", " ", self.text, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", told)).split())

    @property
    def to(self) -> str:
        """Where it leads."""
        return self.headers["Location"] or ""


@dataclass(slots=True)
class Visitor:
    url: str
    cookie: str = ""
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every request."""

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        where = urlsplit(self.url)
        assert where.hostname is not None
        sent = {**self.headers, **(headers or {})}
        if self.cookie:
            sent.setdefault("Cookie", self.cookie)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body or None, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        if (given := answer.headers["Set-Cookie"]) is not None:
            self.cookie = given.partition(";")[0]
        if "text/html" in (answer.headers["Content-Type"] or ""):
            found = re.search(r'name="csrf" (?:content|value)="(\w+)"', answer.text)
            self.csrf = found[1] if found else self.csrf
        return answer

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        told = urlencode({"csrf": self.csrf, **(form or {})}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, told, {**kind, **(headers or {})})

    def upload(self, *files: tuple[str, bytes], csrf: str | None = None) -> Answer:
        """Send files, each a name and its content."""
        edge = secrets.token_hex(8)
        token = self.csrf if csrf is None else csrf
        parts = [f'Content-Disposition: form-data; name="csrf"\r\n\r\n{token}'.encode()]
        for name, content in files:
            disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
            parts.append(f"{disposition}\r\n\r\n".encode() + content)
        body = b"".join(f"--{edge}\r\n".encode() + part + b"\r\n" for part in parts)
        kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        return self.ask("POST", "/files", body + f"--{edge}--\r\n".encode(), kind)

    def checked(self, name: str, content: bytes) -> str:
        """Upload a file and wait for its check; return where that is."""
        answer = self.upload((name, content))
        assert answer.status == 303, answer.words
        eventually(lambda: "being read" not in self.get(answer.to).text)
        return answer.to

    def started(self, name: str, content: bytes) -> str:
        """Upload a file and start it; return where the run is."""
        where = self.checked(name, content)
        answer = self.post(f"{where}/start")
        assert answer.status == 303, answer.words
        return answer.to

    def finished(self, run: str) -> Answer:
        """Wait for the results of a run."""
        eventually(lambda: "data-live" not in self.get(run).text)
        return self.get(run)


@dataclass(slots=True)
class Page:
    """A server of the page, in a process of its own."""

    url: str
    process: "subprocess.Popen[str]"
    said: list[str]

    def link(self) -> str:
        """Return the newest link that lets somebody in."""
        links = [line.strip() for line in self.said if "/enter/" in line]
        return urlsplit(links[-1]).path

    def visitor(self) -> Visitor:
        """Return somebody who came in by the link."""
        visitor = Visitor(self.url)
        used = self.link()
        assert visitor.get(used).status == 200
        eventually(lambda: self.link() != used)
        visitor.get("/")
        return visitor


@contextmanager
def serving(*options: object) -> Iterator[Page]:
    """Run `batchlock serve` on a free port."""
    with subprocess.Popen(
        command("serve", "--port", 0, *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        bufsize=1,
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        url = ""
        while not url and (line := process.stdout.readline()):
            said.append(line)
            found = re.search(r"is at (http://\S+)\.", line)
            url = found[1] if found else ""
        assert url, "".join(said)
        reading = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
        reading.start()
        try:
            yield Page(url, process, said)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            reading.join(PATIENCE)


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, "it never came to be so"
        time.sleep(0.05)


def file(path: str) -> bytes:
    """Return what a file beside the tests holds."""
    return (ROOT / path).read_bytes()
