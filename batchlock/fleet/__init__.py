"""Many orgs on many machines: workers that share the store in PostgreSQL."""
