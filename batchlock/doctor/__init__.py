"""`batchlock doctor`: checks of everything that a run depends on, which change nothing.

request ─ examine ─▶ Diagnosis: one Check for each thing, in groups ─▶ text, JSON, bundle

    checks          the values
    timing          time limits, and threads that nobody has to wait for
    examination     which checks there are, in which order, and what each depends on
    installation    Python, packages, packages that settings need
    configuration   the files and variables that set something, every problem, the secrets
    folders         state, results and current folder
    store_view      the store, opened in a way that changes nothing of it
    stored          database, key, workers, schedules, runs
    network         proxy, DNS, TLS, answers of both servers, clock
    sign_in         token, data centre, scopes
    org             which org, credits, where locking is configured
"""
