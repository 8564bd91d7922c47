"""The pages of the audit log: a table with a search, and its download."""
