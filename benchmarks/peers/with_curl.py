"""Write the configuration for `curl --parallel --config`: FILE CONFIG URL."""

import csv
import json
import sys
from pathlib import Path


def main(file: str, config: str, url: str) -> None:
    """Write one transfer for each row."""
    with Path(file).open(newline="") as source, Path(config).open("w") as target:
        rows = csv.reader(source)
        next(rows)
        for number, (module, record, lock, reason) in enumerate(rows):
            if number:
                target.write("next\n")
            # Twice: a quoted value in curl's configuration has the escapes of JSON.
            body = json.dumps(json.dumps({"data": [{"Locked_Reason__s": reason}]}))
            path = f"/crm/v7/{module}/{record}/Locking_Information__s/{lock}"
            target.write(
                f'url = "{url}{path}"\nrequest = PUT\ndata = {body}\noutput = /dev/null\n'
                'header = "Authorization: Zoho-oauthtoken x"\n'
                'header = "Content-Type: application/json"\n'
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
