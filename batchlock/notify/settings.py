"""Settings of notices: where they go, and which ones."""

import base64
import binascii
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BeforeValidator, SecretStr

from batchlock.core.paths import UserPath
from batchlock.core.secret_source import read_secret
from batchlock.core.sizes import parse_size
from batchlock.zoho.network import is_this_machine

_SECRET_PREFIX = "whsec_"  # noqa: S105  how Standard Webhooks marks a secret in base64


class NoticeChoice(StrEnum):
    """Which notices become messages to people."""

    PERSON = "person"
    """Only those that a person has to act on."""
    FAILURE = "failure"
    """Those, and every end with an exit code other than 0."""
    ALWAYS = "always"
    """Every end."""


def check_notice_url(text: str) -> str:
    """Return the address of a ping or webhook.

    Raises ValueError, whose message does not contain `text`: such an address is a secret.
    """
    try:
        url = urlsplit(text)
        host = url.hostname or ""
        is_valid = bool(host) and url.port != 0 and not url.fragment
    except ValueError:
        is_valid = False
    if not is_valid or url.scheme not in ("http", "https"):
        raise ValueError(
            "it must be an address like https://hc-ping.com/your-uuid, and this is none"
        ) from None
    if url.scheme == "http" and not is_this_machine(host):
        raise ValueError(
            "the address must begin with https://, or others could read it on the way; http:// is "
            "possible for this machine only"
        )
    return text


def _check_secret_url(value: SecretStr) -> SecretStr:
    check_notice_url(value.get_secret_value().strip())
    return value


def signing_key(secret: str) -> bytes:
    """Return the bytes of a secret: base64 after `whsec_`, else the characters themselves.

    Raises ValueError for `whsec_` without base64 behind it.
    """
    if not secret.startswith(_SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("after whsec_ a secret is base64, and this is none") from None


def _check_signing_secret(value: SecretStr) -> SecretStr:
    signing_key(value.get_secret_value())
    return value


def _split_addresses(value: object) -> object:
    # Addresses of apprise hold commas, but no blanks.
    return value.split() if isinstance(value, str) else value


def _check_textfile(path: UserPath) -> UserPath:
    # The textfile collector of the node exporter reads no other files.
    if path.suffix != ".prom":
        raise ValueError("its name must end in .prom, or Prometheus does not read it")
    return path


SecretUrl = Annotated[SecretStr, AfterValidator(_check_secret_url)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Where notices go. In an address and in `textfile`, `{org}` stands for the name of the org."""

    ping_url: SecretUrl | None = None
    ping_url_file: UserPath | None = None
    ping_url_command: str | None = None
    # Addresses of apprise; they hold tokens and passwords.
    messages: Annotated[tuple[SecretStr, ...], BeforeValidator(_split_addresses)] = ()
    messages_file: UserPath | None = None
    messages_command: str | None = None
    when: NoticeChoice = NoticeChoice.PERSON
    attach_results: bool = True
    # Bytes of all attachments of one message: mail servers mostly take 10 to 25 MB, and base64
    # adds a third.
    max_attachment: Annotated[int, BeforeValidator(parse_size), Ge(1)] = 5 * 2**20
    # It is a secret as a whole: the addresses of many services hold a token.
    webhook: SecretUrl | None = None
    webhook_file: UserPath | None = None
    webhook_command: str | None = None
    webhook_secret: Annotated[SecretStr, AfterValidator(_check_signing_secret)] | None = None
    webhook_secret_file: UserPath | None = None
    webhook_secret_command: str | None = None
    textfile: Annotated[UserPath, AfterValidator(_check_textfile)] | None = None
    # Seconds of one attempt. There are two at most, so a command ends within about three times
    # this time after its results, however its notices fare.
    timeout: Annotated[float, Gt(0), Le(60)] = 5.0

    @property
    def is_empty(self) -> bool:
        """Whether no notice goes anywhere."""
        return not (
            any(self._is_set(name) for name in ("ping_url", "messages", "webhook")) or self.textfile
        )

    def secret(self, name: str) -> str | None:
        """Return the value of a secret, of all addresses for `messages`; None when it is not set.

        `name` is that of the setting without its way. Raises UsageError when it cannot be read.
        """
        value: SecretStr | tuple[SecretStr, ...] | None = getattr(self, name)
        if isinstance(value, tuple):
            text = " ".join(address.get_secret_value() for address in value) or None
        else:
            text = None if value is None else value.get_secret_value()
        return read_secret(
            f"notify.{name}",
            value=text,
            file=getattr(self, f"{name}_file"),
            command=getattr(self, f"{name}_command"),
        )

    def _is_set(self, name: str) -> bool:
        """Return whether a secret is set in any of its three ways."""
        return any(getattr(self, f"{name}{suffix}") for suffix in ("", "_file", "_command"))
