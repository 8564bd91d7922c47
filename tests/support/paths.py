"""Where the checkout and the test data are."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "data"

# One of no server, and without its key; for an environment that trusts nobody.
CERTIFICATE = DATA / "certificates" / "unused.pem"
