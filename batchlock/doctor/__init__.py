"""`batchlock doctor`: checks of everything that a run depends on, which change nothing.

request ─ examine ─▶ Diagnosis: one Check for each thing, in groups ─▶ text, JSON, bundle

    checks          the values
    timing          time limits, and threads that nobody has to wait for
    examination     which checks there are, in which order, and what each depends on
    installation    Python, packages, packages that settings need
    configuration   the files and variables that set something, every problem, the secrets
    folders         state, results, input, temporary files
    stored          tables, key, workers, schedules, runs
    network         proxy, names, certificates, answers of both servers, clock
    sign_in, org    token, scopes; which org, credits, where locking is configured
    notices         addresses of notices, and a test
    as_json         the object of --json
    bundle          the file for a bug report: last_run, and what redaction takes out

The store is opened by `store/read_only.py`, in a way that changes nothing of it.
"""
