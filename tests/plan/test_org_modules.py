"""Modules by the names that the org has given to them."""

from pathlib import Path

import pytest
from support.chunks import check_rows, only_problem, row, valid_update
from support.plans import plan_of_file
from support.tables import csv_text, write_text

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.org import OrgModule
from batchlock.core.reading import FieldSource, Origin
from batchlock.core.rows import Field
from batchlock.plan.constants import read_constants
from batchlock.plan.validate import ValidationRules


def module(api_name: str, name: str, *labels: str) -> OrgModule:
    singular, plural, actual_singular, actual_plural = labels
    return OrgModule(
        api_name=api_name,
        module_name=name,
        singular_label=singular,
        plural_label=plural,
        actual_singular_label=actual_singular,
        actual_plural_label=actual_plural,
    )


ORG = (
    module("Deals", "Potentials", "Opportunity", "Opportunities", "Opportunity", "Opportunities"),
    module("Invoices", "Invoices", "Factura", "Facturas", "Invoice", "Invoices"),
    module("Accounts", "Accounts", "取引先", "取引先", "Account", "Accounts"),
    module("Visits", "CustomModule1", "Site Visit", "Site Visits", "Site Visit", "Site Visits"),
    module("Visits1", "CustomModule7", "Call", "Calls", "Call", "Calls"),
    module("Calls2", "CustomModule8", "Call", "Calls", "Call", "Calls"),
    # A module with the label that another one's API name is.
    module("Old_Leads", "CustomModule9", "Lead", "Leads", "Lead", "Leads"),
)
RULES = ValidationRules(org_modules=ORG)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Opportunities", "Deals"),
        (" opportunity\xa0", "Deals"),
        ("facturas", "Invoices"),
        ("Invoice", "Invoices"),
        ("取引先", "Accounts"),
        ("site-visits", "Visits"),
        ("Visits", "Visits"),
        ("CustomModule1", "Visits"),
        ("Potentials", "Deals"),
        ("Deals", "Deals"),
        ("Leads", "Leads"),
        ("Old Leads", "Old_Leads"),
    ],
)
def test_a_module_is_found_by_the_labels_of_the_org(cell: str, expected: str) -> None:
    assert valid_update(row(cell), rules=RULES).module == expected


def test_which_labels_were_read_is_told() -> None:
    checked = check_rows(*map(row, ("Opportunities", "Deals", "facturas", "Visits")), rules=RULES)
    assert checked.labels == {"Opportunities": "Deals", "facturas": "Invoices"}


def test_a_label_of_two_modules_is_refused() -> None:
    problem = only_problem(row("Calls"), rules=RULES)
    assert problem.code == "unknown_module"
    assert "it is a label of Calls2 and Visits1. Write the API name" in problem.message


def test_a_misspelt_label_is_refused_with_the_api_name_of_the_nearest_one() -> None:
    problem = only_problem(row("Oportunities"), rules=RULES)
    assert problem.code == "unknown_module"
    assert 'did you mean "Deals"? Zoho shows API names under Setup' in problem.message


@pytest.mark.parametrize(("number", "is_valid"), [(1, True), (2, True), (7, False)])
def test_the_address_of_a_custom_module_must_fit_unless_it_is_unknown(
    number: int, is_valid: bool
) -> None:
    address = f"https://crm.zoho.eu/crm/org12/tab/CustomModule{number}/5843104000000425565"
    checked = check_rows(row("Visits", address), rules=RULES)
    assert [problem.code for problem in checked.problems] == ([] if is_valid else ["bad_id"])


def test_the_module_for_all_rows_may_be_a_label() -> None:
    assert read_constants({"module": "Opportunities"}, (), ORG) == {Field.MODULE: "Deals"}
    with pytest.raises(UsageError, match=r'"Oportunities" is not a module .*"Deals"'):
        read_constants({"module": "Oportunities"}, (), ORG)


TITLES = ("Record Id", "{} Owner", "Locked Reason")


def export(path: Path, owner: str) -> Path:
    titles = [title.format(owner) for title in TITLES]
    content = csv_text(titles, ["zcrm_5843104000000425565", "Anna", "Frozen"])
    return write_text(path.parent, content, path.name)


@pytest.mark.parametrize(
    ("name", "owner", "api_name"),
    [
        ("Opportunities_2026_09_10.csv", "Opportunity", "Deals"),
        ("Deals_001.csv", "Opportunity", "Deals"),  # a backup has the API name
        ("Facturas_2026_09_10.csv", "Factura", "Invoices"),
        ("Site Visits_2026_09_10.csv", "Site Visit", "Visits"),
    ],
)
def test_the_module_of_an_export_is_known_by_the_labels_of_the_org(
    tmp_path: Path, name: str, owner: str, api_name: str
) -> None:
    with plan_of_file(export(tmp_path / name, owner), org_modules=ORG) as journal:
        assert FieldSource(field=Field.MODULE, origin=Origin.FILE, value=api_name) in (
            journal.reading.fields
        )


@pytest.mark.parametrize("name", ["Calls_2026_09_10.csv", "Leads_2026_09_10.csv"])
def test_an_export_whose_label_may_stand_for_two_modules_is_refused(
    tmp_path: Path, name: str
) -> None:
    owner = name.partition("s_")[0]
    with pytest.raises(UnreadableFile, match="no column for the module"):
        plan_of_file(export(tmp_path / name, owner), org_modules=ORG)


def test_the_labels_are_stored_with_the_plan(tmp_path: Path) -> None:
    lines = [["Opportunities", "5843104000000425565", "x"], ["Deals", "5843104000000425566", "y"]]
    file = write_text(tmp_path, csv_text(["Module", "Record Id", "Reason"], *lines))
    with plan_of_file(file, org_modules=ORG) as journal:
        assert journal.reading.labels == {"Opportunities": "Deals"}
