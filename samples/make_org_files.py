"""Write an input file for each org of a stand-in: `python samples/make_org_files.py FOLDER`.

    batchlock simulate --port 8899 --orgs 300 --write-orgs orgs.csv
    python samples/make_org_files.py files --orgs 300 --rows 400

The file `org-017.csv` changes the reasons of 400 locks of org 17; no other org has these records.
With `--org 17` it writes this one file only. Existing files of these names are replaced.
"""

import argparse
import csv
from pathlib import Path

from batchlock.simulator import MOST_ORGS, Identity, sample_rows


def write_org_file(folder: Path, identity: Identity, rows: int) -> Path:
    """Write the file of one org with so many rows; return its path."""
    path = folder / f"org-{identity.label}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("module", "record_id", "lock_id", "reason"))
        for row in sample_rows(identity, rows):
            writer.writerow((row.module, row.record_id, row.lock_id, row.reason))
    return path


def _number_of_org(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_ORGS:
        raise ValueError(text)
    return number


def main() -> None:
    """Write the files that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write an input file for each org.")
    parser.add_argument("folder", type=Path, help="where the files are written")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--orgs", type=_number_of_org, help="the number of orgs, as of `simulate`")
    which.add_argument("--org", type=_number_of_org, help="the number of the only org to write")
    parser.add_argument("--rows", type=int, default=400, help="the rows of each file")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    numbers = [arguments.org] if arguments.org else range(1, arguments.orgs + 1)
    # A stand-in of one org takes the ids of any org.
    for number in numbers:
        write_org_file(arguments.folder, Identity(number, is_only=False), arguments.rows)


if __name__ == "__main__":
    main()
