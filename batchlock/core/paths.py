"""Paths as people write them in the configuration."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def _expanded(path: Path) -> Path:
    if any(character < " " for character in str(path)):
        # YAML reads "C:\new" as a line break.
        raise ValueError(
            "it holds a line break or a tab, as a backslash between double quotation marks makes "
            "them; put the path between single quotation marks"
        )
    try:
        return path.expanduser()
    except RuntimeError:  # `~nobody`, or a service without HOME
        raise ValueError(
            f"the home folder of {path.parts[0]} is not known; write the path in full"
        ) from None


UserPath = Annotated[Path, AfterValidator(_expanded)]
"""A path of the settings, in which `~` stands for the home folder."""
