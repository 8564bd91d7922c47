"""Zoho's API: the only folder that knows its addresses, HTTP statuses and error codes."""
