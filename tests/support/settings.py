"""Settings from the text of a configuration file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from batchlock.config import Settings, load
from batchlock.core.errors import UsageError

SECRET = "s3cr3t-that-nobody-may-see"


def settings_of(text: str, environment: Mapping[str, str] | None = None, **more: Any) -> Settings:
    """Load a file with this text."""
    file = Path("batchlock-settings.yaml")
    file.write_text(text, "utf-8")
    return load(file=file, environment=environment or {}, **more)


def problems_of(
    text: str = "", environment: Mapping[str, str] | None = None, **more: Any
) -> list[str]:
    with pytest.raises(UsageError) as error:
        settings_of(text, environment, **more)
    assert error.value.__cause__ is None
    assert SECRET not in repr(error.value)
    return str(error.value).splitlines()


def setting_at(settings: Settings, key: str) -> Any:
    value: Any = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value
