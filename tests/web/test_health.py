"""What whatever starts and watches a server asks it."""

import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from support.page_server import PageServer, served_page
from support.visitor import Visitor, write_config


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_server_says_that_it_can_work(page: PageServer, path: str) -> None:
    # A probe asks by the address, without a session.
    answer = Visitor(page.url).get(path, {"Host": "10.1.2.3:8765"})
    assert (answer.status, answer.text) == (200, "ok\n")
    assert answer.headers["Set-Cookie"] is None


def test_a_server_with_the_tables_of_another_version_is_not_ready(tmp_path: Path) -> None:
    write_config(tmp_path)
    with served_page(tmp_path) as page:
        with sqlite3.connect(page.state / "store.sqlite") as sql:
            sql.execute("UPDATE alembic_version SET version_num = '9999'")
        sql.close()
        visitor = Visitor(page.url)
        answer = visitor.get("/readyz")
        assert (answer.status, answer.text) == (503, "not ready\n")
        assert visitor.get("/healthz").status == 200


def test_a_server_without_its_database_is_alive_and_not_ready(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_config(tmp_path, f"database: {database_url}")
    with served_page(tmp_path) as page:
        visitor = page.visitor()
        assert visitor.get("/readyz").status == 200
        url = urlsplit(database_url)
        name, other = url.path.removeprefix("/"), url._replace(path="/postgres").geturl()
        with psycopg.connect(other, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            answer = visitor.get("/readyz")
            assert (answer.status, answer.text) == (503, "not ready\n")
            assert visitor.get("/healthz").status == 200
            lost = visitor.get(visitor.home)
            assert lost.status == 503
            assert "The database cannot be used" in lost.words
            assert name not in lost.words
            assert name in caplog.text  # for the administrator
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert visitor.get("/readyz").status == 200
