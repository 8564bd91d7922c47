"""What no request can do: without a session, from another site, or with hostile content."""

import gzip
import re
import socket
import sqlite3
from urllib.parse import urlsplit

import pytest
from support.page_server import PageServer, served_page
from support.visitor import Visitor, csv_content, write_config

from batchlock import __version__

HOME = "/orgs/simulator"
RUN = f"{HOME}/runs/20260314-020304-1f3a"
"""A run that does not exist."""


def test_without_a_session_nothing_is_shown_or_changed(page: PageServer) -> None:
    stranger = Visitor(page.url)
    for path in ("/", "/overview", HOME, f"{HOME}/locks", f"{HOME}/history", f"{HOME}/log",
                 f"{HOME}/choices",
                 "/history", "/runs/0", f"{HOME}/files/0", f"{HOME}/files/0/correct", RUN,
                 f"{RUN}/undo", f"{RUN}/now",
                 f"{RUN}/results.xlsx", f"{HOME}/template.xlsx",
                 "/orgs/nowhere", "/nowhere", "/account", "/account/active"):  # fmt: skip
        answer = stranger.get(path)
        assert (answer.status, answer.location.partition("?")[0]) == (303, "/login"), path
    stranger.get("/login")
    for path in (f"{RUN}/stop", f"{RUN}/pause", f"{RUN}/go-on", f"{RUN}/retry", f"{RUN}/undo",
                 f"{RUN}/use", f"{HOME}/locks", f"{HOME}/files/0/start",
                 f"{HOME}/files/0/read", f"{HOME}/files/0/correct", f"{HOME}/choices/remove",
                 f"{HOME}/choices/agree", f"{HOME}/unreadable/remove",
                 f"{HOME}/files/0/remove", "/logout", "/account/end",
                 "/account/end-others", "/account/password",
                 "/account/strength"):  # fmt: skip
        assert stranger.post(path).status == 401, path
    stranger.home = HOME
    assert stranger.upload(("a.csv", b"")).status == 401


def test_no_change_is_accepted_without_its_token(someone: Visitor) -> None:
    run = someone.start("first.csv", csv_content(3, first=1_000))
    someone.results(run)
    upload = someone.check("second.csv", csv_content(3, first=1_100))
    for path in (f"{run}/stop", f"{run}/pause", f"{run}/go-on", f"{run}/retry", f"{upload}/start",
                 f"{run}/undo", f"{run}/use", f"{HOME}/locks",
                 f"{upload}/read", f"{upload}/correct", f"{upload}/remove", "/logout", "/login",
                 "/account/end", "/account/end-others", "/account/password",
                 "/account/strength"):  # fmt: skip
        for token in ("", "0" * 64):
            assert someone.post(path, {"csrf": token}).status == 403, path
    assert someone.upload(("third.csv", csv_content(1, first=1)), csrf="").status == 403
    assert "third.csv" not in someone.get(HOME).text
    assert someone.get(upload).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json"},
    ],
)
def test_no_change_is_accepted_from_another_site(someone: Visitor, headers: dict[str, str]) -> None:
    upload = someone.check("foreign.csv", csv_content(1, first=2_000))
    assert someone.post(f"{upload}/start", headers=headers).status in (403, 415)
    assert "foreign.csv" not in someone.get(f"{HOME}/history").words


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_an_unknown_host_name_is_refused(someone: Visitor, host: str) -> None:
    assert someone.get("/", {"Host": host}).status == 421
    assert someone.post("/logout", headers={"Host": host}).status == 421
    assert someone.get(HOME).status == 200


def test_a_host_name_can_be_allowed(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("named")
    write_config(folder, "web: {hosts: [locks.acme.test]}")
    with served_page(folder, simulate=True) as page:
        assert page.visitor().get(HOME, {"Host": "Locks.Acme.test:443"}).status == 200


def test_every_answer_has_the_security_headers(page: PageServer, someone: Visitor) -> None:
    for path in (
        "/",
        "/login",
        "/static/style.css",
        "/static/icon.svg",
        "/nowhere",
        HOME,
        f"{HOME}/template.xlsx",
    ):
        headers = someone.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        is_static = path.startswith("/static/")
        assert headers["Cache-Control"] == ("public, max-age=86400" if is_static else "no-store")
        content_type = headers["Content-Type"]
        assert content_type.endswith("charset=utf-8") or path.endswith(".xlsx"), path
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Server"] is None
    assert Visitor(page.url).get("/", {"Host": "x"}).headers["X-Frame-Options"] == "DENY"


def test_only_files_without_secrets_are_compressed(someone: Visitor) -> None:
    accepted = {"Accept-Encoding": "gzip"}
    script = someone.get("/static/app.js", accepted)
    assert gzip.decompress(script.content) == someone.get("/static/app.js").content
    assert script.headers["Vary"] == "Accept-Encoding"
    # The length of a compressed page would tell parts of its CSRF token.
    assert someone.get(HOME, accepted).headers["Content-Encoding"] is None


def test_a_stranger_sees_no_version(page: PageServer, someone: Visitor) -> None:
    assert f"batchlock {__version__}" in someone.get(HOME).words
    assert __version__ not in Visitor(page.url).get("/login").text


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_an_unused_method_is_refused(page: PageServer, someone: Visitor, method: str) -> None:
    assert Visitor(page.url).request(method, HOME).status == 401
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"csrf={someone.csrf}".encode()
    for path in (HOME, "/account/password", "/static/app.js"):
        assert someone.request(method, path, body, form).status in (403, 405), path


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_without_a_version(page: PageServer, content: bytes) -> None:
    url = urlsplit(page.url)
    with socket.create_connection((str(url.hostname), int(url.port or 0))) as connection:
        connection.sendall(content)
        with connection.makefile("rb") as answer:
            received = answer.read().decode()
    assert received.startswith("HTTP/1.0 400 ")
    assert "X-Content-Type-Options: nosniff" in received
    assert "default-src 'none'" in received
    for leak in ("aiohttp", "Python", "nonsense", "xxx"):
        assert leak not in received


def test_a_body_that_cannot_be_decoded_is_refused_and_not_logged(
    page: PageServer, caplog: pytest.LogCaptureFixture
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}
    answer = Visitor(page.url).request("POST", "/login", b"no gzip", form)
    assert answer.status == 400
    assert "That request makes no sense." in answer.words
    assert Visitor(page.url).get("/login").status == 200
    assert not caplog.records


def test_a_file_name_with_nul_is_refused_with_a_sentence(someone: Visitor) -> None:
    refused = someone.upload(("a\0b.csv", csv_content(1, first=1)))
    assert refused.status == 400
    assert "Rename it, then upload it again." in refused.words


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"csrf=%ff", {"Content-Type": "application/x-www-form-urlencoded; charset=bogus"}),
        (b"csrf=\xff", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"csrf=x", {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "a=\xff"}),
        (b"", {"Content-Type": "multipart/form-data"}),
        (b"nonsense", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
    ],
)
@pytest.mark.parametrize("path", [f"{HOME}/files", "/logout", "/login"])
def test_a_malformed_request_is_refused(
    someone: Visitor, path: str, body: bytes, headers: dict[str, str]
) -> None:
    assert 400 <= someone.request("POST", path, body, headers).status < 500


def test_a_form_with_nul_is_refused(someone: Visitor) -> None:
    for path, name in (("/account/end", "session"), (f"{HOME}/choices/remove", "titles")):
        refused = someone.post(path, {name: "a\0b"})
        assert refused.status == 400, path
        assert "That request makes no sense." in refused.words


def test_cells_and_names_are_escaped_everywhere(someone: Visitor) -> None:
    evil = "<script>alert(1)</script>"
    content = (
        f'"{evil}",Module,Record Id,Lock Id,Reason\n'
        f'"{evil}",Leads,5843104000000003001,6843104000000003001,"{evil}"\n'
        f'"=cmd()",{evil},5843104000000003002,6843104000000003002,x\n'
    ).encode()
    upload = someone.check("<b>x.csv", content)
    run = someone.post(f"{upload}/start").location
    someone.results(run)
    for path in (f"{upload}?show=all", run, f"{run}?words={evil}", HOME, f"{HOME}/history",
                 f"{HOME}/log"):  # fmt: skip
        html = someone.get(path).text
        assert "<script>alert" not in html, path
        assert "<b>x" not in html, path
    results = someone.get(f"{run}/results.csv").content.decode("utf-8-sig")
    assert "'=cmd()" in results


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        f"{HOME}/runs/..%2f..%2fweb.sqlite",
        f"{HOME}/runs/../files",
        f"{HOME}/files/..%2f..%2fweb.sqlite",
        f"{HOME}/files/..",
        "/orgs/..%2f..%2fweb",
        f"{RUN}/results.exe",
        f"{HOME}/files/zz/problems.xlsx",
    ],
)
def test_no_path_reaches_the_disk(someone: Visitor, path: str) -> None:
    assert someone.get(path).status == 404


def test_an_unexpected_error_has_a_number_and_no_traceback(
    page: PageServer, someone: Visitor
) -> None:
    run = someone.start("broken.csv", csv_content(2, first=4_000))
    someone.results(run)
    journal = page.state / f"runs/simulator/{run.rpartition('/')[2]}.journal"
    with sqlite3.connect(journal) as sql:
        sql.execute("UPDATE progress SET finished_at = 'noon'")
    sql.close()
    answer = someone.get(run)
    assert answer.status == 500
    assert re.search(r"Tell your administrator: [0-9a-f]{8}", answer.words)
    assert "Traceback" not in answer.text
    assert "batchlock/" not in answer.text
