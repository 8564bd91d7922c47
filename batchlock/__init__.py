"""Update the locking information of many Zoho CRM records from a spreadsheet."""

__version__ = "0.1.0"
