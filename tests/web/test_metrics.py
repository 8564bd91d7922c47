"""The figures of the page, at an address of their own."""

import asyncio
import math
from pathlib import Path

import pytest
from support.metrics import figures, get
from support.page_server import PageServer, add_person, served_page, signed_in
from support.visitor import Visitor, csv_content, write_config

from batchlock.core.errors import UsageError
from batchlock.core.org import StoredOrg
from batchlock.store.store import Store
from batchlock.web.metrics import PageMetrics
from batchlock.web.observer import SignInRefusal

LISTEN = "web: {metrics_listen: '127.0.0.1:0'}"


def page_figures(page: PageServer) -> dict[str, float]:
    status, text = get(page.metrics_port, "/metrics")
    assert status == 200
    return figures(text)


def requests(method: str, route: str, status: int) -> str:
    labels = f'method="{method}",route="{route}",status="{status}"'
    return f"batchlock_page_requests_total{{{labels}}}"


def test_the_page_tells_its_figures_at_their_own_address(database_url: str, tmp_path: Path) -> None:
    write_config(tmp_path, f"database: {database_url}\n{LISTEN}")
    with Store(tmp_path / "state", database_url) as store:
        store.orgs.put([StoredOrg(name="acme", data_center="eu", environment="sandbox")])
    add_person(tmp_path, "Anna", database_url=database_url)
    with served_page(tmp_path) as page:
        stranger = Visitor(page.url)
        stranger.get("/login")
        assert stranger.post("/login", {"name": "Anna", "password": "wrong"}).status == 403
        assert stranger.get("/enter/none").status == 403
        assert stranger.request("DELETE", "/some/path").status == 401
        anna = signed_in(page, "Anna")
        anna.start("locks.csv", csv_content(2, first=1))
        shown = page_figures(page)
        assert get(page.metrics_port, "/readyz") == (200, "ok\n")
        # The page itself has no figures, neither for strangers nor for people who are signed in.
        assert (stranger.get("/metrics").status, anna.get("/metrics").status) == (303, 404)
    assert shown[requests("POST", "/login", 403)] == 1
    assert shown[requests("GET", "/enter/{link}", 403)] == 1
    assert shown[requests("POST", "/login", 303)] == 1
    assert shown[requests("POST", "/orgs/{org}/files/{id}/start", 303)] == 1
    assert shown['batchlock_page_request_seconds_count{route="/orgs/{org}/files"}'] == 1
    # Anybody can invent methods and paths.
    assert shown[requests("", "", 401)] == 1
    assert not any("DELETE" in name or "some" in name for name in shown)
    refused = "batchlock_page_sign_ins_refused_total"
    assert shown[f'{refused}{{reason="password"}}'] == 1
    assert shown[f'{refused}{{reason="link"}}'] == 1
    assert shown['batchlock_store_runs{state="waiting"}'] == 1
    assert shown['batchlock_store_runs{state="running"}'] == 0
    assert (shown["batchlock_store_up"], shown["batchlock_page_uploads_reading"]) == (1, 0)
    assert not any("acme" in name or "Anna" in name for name in shown)


def test_runs_that_cannot_be_counted_are_no_number(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        metrics = PageMetrics(store)
        metrics.follow(uploads_being_read=lambda: 3)
        metrics.on_sign_in_refused(SignInRefusal.THROTTLE)
    (tmp_path / "store.sqlite").write_bytes(b"no database " * 100)
    shown = figures(asyncio.run(metrics.text()).decode())
    assert shown["batchlock_store_up"] == 0
    assert math.isnan(shown['batchlock_store_runs{state="waiting"}'])
    assert shown["batchlock_page_uploads_reading"] == 3
    assert shown['batchlock_page_sign_ins_refused_total{reason="throttle"}'] == 1


def test_an_address_in_use_is_refused(tmp_path: Path) -> None:
    write_config(tmp_path, LISTEN)
    other = tmp_path / "other"
    other.mkdir()
    with served_page(tmp_path, simulate=True) as page:
        write_config(other, LISTEN.replace(":0'", f":{page.metrics_port}'"))
        message = rf"web\.metrics_listen: 127\.0\.0\.1:{page.metrics_port} cannot be used"
        with pytest.raises(UsageError, match=message), served_page(other, simulate=True):
            pass
