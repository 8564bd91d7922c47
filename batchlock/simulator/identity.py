"""What tells the orgs of one stand-in apart: the number, the sign-in, and the first digits of ids.

Org 17 has the client id `client-017`, the secret `secret-017` and the refresh token `refresh-017`;
the ids of its records begin with 9900017, and its access tokens with 1000.00000011. Nothing here is
secret: other processes derive the same values.
"""

from dataclasses import dataclass

MOST_ORGS = 999
"""Three digits of an id hold the number of the org."""
_SCHEME = "zoho-oauthtoken "
_TOKEN_START = len("1000.")
_NUMBER_DIGITS = 8
# Ids of 18 digits that begin with 9900, as no id of a real org does; then three digits for the org.
_RECORD_START = "9900"
_ID_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of an org."""

    number: int = 1
    """From 1 to MOST_ORGS."""
    is_only: bool = True
    """Whether the stand-in has no other org: it then takes every sign-in and every record id."""

    @property
    def label(self) -> str:
        """The number with three digits, such as `017`."""
        return f"{self.number:03d}"

    @property
    def client_id(self) -> str:
        """The client id of the org."""
        return f"client-{self.label}"

    @property
    def client_secret(self) -> str:
        """The client secret of the org."""
        return f"secret-{self.label}"

    @property
    def refresh_token(self) -> str:
        """The refresh token of the org."""
        return f"refresh-{self.label}"

    @property
    def offset(self) -> int:
        """What is added to the organization id, and to the seed; 0 for an only org."""
        return 0 if self.is_only else self.number

    @property
    def id_start(self) -> str:
        """The first seven digits of the ids of the org's records and new locks."""
        return f"{_RECORD_START}{self.offset:03d}"

    @property
    def token_digits(self) -> str:
        """The hexadecimal digits after `1000.` with which the org's access tokens begin."""
        return f"{self.number:0{_NUMBER_DIGITS}x}"

    def make_id(self, number: int) -> str:
        """Return an id of this org that ends with a number."""
        return f"{self.id_start}{number:0{_ID_DIGITS - len(self.id_start)}d}"

    def knows(self, record_id: str) -> bool:
        """Return False for the id of a record of another org of the stand-in.

        Every org knows ids of other shapes: those of a real org, and the magic record ids.
        """
        is_numbered = len(record_id) == _ID_DIGITS and record_id.startswith(_RECORD_START)
        if self.is_only or not is_numbered:
            return True
        start = record_id[: len(self.id_start)]
        return start in (self.id_start, f"{_RECORD_START}000")


def token_of(authorization: str | None) -> str:
    """Return the access token in an Authorization header; empty if it has none."""
    header = authorization or ""
    # In lower case: the name of an authentication scheme is case-insensitive (RFC 9110, 11.1).
    return header[len(_SCHEME) :] if header[: len(_SCHEME)].lower() == _SCHEME else ""


def token_digits_of(token: str) -> str:
    """Return the digits of an access token that name its org."""
    return token[_TOKEN_START : _TOKEN_START + _NUMBER_DIGITS]
