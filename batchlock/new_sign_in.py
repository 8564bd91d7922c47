"""A sign-in that was just obtained, and is not stored yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from batchlock.config import Settings, replaced
from batchlock.zoho.settings import SECRET_WAYS, SECRETS, Grant

_NO_WAYS = {f"{name}_{way}": None for name in SECRETS for way in SECRET_WAYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSignIn:
    """A sign-in, and what was found out on the way to it."""

    grant: Grant
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr = field(default_factory=lambda: SecretStr(""))
    """Empty for client credentials."""
    has_client_of_settings: bool = False
    """Whether client id and secret are those of the settings, so that they are stored already."""
    is_token_new: bool = False
    """Whether Zoho has just made the refresh token, so that nobody else can use it."""
    values: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """Settings that belong to it, by path: data centre, environment, number of the org."""

    @property
    def secrets(self) -> dict[str, SecretStr]:
        """The secrets that the grant needs, by field."""
        every = {
            "client_id": SecretStr(self.client_id),
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
        }
        return {name: every[name] for name in self.grant.secrets}

    def applied_to(self, settings: Settings) -> Settings:
        """Return settings with this sign-in in the place of theirs. Raises UsageError."""
        changed = replaced(settings, self.values, source=".".join)
        zoho = replace(
            changed.zoho,
            **_NO_WAYS,  # type: ignore[arg-type]  # names of fields
            grant=self.grant,
            client_id=self.client_id,
            client_secret=self.client_secret,
            refresh_token=self.refresh_token if self.grant is Grant.REFRESH_TOKEN else None,
        )
        return replace(changed, zoho=zoho)
