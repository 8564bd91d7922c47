import pytest
from support.chunks import check_rows, only_problem, row, valid_update

from batchlock.core.rows import MODULES
from batchlock.plan.validate import ValidationRules


def test_every_standard_module_keeps_its_name() -> None:
    assert len(MODULES) == 14
    checked = check_rows(*[row(name) for name in MODULES])
    assert [update.module for update in checked.updates] == list(MODULES)


@pytest.mark.parametrize(
    ("cell", "custom", "module"),
    [
        ("leads", (), "Leads"),
        (" LEADS\xa0", (), "Leads"),
        ("sales orders", (), "Sales_Orders"),
        ("SalesOrders", (), "Sales_Orders"),
        ("sales_orders", (), "Sales_Orders"),
        ("Sales-Orders", (), "Sales_Orders"),
        ("Potentials", (), "Deals"),
        ("potentials", ("Potentials",), "Potentials"),
        ("pricebooks", (), "Price_Books"),
        ("'Deals", (), "Deals"),
        ("\u200bDeals\u202c\ufeff", (), "Deals"),
        ("my module", ("My_Module",), "My_Module"),
        ("My_Module", ("My_Module", "MyModule"), "My_Module"),
        ("MyModule", ("MyModule", "My_Module"), "MyModule"),
        ("deals", ("DEALS",), "Deals"),
    ],
)
def test_modules_are_made_canonical(cell: str, custom: tuple[str, ...], module: str) -> None:
    assert valid_update(row(cell), rules=ValidationRules(custom_modules=custom)).module == module


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "Lead",
            '"Lead" is not a module that can be locked; did you mean "Leads"? Zoho shows API names',
        ),
        (
            "xyz",
            '"xyz" is not a module that can be locked. Zoho shows API names under Setup',
        ),
        (42, '"42" is not a module that can be locked.'),
        (True, '"TRUE" is not a module that can be locked.'),
        ("My Modul", '"My Modul" is not a module that can be locked; did you mean "My_Module"?'),
        ("x" * 200, f'"{"x" * 60}…" is not a module that can be locked.'),
    ],
)
def test_an_unknown_module_is_refused_with_the_nearest_name(cell: object, message: str) -> None:
    problem = only_problem(row(cell), rules=ValidationRules(custom_modules=("My_Module",)))
    assert (problem.row, problem.column, problem.code) == (2, "Module", "unknown_module")
    assert problem.message.startswith(message)
    assert (
        "Zoho shows API names under Setup → Developer Space → APIs → API names" in problem.message
    )


@pytest.mark.parametrize(
    ("cell", "is_about_custom_modules"),
    [("Deal", False), ("price book", False), ("Total", True), ("CustomModule1", True)],
)
def test_only_a_name_that_may_be_of_a_custom_module_leads_to_the_configuration(
    cell: str, is_about_custom_modules: bool
) -> None:
    message = only_problem(row(cell)).message
    assert ("custom module" in message) is is_about_custom_modules


def test_a_label_of_one_record_leads_to_the_api_name() -> None:
    assert 'did you mean "Price_Books"?' in only_problem(row("Price Book")).message
    assert 'did you mean "Deals"?' in only_problem(row("Potential")).message
