"""The page that connects an org: a person accepts a code at Zoho."""
