"""Measure many orgs on many machines: workers, a PostgreSQL and a stand-in, and what goes wrong."""
