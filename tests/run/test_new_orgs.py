"""The orgs of a spreadsheet, before they are stored."""

from pathlib import Path

import openpyxl
import pytest
from support.settings import SECRET

from batchlock.config import Settings
from batchlock.core.errors import BatchlockError, UnreadableFile, UsageError
from batchlock.core.org import StoredOrg
from batchlock.new_orgs import NewOrg, read_orgs
from batchlock.org_settings import with_org

TITLES = "Name,Data Center,client-id,CLIENT_SECRET,refresh_token,max_in_flight\n"
STORED = StoredOrg(
    name="acme",
    data_center="eu",
    environment="sandbox",
    settings={"limits": {"max_in_flight": "7", "keep_credits": "5"}},
)


def read(text: str, *stored: StoredOrg, update: bool = False) -> list[NewOrg]:
    file = Path("orgs.csv")
    file.write_text(text, "utf-8-sig")
    return read_orgs(file, stored, update=update)


def test_titles_are_read_as_people_write_them() -> None:
    [new] = read(f"{TITLES}acme,eu,id,{SECRET},token,8\n\n,,,,,\n")
    assert (new.org.name, new.org.data_center, new.org.environment) == ("acme", "eu", "production")
    assert new.org.settings == {"limits": {"max_in_flight": "8"}}
    secrets = {name: secret.get_secret_value() for name, secret in new.secrets.items()}
    assert secrets == {"client_id": "id", "client_secret": SECRET, "refresh_token": "token"}
    assert SECRET not in repr(new)


def test_four_eyes_are_a_setting_of_an_org() -> None:
    [new] = read("name,four_eyes\nacme,yes\n", STORED, update=True)
    assert new.org.settings["web"] == {"four_eyes": "yes"}
    assert with_org(Settings(), new.org, {}).web.four_eyes
    assert not with_org(Settings(), STORED, {}).web.four_eyes
    with pytest.raises(UsageError, match="four_eyes"):
        read("name,four_eyes\nacme,perhaps\n", STORED, update=True)


def test_an_empty_cell_changes_nothing_of_a_stored_org() -> None:
    [new] = read("name,max_in_flight,data_center\nacme,9,\n", STORED, update=True)
    assert (new.org.data_center, new.org.environment) == ("eu", "sandbox")
    assert new.org.settings == {"limits": {"max_in_flight": "9", "keep_credits": "5"}}
    assert new.secrets == {}


_FULL = "name,data_center,client_id,client_secret,refresh_token\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "row 1: there is no column name"),
        ("name,name\na,b\n", "row 1: the column name is there 2 times"),
        ("name,client_id\nacme,x\n", "row 2, client_secret: the cell is empty"),
        ("name,data_center\nacme,xy\n", "row 2, data_center:"),
        (f"{_FULL}ACME,us,x,y,z\n", "row 2, name: ACME differs from the org acme only in"),
        (f'{_FULL}"a\nb",us,x,y,z\n', "row 2, name:"),
    ],
)
def test_a_problem_is_named_by_row_and_column(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        read(text, STORED, update=True)
    assert any(line.startswith(problem) for line in str(error.value).splitlines()[1:])


def workbook(file: Path, sheets: int) -> Path:
    book = openpyxl.Workbook()
    for number in range(1, sheets):
        book.create_sheet(f"more {number}")
    book.save(file)
    return file


@pytest.mark.parametrize(
    ("name", "content", "kind", "words"),
    [
        ("orgs.csv", None, UnreadableFile, "cannot be read"),
        ("orgs.xlsx", None, UnreadableFile, "cannot be read"),
        ("orgs.csv", b"name\n\xff\n", UnreadableFile, "not UTF-8"),
        ("orgs.csv", b'name\n"one\ntwo\n', UnreadableFile, "line 3: a quotation mark"),
        ("orgs.csv", b'name\n"one" two\n', UnreadableFile, "line 2: a quotation mark"),
        ("orgs.csv", b'name\n"' + b"x" * 200_000, UnreadableFile, "line 2: a quotation mark"),
        ("orgs.xlsx", b"PK no workbook", UnreadableFile, "no workbook"),
        ("orgs.xlsx", 2, UsageError, "2 visible sheets"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    name: str, content: bytes | int | None, kind: type[BatchlockError], words: str
) -> None:
    file = Path(name)
    if isinstance(content, int):
        workbook(file, content)
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(kind, match=words) as error:
        read_orgs(file, [], update=False)
    assert type(error.value) is kind
