"""A DAG of Airflow that sends a file with batchlock each night.

batchlock is in an environment of its own (PYTHON), so that its packages and those of Airflow cannot
disturb each other. Airflow sends the text of `send_file` there, which is why it imports batchlock
inside. The function is also usable without Airflow.
"""

from typing import Any

import pendulum
from airflow.sdk import DAG, task

PYTHON = "/opt/batchlock/bin/python"
FILE = "/srv/locks/tonight.xlsx"
CONFIG = "/etc/batchlock/config.yaml"


def send_file(file: str, config: str | None = None, *, simulate: bool = False) -> dict[str, Any]:
    """Send a file and return what became of it; raise when a row is not as the file asks.

    A retry of the task goes on where the one before stopped, and leaves rows that are done alone.
    """
    import batchlock

    results = batchlock.run(file, config=config, simulate=simulate, progress=False)
    report = results.attrs["batchlock"]
    if report["exit_code"]:
        raise RuntimeError(f"{report['message']} {report['output']}")
    return {name: report[name] for name in ("run_id", "counts", "message", "output")}


with DAG(
    dag_id="batchlock_night",
    schedule="30 22 * * 1-5",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    # A second run for the same org would end with exit code 7.
    max_active_runs=1,
    # From 22:30 to 06:00, retries included.
    dagrun_timeout=pendulum.duration(hours=7, minutes=30),
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=10)},
):
    task.external_python(python=PYTHON, expect_airflow=False, expect_pendulum=False)(send_file)(
        FILE, CONFIG
    )
