"""The file with the sign-in of every org of a stand-in, a line for each org."""

import csv
import io
from pathlib import Path

from batchlock.simulator.behaviour import OrgType
from batchlock.simulator.orgs import Orgs

COLUMNS = (
    "name",
    "environment",
    "api_url",
    "accounts_url",
    "client_id",
    "client_secret",
    "refresh_token",
    "organization_id",
)


def write_orgs(path: Path, orgs: Orgs) -> None:
    """Write a CSV file with the orgs, whose address must be known.

    Raises FileExistsError if there is such a file, which may hold sign-ins of real orgs, and
    OSError if it cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for simulator in orgs:
        identity, behaviour = simulator.identity, simulator.behaviour
        # Bigin is an app of its own and no environment of Zoho CRM.
        is_environment = behaviour.org_type is not OrgType.BIGIN
        rows.writerow(
            (
                f"org-{identity.label}",
                behaviour.org_type if is_environment else "",
                orgs.url,
                orgs.url,
                identity.client_id,
                identity.client_secret,
                identity.refresh_token,
                behaviour.org_id,
            )
        )
    # In one step: a program that waits for the file does not read a part of it.
    with path.open("x", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())
