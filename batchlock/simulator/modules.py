"""The modules of the simulated org whose records can be locked.

One is renamed (Deals), one has labels in another language (Invoices), and two are custom modules.
"""

import re
from dataclasses import dataclass

# API names of modules start with a capital: `Deals`, `Custom_Module`.
_API_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the org."""

    api_name: str
    singular: str
    """Its label when Zoho made it; `actual_singular_label`."""
    plural: str
    name_field: str = "Subject"
    """The field with the name of a record."""
    module_name: str = ""
    """Its name in the address of a record; empty: the API name."""
    shown_singular: str = ""
    """Its label in this org; empty: as when Zoho made it."""
    shown_plural: str = ""
    is_custom: bool = False


MODULES = (
    Module("Leads", "Lead", "Leads", "Full_Name"),
    Module("Accounts", "Account", "Accounts", "Account_Name"),
    Module("Contacts", "Contact", "Contacts", "Full_Name"),
    Module("Deals", "Deal", "Deals", "Deal_Name", "Potentials", "Opportunity", "Opportunities"),
    Module("Tasks", "Task", "Tasks"),
    Module("Cases", "Case", "Cases"),
    Module("Solutions", "Solution", "Solutions", "Solution_Title"),
    Module("Vendors", "Vendor", "Vendors", "Vendor_Name"),
    Module("Price_Books", "Price Book", "Price Books", "Price_Book_Name", "PriceBooks"),
    Module("Quotes", "Quote", "Quotes"),
    Module("Sales_Orders", "Sales Order", "Sales Orders", module_name="SalesOrders"),
    Module("Purchase_Orders", "Purchase Order", "Purchase Orders", module_name="PurchaseOrders"),
    Module("Invoices", "Invoice", "Invoices", shown_singular="Factura", shown_plural="Facturas"),
    Module("Products", "Product", "Products", "Product_Name"),
    Module("Visits", "Visit", "Visits", "Name", "CustomModule1", is_custom=True),
    Module(
        "Machine_Rentals",
        "Machine Rental",
        "Machine Rentals",
        "Name",
        "CustomModule2",
        is_custom=True,
    ),
)
_BY_NAME = {module.api_name: module for module in MODULES}


def is_api_name(name: str) -> bool:
    """Return whether a text is spelt as the API name of a module."""
    return _API_NAME.fullmatch(name) is not None


def is_custom(module: str) -> bool:
    """Return whether people made a module; every module that is not listed here counts as one."""
    known = _BY_NAME.get(module)
    return known is None or known.is_custom


def name_field_of(module: str) -> str:
    """Return the field with the name of a record; custom modules have `Name`."""
    known = _BY_NAME.get(module)
    return "Name" if known is None else known.name_field
