"""The tables of all journals in PostgreSQL, and the views by which the statements reach them.

    run_facts  run, name, value           `run` of a journal in a file; run is the id of the run
    rows       run, row, …
    progress   run, row, …
    problems   id, run, row, …

A statement of this package names no run. Each of the schemas `journal`, `earlier`, `other` and
`newer` has a view for each table, with the rows of one run: that in the setting `batchlock.journal`
of the transaction, and so on. A row that is inserted into a view gets that run.
"""

# Ids, codes and messages sort by their bytes, as in SQLite.
_TEXT = 'text COLLATE "C"'
_TABLES = (
    f"""CREATE TABLE run_facts (
    run {_TEXT} NOT NULL, name {_TEXT} NOT NULL, value text NOT NULL, PRIMARY KEY (run, name)
)""",
    f"""CREATE TABLE rows (
    run {_TEXT} NOT NULL, row integer NOT NULL, module {_TEXT}, record_id {_TEXT},
    lock_id {_TEXT}, reason {_TEXT}, cells bytea NOT NULL, action {_TEXT} NOT NULL DEFAULT 'update',
    expected text, PRIMARY KEY (run, row)
)""",
    # A page that comes twice, after a kill or because another way begins again, adds no row twice.
    "CREATE UNIQUE INDEX found_records ON rows (run, module, record_id) WHERE action = 'find'",
    # The status of a row changes twice. With room in its page, and no index on what changes, the
    # new version goes there, and no index changes.
    f"""CREATE TABLE progress (
    run {_TEXT} NOT NULL, row integer NOT NULL, status {_TEXT} NOT NULL, same_as integer,
    http_status integer, code {_TEXT} NOT NULL DEFAULT '', message {_TEXT} NOT NULL DEFAULT '',
    remedy {_TEXT} NOT NULL DEFAULT '', attempts integer NOT NULL DEFAULT 0,
    finished_at double precision, duration double precision, previous_reason {_TEXT},
    changed_lock_id {_TEXT}, PRIMARY KEY (run, row)
) WITH (fillfactor = 70)""",
    f"""CREATE TABLE problems (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run {_TEXT} NOT NULL,
    row integer NOT NULL, "column" {_TEXT} NOT NULL, code {_TEXT} NOT NULL, message {_TEXT} NOT NULL
)""",
    "CREATE INDEX problems_of_rows ON problems (run, row)",
)
SCHEMAS = ("journal", "earlier", "other", "newer")
# The statements name the hidden key of SQLite, which orders the problems of a row.
_VIEWS = {
    "run": "run, name, value FROM run_facts",
    "rows": "run, row, module, record_id, lock_id, reason, cells, action, expected FROM rows",
    "progress": (
        "run, row, status, same_as, http_status, code, message, remedy, attempts, finished_at,"
        " duration, previous_reason, changed_lock_id FROM progress"
    ),
    "problems": 'id AS rowid, run, row, "column", code, message FROM problems',
}
BASE_TABLES = ("run_facts", "rows", "progress", "problems")


def create_statements() -> list[str]:
    """Return the statements that make the tables, schemas and views."""
    statements = list(_TABLES)
    for schema in SCHEMAS:
        run = f"current_setting('batchlock.{schema}')"
        statements.append(f"CREATE SCHEMA {schema}")
        for view, columns in _VIEWS.items():
            name = f"{schema}.{view}"
            statements += [
                f"CREATE VIEW {name} AS SELECT {columns} WHERE run = {run}",
                f"ALTER VIEW {name} ALTER COLUMN run SET DEFAULT {run}",
            ]
            # A view has no defaults of its table.
            if view == "rows":
                statements.append(f"ALTER VIEW {name} ALTER COLUMN action SET DEFAULT 'update'")
    return statements
