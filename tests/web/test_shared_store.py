"""Several servers of the page on one database, on machines that share no folder."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from support.page_server import PageServer, add_person, served_page, signed_in
from support.visitor import csv_content, eventually, write_config

from batchlock.core.org import StoredOrg
from batchlock.core.runs import RunState
from batchlock.core.stop import StopCode
from batchlock.store.store import Store
from batchlock.store.uploads import UploadState

ORG = "acme"


@pytest.fixture
def machines(database_url: str, tmp_path: Path) -> Iterator[tuple[PageServer, PageServer]]:
    """Serve the page on two machines, for two orgs in one database."""
    with Store(tmp_path / "first" / "state", database_url) as store:
        store.orgs.put(
            [
                StoredOrg(name=name, data_center="eu", environment="sandbox")
                for name in (ORG, "globex")
            ]
        )
    add_person(tmp_path / "first", "Anna", database_url=database_url)
    with ExitStack() as stack:
        pages = []
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            write_config(folder, f"database: {database_url}")
            pages.append(stack.enter_context(served_page(folder)))
        yield pages[0], pages[1]


def test_a_file_is_uploaded_to_one_machine_and_started_on_another(
    machines: tuple[PageServer, PageServer], database_url: str, tmp_path: Path
) -> None:
    first, second = machines
    anna = signed_in(first, "Anna")
    anna.home = f"/orgs/{ORG}"
    upload = anna.check("orders.csv", csv_content(3, first=1))
    anna.url = second.url  # the session holds there, too
    assert "can be sent 3" in anna.get(upload).words
    run_id = anna.post(f"{upload}/start").location.rpartition("/")[2]
    with Store(tmp_path / "third", database_url) as store:
        run = store.runs.get(run_id)
        assert run is not None
        assert (run.state, run.requested_by, run.file_name) == ("queued", "Anna", "orders.csv")
        with store.open_journal(run) as journal:
            assert journal.remaining() == 3
    with psycopg.connect(database_url, autocommit=True) as connection:
        # The click does not wait for the job.
        eventually(
            lambda: (
                connection.execute("SELECT args FROM procrastinate_jobs").fetchall()
                == [({"org": ORG},)]
            )
        )


def test_a_path_with_nul_is_not_looked_up_in_the_database(
    machines: tuple[PageServer, PageServer],
) -> None:
    anna = signed_in(machines[0], "Anna")
    for path in ("/files/a%00b", f"/orgs/{ORG}/files/%00", f"/orgs/{ORG}%00", "/runs/%00"):
        refused = anna.get(path)
        assert refused.status == 404, path
        assert "There is nothing here." in refused.words


def test_a_cell_is_corrected_on_one_machine_and_started_on_another(
    machines: tuple[PageServer, PageServer], database_url: str, tmp_path: Path
) -> None:
    first, second = machines
    anna = signed_in(first, "Anna")
    anna.home = f"/orgs/{ORG}"
    upload = anna.check("orders.csv", csv_content(2, first=20))
    page = anna.get(f"{upload}/correct?row=2")
    seen = re.search(r'name="seen-2-reason" value="(\w+)"', page.text)
    assert seen is not None
    form = {"row": "2", "seen-2-reason": seen[1], "new-2-reason": "corrected"}
    assert anna.post(f"{upload}/correct", form).status == 303
    eventually(lambda: "being read" not in anna.get(upload).text)
    anna.url = second.url
    assert "corrected by Anna; in the file: reason 20" in anna.get(upload).words
    assert anna.post(f"{upload}/correct", form | {"new-2-reason": "late"}).status == 409
    run_id = anna.post(f"{upload}/start").location.rpartition("/")[2]
    with Store(tmp_path / "third", database_url) as store:
        run = store.runs.get(run_id)
        assert run is not None
        with store.open_journal(run) as journal:
            rows = [*journal.result_rows()]
    assert rows[0].cells[3] == "corrected"
    assert "Corrected on the page by Anna" in rows[0].corrections


def test_no_server_shows_an_older_plan(machines: tuple[PageServer, PageServer]) -> None:
    first, second = machines
    anna = signed_in(first, "Anna")
    anna.home = f"/orgs/{ORG}"
    upload = anna.check("orders.csv", csv_content(2, first=10))
    anna.url = second.url
    assert "Change the reason 2 locks" in anna.get(upload).words
    anna.url = first.url
    assert anna.post(f"{upload}/read", {"action_for_all": "unlock"}).status == 303
    eventually(lambda: "being read" not in anna.get(upload).text)
    anna.url = second.url
    assert "Unlock 2 records in acme sandbox" in anna.get(upload).words


def test_a_stop_reaches_the_workers_at_once(
    machines: tuple[PageServer, PageServer], database_url: str
) -> None:
    first, second = machines
    anna = signed_in(first, "Anna")
    anna.home = f"/orgs/{ORG}"
    waiting = anna.start("wait.csv", csv_content(2, first=20))
    sent = anna.start("sent.csv", csv_content(2, first=30))
    with (
        Store(first.state, database_url) as store,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        run = store.runs.get(sent.rpartition("/")[2])
        assert run is not None
        assert store.runs.start_session(run)
        connection.execute("LISTEN batchlock")
        anna.url = second.url
        assert anna.post(f"{sent}/pause").status == 303
        notification = next(connection.notifies(timeout=30))
        assert notification.payload == run.run_id
        stopped = store.runs.get(run.run_id)
        assert stopped is not None
        assert stopped.stop_requested is not None
        assert stopped.stop_requested.code is StopCode.PAUSED
        # No worker has to answer for a run that waits.
        assert anna.post(f"{waiting}/stop").status == 303
        ended = store.runs.get(waiting.rpartition("/")[2])
        assert ended is not None
        assert ended.state is RunState.STOPPED


def test_a_plan_of_a_killed_server_is_made_by_another(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    with Store(folder, database_url) as store:
        store.orgs.put([StoredOrg(name=ORG, data_center="eu", environment="sandbox")])
        file = store.upload_files.folder("00ff") / "left.csv"
        file.parent.mkdir(parents=True)
        file.write_bytes(csv_content(4, first=50))
        store.upload_files.add("00ff", file)
        store.uploads.add("00ff", ORG, "left.csv", "Anna")
    other = tmp_path / "other"
    other.mkdir()
    write_config(other, f"database: {database_url}")
    with Store(tmp_path / "third", database_url) as store:
        with store.upload_files.claim("00ff") as is_mine, served_page(other) as page:
            assert is_mine
            page.visitor()
            upload = store.uploads.get(ORG, "00ff")
            assert upload is not None
            assert upload.state is UploadState.READING
        with served_page(other) as page:
            anna = page.visitor()
            anna.wait_for(f"/orgs/{ORG}/files/00ff", "can be sent 4")
        store.upload_files.remove("00ff")
        assert not (tmp_path / "third" / "web" / "files" / "00ff").exists()


def test_a_file_is_kept_in_parts(database_url: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000  # more than two parts of a MiB
    with Store(tmp_path / "a", database_url) as store:
        for name, one in (("large.bin", content), ("empty.csv", b"")):
            file = store.upload_files.folder("01") / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(one)
            store.upload_files.add("01", file)
    with Store(tmp_path / "b", database_url) as store:
        assert store.upload_files.file("01", "large.bin").read_bytes() == content
        assert store.upload_files.file("01", "empty.csv").read_bytes() == b""
    with psycopg.connect(database_url) as connection:
        parts = connection.execute("SELECT count(*) FROM upload_files WHERE name LIKE '%.bin'")
        assert parts.fetchone() == (3,)
