"""One module and one reason for all rows of an upload."""

import asyncio
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from support.page_server import PageServer, served_page
from support.visitor import Visitor, eventually, write_config
from support.zoho import StandIn, stand_in_on

# The columns of a list export of deals; nothing else says the module.
TITLES = "Record Id,Deal Name,Deal Owner.id,Deal Owner,Reason For Loss__s,Locked\n"
ROW = "zcrm_{id},Pump {id},zcrm_5843104000000123001,Anna Berg,Price,true\n"
REASON = "Geprüft & gesperrt\nbis Ende März"


def export(*record_ids: int) -> bytes:
    return (TITLES + "".join(ROW.format(id=record_id) for record_id in record_ids)).encode()


def form_of(visitor: Visitor, upload: str) -> dict[str, str]:
    """Return what a browser would submit of the form of columns, before anything is chosen."""
    *_, form = re.findall(rf'<form[^>]*action="{upload}/read">.*?</form>', visitor.get(upload).text,
                        re.DOTALL)  # fmt: skip
    fields = {}
    for name, options in re.findall(r'<select [^>]*name="(\w+)">(.*?)</select>', form, re.DOTALL):
        selected = re.search(r'value="([^"]*)" selected', options)
        fields[name] = unescape(selected[1]) if selected else ""
    [(name, text)] = re.findall(r'<textarea [^>]*name="(\w+)"[^>]*>\n(.*?)</textarea>', form,
                                re.DOTALL)  # fmt: skip
    return {**fields, name: unescape(text)}


def read_again(visitor: Visitor, upload: str, **changes: str) -> str:
    """Submit the form of columns with some changes; return the words of the page after it."""
    answer = visitor.post(f"{upload}/read", {**form_of(visitor, upload), **changes})
    assert answer.location == upload, answer.words
    eventually(lambda: "being read" not in visitor.get(upload).text)
    return visitor.get(upload).words


@pytest.fixture(scope="module")
def org(stand_in_loop: asyncio.AbstractEventLoop) -> Iterator[StandIn]:
    with stand_in_on(stand_in_loop, "--latency", "0") as org:
        yield org


@pytest.fixture(scope="module")
def org_page(org: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page for an org whose locks can be looked at."""
    folder = tmp_path_factory.mktemp("org")
    org.config(folder / "config.yaml", state_directory=str(folder / "state"))
    with served_page(folder) as page:
        yield page


def test_an_export_is_sent_with_a_module_and_a_reason_chosen_on_the_page(
    org: StandIn, org_page: PageServer
) -> None:
    anna = org_page.visitor()
    upload = anna.check("deals.csv", export(5843104000000700001, 5843104000000700002))
    refused = anna.get(upload).words
    assert "--" not in refused
    assert 'The column "Deal Owner" is one of the module Deals.' in refused
    assert "If all rows are Deals, choose that as the module for all rows below." in refused
    assert "or one module for all rows, or one reason for all rows" in refused
    checked = read_again(
        anna, upload, module_for_all="Deals", reason_for_all=REASON.replace("\n", "\r\n")
    )
    assert "can be sent 2" in checked
    assert "module Deals in all rows (as you named it)" in checked
    assert "Geprüft & gesperrt" in checked
    # The form of the check begins with what was chosen.
    assert form_of(anna, upload)["module_for_all"] == "Deals"
    assert form_of(anna, upload)["reason_for_all"] == REASON
    run = anna.post(f"{upload}/start").location
    assert "Every row is as the file asks." in anna.results(run).words
    reasons = {record: lock["reason"] for record, lock in org.locks().items()}
    assert reasons == {
        f"Deals/{record_id}": REASON for record_id in (5843104000000700001, 5843104000000700002)
    }


def test_a_reason_can_be_changed_on_the_check(someone: Visitor) -> None:
    upload = someone.check("deals.csv", export(5843104000000710001))
    assert "Audit" in read_again(
        someone, upload, module_for_all="Deals", reason_for_all="Audit of May"
    )
    changed = read_again(someone, upload, reason_for_all="Audit of June")
    assert "Audit of June" in changed
    assert "Audit of May" not in changed
    # Without a module the file is refused again, and keeps the reason.
    refused = read_again(someone, upload, module_for_all="")
    assert "no column for the module." in refused
    assert form_of(someone, upload)["reason_for_all"] == "Audit of June"


def test_a_filled_column_is_not_replaced_by_one_value(someone: Visitor) -> None:
    content = b"Module,Record Id,Reason\nLeads,5843104000000720001,Audit\n"
    upload = someone.check("leads.csv", content)
    refused = read_again(someone, upload, module_for_all="Deals")
    assert "--" not in refused
    assert (
        'One module is chosen for all rows, but row 2 of the column Module has one already, "Leads"'
        ". Choose no module for all rows, or another column for it, or empty the column" in refused
    )
    assert "can be sent 1" in read_again(someone, upload, module_for_all="")


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("reason", "x" * 3_001, "The reason for all rows: "),
        ("reason", "nan", "The reason for all rows: "),
        ("module", "Leeds", "The module for all rows: "),
        ("module", "Zzyzx", "ask the administrator to add its API name to input.custom_modules."),
    ],
)
def test_a_value_that_no_row_may_have_is_refused(
    someone: Visitor, field: str, text: str, words: str
) -> None:
    upload = someone.check("deals.csv", export(5843104000000730001))
    answer = someone.post(f"{upload}/read", {f"{field}_for_all": text})
    assert answer.status == 409
    assert words in answer.words
    assert "--" not in answer.words
    assert "delete the row" not in answer.words


def test_custom_modules_can_be_chosen(tmp_path: Path) -> None:
    write_config(tmp_path, "input: {custom_modules: [Site_Visits]}")
    with served_page(tmp_path, simulate=True) as page:
        someone = page.visitor()
        upload = someone.check("visits.csv", b"Record Id,Reason\n5843104000000740001,Audit\n")
        checked = read_again(someone, upload, module_for_all="Site_Visits")
        assert "1 update: Site_Visits 1" in checked


def test_one_value_is_not_remembered_for_the_next_file(someone: Visitor) -> None:
    content = "Nr,Reason\n{},Audit\n"
    upload = someone.check("one.csv", content.format(5843104000000750001).encode())
    read_again(someone, upload, record_id="Nr", module_for_all="Deals")
    refused = someone.get(someone.check("two.csv", content.format(5843104000000750002).encode()))
    assert "no column for the module" in refused.words
