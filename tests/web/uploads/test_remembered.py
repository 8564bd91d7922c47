"""What the page remembers about the columns of a file: for whom, and that it is only proposed."""

from collections.abc import Iterator

import pytest
from support.page_server import PageServer, add_person, served_page, signed_in
from support.visitor import Visitor, write_config

from batchlock.store.grants import Grant, Role
from batchlock.store.store import Store

# Both columns of ids fit both fields, so nobody but a person can tell which is which.
FILE = b"Modul;Nr 1;Nr 2;Grund\nLeads;5843104000000425565;5843104000000574404;Vertrag ist neu\n"
COLUMNS = {"module": "Modul", "record_id": "Nr 1", "lock_id": "Nr 2", "reason": "Grund"}
# As the form of the page of choices names these titles.
TITLES = '["Grund", "Modul", "Nr 1", "Nr 2"]'
SELECTED = 'value="Nr 1" selected>Nr 1: 5843104000000425565</option>'


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("team")
    write_config(folder)
    for name in ("Anna", "Ben"):
        add_person(folder, name)
    with Store(folder / "state") as store:
        store.grants.put(Grant(person="Anna", org="*", role=Role.ADMINISTRATOR))
        store.grants.put(Grant(person="Ben", org="*", role=Role.SENDER))
    with served_page(folder, simulate=True) as page:
        yield page


def read_with_columns(visitor: Visitor, name: str) -> None:
    upload = visitor.check(name, FILE)
    visitor.post(f"{upload}/read", COLUMNS)
    visitor.wait_for(upload, "can be sent 1")


def test_a_choice_is_proposed_to_the_same_person_only(team: PageServer) -> None:
    anna, ben = signed_in(team, "Anna"), signed_in(team, "Ben")
    read_with_columns(anna, "first.csv")
    second = anna.check("second.csv", FILE)
    # Nothing is read by it before she has seen the values and agrees.
    assert "can be sent" not in anna.get(second).words
    assert "were chosen last time" in anna.get(second).words
    assert SELECTED in anna.get(second).text
    theirs = ben.check("third.csv", FILE)
    assert "were chosen last time" not in ben.get(theirs).words
    assert SELECTED not in ben.get(theirs).text
    assert "record id: Nr 1" in anna.get(f"{anna.home}/choices").words
    assert "Nothing is remembered" in ben.get(f"{ben.home}/choices").words

    # An administrator lets it be proposed to all, and takes that back.
    form = {"titles": TITLES}
    assert ben.post(f"{ben.home}/choices/agree", form).status == 403
    assert anna.post(f"{anna.home}/choices/agree", form).status == 303
    assert SELECTED in ben.get(theirs).text
    assert "can be sent" not in ben.get(theirs).words
    assert "Forget it" not in ben.get(f"{ben.home}/choices").text
    assert ben.post(f"{ben.home}/choices/remove", {**form, "for": "all"}).status == 403
    assert anna.post(f"{anna.home}/choices/remove", {**form, "for": "all"}).status == 303
    assert SELECTED not in ben.get(theirs).text
    assert SELECTED in anna.get(second).text
    anna.post(f"{anna.home}/choices/remove", {**form, "for": "me"})
    assert "Nothing is remembered" in anna.get(f"{anna.home}/choices").words
