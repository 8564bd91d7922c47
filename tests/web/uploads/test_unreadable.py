"""Uploads that cannot be read do not stay for ever."""

import time

from support.page_server import PageServer
from support.visitor import Visitor, csv_content

from batchlock.store.store import Store
from batchlock.web.retention import remove_unreadable


def test_all_unreadable_uploads_are_removed_at_once(someone: Visitor) -> None:
    scans = [someone.check(f"scan{number}.pdf", b"%PDF-1.7 ...") for number in (1, 2)]
    asked = someone.check("odd.csv", b"Modul;ID-Nr;Grund\nLeads;5843104000000425565;x\n")
    good = someone.check("good.csv", csv_content(1, first=80_000))
    home = someone.get(someone.home)
    assert "Remove scan1.pdf" in home.words
    assert "Remove all that cannot be read" in home.words
    assert someone.post(f"{scans[0]}/remove").location == someone.home
    assert "scan1.pdf" not in someone.get(someone.home).words
    assert someone.post(f"{someone.home}/unreadable/remove").location == someone.home
    assert [someone.get(path).status for path in (*scans, asked, good)] == [404, 404, 200, 200]
    assert "Remove all that cannot be read" not in someone.get(someone.home).words


def test_old_unreadable_uploads_go_by_themselves(page: PageServer, someone: Visitor) -> None:
    scan = someone.check("old.pdf", b"%PDF-1.7 ...")
    with Store(page.state) as store:
        assert remove_unreadable(store, "simulator", time.time() - 3600) == 0
        assert someone.get(scan).status == 200
        assert remove_unreadable(store, "simulator", time.time() + 1) == 1
    assert someone.get(scan).status == 404
