"""What Zoho calls its standard modules: in the API, on the screen and in older versions."""

from typing import NamedTuple


class ModuleLabels(NamedTuple):
    """The names of one standard module."""

    api_name: str
    singular: str
    """The English label of one record: exports have a column `<singular> Owner`."""
    plural: str
    """The English label of the module: exports have it in the name of the file."""
    old_names: tuple[str, ...] = ()
    """API names of earlier versions; addresses of records still have them."""
    old_singular: str | None = None


STANDARD_MODULES = (
    ModuleLabels("Leads", "Lead", "Leads"),
    ModuleLabels("Accounts", "Account", "Accounts"),
    ModuleLabels("Contacts", "Contact", "Contacts"),
    # Zoho renamed Potentials to Deals; backups until about 2020 have the old name.
    ModuleLabels("Deals", "Deal", "Deals", ("Potentials",), "Potential"),
    ModuleLabels("Tasks", "Task", "Tasks"),
    ModuleLabels("Cases", "Case", "Cases"),
    ModuleLabels("Solutions", "Solution", "Solutions"),
    ModuleLabels("Vendors", "Vendor", "Vendors"),
    ModuleLabels("Price_Books", "Price Book", "Price Books"),
    ModuleLabels("Quotes", "Quote", "Quotes"),
    ModuleLabels("Sales_Orders", "Sales Order", "Sales Orders"),
    ModuleLabels("Purchase_Orders", "Purchase Order", "Purchase Orders"),
    ModuleLabels("Invoices", "Invoice", "Invoices"),
    ModuleLabels("Products", "Product", "Products"),
)


def comparable(name: str) -> str:
    """Return a name without case, spaces, `-` and `_`: `Sales Orders`, `sales-orders`."""
    return "".join(name.replace("_", " ").replace("-", " ").split()).casefold()


OLD_NAMES = {comparable(old): one.api_name for one in STANDARD_MODULES for old in one.old_names}
"""The API name of a module by its old name, in comparable form."""

BY_SINGULAR = {
    comparable(singular): one.api_name
    for one in STANDARD_MODULES
    for singular in (one.singular, one.old_singular)
    if singular
}
"""The API name of a module by the label of one record, in comparable form."""
