"""Who may use the page: one-time links, passwords and sessions."""
