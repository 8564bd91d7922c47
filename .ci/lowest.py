"""Print constraints that pin every dependency to its lowest version that pyproject.toml allows.

`python .ci/lowest.py > lowest.txt && pip install -c lowest.txt '.[dev]'` makes an environment that
shows whether the lower bounds are true.
"""

import re
import tomllib
from pathlib import Path

_LOWER_BOUND = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)(?:; *(.+))?")


def constraints(pyproject: str) -> list[str]:
    """Return one constraint for each requirement with a lower bound, extras included."""
    project = tomllib.loads(pyproject)["project"]
    requirements = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        requirements += extra
    bounds = [match for text in requirements if (match := _LOWER_BOUND.fullmatch(text.strip()))]
    return [
        f"{name}=={version}" + (f"; {marker}" if marker else "")
        for name, version, marker in (match.groups() for match in bounds)
    ]


if __name__ == "__main__":
    pyproject_file = Path(__file__).parent.parent / "pyproject.toml"
    print("\n".join(constraints(pyproject_file.read_text("utf-8"))))
