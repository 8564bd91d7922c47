"""A visitor of the web page, who sends what a browser would send."""

import http.client
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from support.commands import TIMEOUT_SECONDS
from support.paths import ROOT
from support.sheets import rows

HEADER = "Module,Record Id,Lock Id,Reason\n"


@dataclass(frozen=True, slots=True)
class PageResponse:
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        """The page's HTML."""
        return self.content.decode()

    @property
    def words(self) -> str:
        """The page as a person reads it, on one line."""
        body = re.sub(r"<(script|style|head).*?</\1>", " ", self.text, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())

    @property
    def location(self) -> str:
        """The path that the answer redirects to."""
        return self.headers["Location"] or ""


@dataclass(slots=True)
class Visitor:
    """Somebody with the cookies of one browser. All paths are absolute paths of the page."""

    url: str
    cookie: str = ""
    """The header with all cookies."""
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every request."""
    home: str = ""
    """The path of the org's first page; empty before it was entered."""

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> PageResponse:
        url = urlsplit(self.url)
        assert url.hostname is not None
        all_headers = {**self.headers, **(headers or {})}
        if self.cookie:
            all_headers.setdefault("Cookie", self.cookie)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body or None, all_headers)
            response = connection.getresponse()
            answer = PageResponse(response.status, response.headers, response.read())
        finally:
            connection.close()
        for header in answer.headers.get_all("Set-Cookie", []):
            self.cookie = _with_cookie(self.cookie, header)
        if "text/html" in (answer.headers["Content-Type"] or ""):
            token = re.search(r'name="csrf" (?:content|value)="(\w+)"', answer.text)
            self.csrf = token[1] if token else self.csrf
        return answer

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> PageResponse:
        return self.request("GET", path, headers=headers)

    def post(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PageResponse:
        body = urlencode({"csrf": self.csrf, **(form or {})}).encode()
        content_type = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request("POST", path, body, {**content_type, **(headers or {})})

    def confirm(self, path: str, form: Mapping[str, str] | None = None) -> PageResponse:
        """Post a form that sends to production, then answer the question whether it is meant."""
        return self.post(path, self.confirmation(path, form))

    def confirmation(self, path: str, form: Mapping[str, str] | None = None) -> dict[str, str]:
        """Post a form that sends to production; return the form of the question about it."""
        asked = self.post(path, form)
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', asked.text))
        assert "confirmed" in fields, asked.words
        return fields

    def enter(self) -> None:
        """Open the first page: that of the only org, or that of all orgs."""
        self.home = self.get("/").location
        assert self.get(self.home or "/").status == 200

    def upload(self, *files: tuple[str, bytes], csrf: str | None = None) -> PageResponse:
        """Upload files, each a name and its content."""
        boundary = secrets.token_hex(8)
        token = self.csrf if csrf is None else csrf
        parts = [f'Content-Disposition: form-data; name="csrf"\r\n\r\n{token}'.encode()]
        for name, content in files:
            disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
            parts.append(f"{disposition}\r\n\r\n".encode() + content)
        body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
        content_type = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.request(
            "POST", f"{self.home}/files", body + f"--{boundary}--\r\n".encode(), content_type
        )

    def check(self, name: str, content: bytes) -> str:
        """Upload a file and wait for its check; return the path of the check."""
        answer = self.upload((name, content))
        assert answer.status == 303, answer.words
        eventually(lambda: "being read" not in self.get(answer.location).text)
        return answer.location

    def start(self, name: str, content: bytes) -> str:
        """Upload a file and start its run; return the path of the run."""
        answer = self.post(f"{self.check(name, content)}/start")
        assert answer.status == 303, answer.words
        return answer.location

    def results(self, run: str) -> PageResponse:
        """Wait until a run has ended; return its page."""
        eventually(lambda: "data-live" not in self.get(run).text)
        return self.get(run)

    def wait_for(self, path: str, words: str) -> None:
        """Wait until a page shows some words."""
        eventually(lambda: words in self.get(path).words)


def _with_cookie(cookies: str, header: str) -> str:
    """Return the cookies after a Set-Cookie header, which may remove one."""
    (name, _, value), *attributes = (part.strip().partition("=") for part in header.split(";"))
    kept = [one for one in cookies.split("; ") if one and one.partition("=")[0] != name]
    is_removed = ("Max-Age", "=", "0") in attributes
    return "; ".join(kept if is_removed else [*kept, f"{name}={value}"])


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true; fail after a long time."""
    deadline_monotonic = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline_monotonic, "the condition never became true"
        time.sleep(0.1)  # each check of a page takes CPU from the run that it waits for


def file_content(path: str) -> bytes:
    """Return the content of a file of the repository."""
    return (ROOT / path).read_bytes()


def csv_content(count: int, *, first: int) -> bytes:
    """Return a CSV file of valid rows.

    Tests that share a server use different numbers, because the page recognises a content that it
    has seen before.
    """
    return (HEADER + "".join(f"{','.join(row)}\n" for row in rows(count, first=first))).encode()


def write_config(folder: Path, content: str = "") -> Path:
    """Write a configuration whose state folder is below `folder`; return its path."""
    path = folder / "config.yaml"
    path.write_text(f"{content}\nstate_directory: {folder / 'state'}\n", "utf-8")
    return path
