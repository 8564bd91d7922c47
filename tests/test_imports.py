import ast
import functools
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.paths import ROOT

PACKAGE = ROOT / "batchlock"
LAYERS = (
    {"core"},
    {"config", "zoho", "store"},
    {"plan", "send", "report"},
    {"confirming", "notify", "org_settings", "new_orgs", "plan_file", "new_sign_in"},
    {"plan_format", "results_input"},
    {"start", "execute"},
    {"planning", "find", "stored_runs", "org_sign_in"},
    {"sign_in_status", "sign_in_storage"},
    {"sign_out"},
    {"engine"},
    {"inboxes"},
    {"fleet"},
    {"doctor"},
    {"web", "cli", "api_call", "api", "__main__"},
    {"__init__"},  # names the functions of `api`
)
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts}
SIDEWAYS = {
    ("config", "zoho"),  # builds the settings of the connection
    ("cli", "web"),  # `batchlock serve` starts the page
    ("__main__", "cli"),
    ("api", "cli"),  # the filters of `locks`
    ("api", "api_call"),
    ("api_call", "cli"),  # the progress bar
}
"""The imports within one layer, which are allowed in this direction only."""
HEAVY = {"pandas", "numpy", "aiohttp", "openpyxl", "python_calamine", "xlsxwriter", "pydantic",
         "tqdm", "ruamel", "asyncio", "uvloop", "sqlalchemy", "alembic",
         "psycopg", "procrastinate", "cryptography", "babel", "prometheus_client",
         "apprise", "joserfc"}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One import of a part of the package."""

    file: str
    line: int
    importer: str
    imported: str
    name: str
    for_types_only: bool
    at_once: bool
    """True when the import runs as the module is loaded, not when a function is called."""


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def names_of(node: ast.AST, package: str) -> Iterator[str]:
    """Yield the dotted names that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        yield from (f"{base}.{one.name}" for one in node.names)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports_of(path: Path) -> list[Import]:
    """Return every import of our own parts in a module, inside functions too."""
    relative = path.relative_to(PACKAGE.parent)
    package = ".".join(relative.parts[:-1])
    imports: list[Import] = []

    def walk(node: ast.AST, *, types: bool, at_once: bool) -> None:
        for name in names_of(node, package):
            root, _, inside = name.partition(".")
            # `import batchlock` alone names none of the parts.
            if root == "batchlock" and inside not in ("", "__version__"):
                part = inside.split(".")[0]
                line: int = getattr(node, "lineno", 0)
                imports.append(
                    Import(str(relative), line, part_of(path), part, name, types, at_once)
                )
        for child in ast.iter_child_nodes(node):
            walk(
                child,
                types=types or is_for_types(node),
                at_once=at_once and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef),
            )

    walk(ast.parse(path.read_text("utf-8")), types=False, at_once=True)
    return imports


MODULES = sorted(PACKAGE.rglob("*.py"))


@functools.cache
def all_imports() -> tuple[Import, ...]:
    """Return every import of another part; each worker collects this module, and few need them."""
    return tuple(
        one for path in MODULES for one in imports_of(path) if one.imported != one.importer
    )


def test_imports_inside_functions_are_seen_too() -> None:
    edges = {(one.importer, one.imported) for one in all_imports()}
    assert {("store", "core"), ("plan", "store"), ("engine", "zoho"), ("cli", "engine")} <= edges
    assert any(one.for_types_only for one in all_imports())
    assert any(not one.at_once for one in all_imports())


def test_every_folder_has_its_layer() -> None:
    parts = {part_of(path) for path in MODULES}
    assert parts == LAYER.keys() | {"simulator"}


def test_imports_go_down_only() -> None:
    wrong = [
        one
        for one in all_imports()
        if "simulator" not in (one.importer, one.imported)
        and LAYER[one.imported] >= LAYER[one.importer]
        and (one.importer, one.imported) not in SIDEWAYS
        and not (one.importer == "config" and "settings" in one.name.split("."))
    ]
    assert wrong == []


def test_the_simulator_imports_no_other_part() -> None:
    assert [one for one in all_imports() if one.importer == "simulator"] == []


def test_only_the_parts_that_start_the_simulator_import_it() -> None:
    importers = [one for one in all_imports() if one.imported == "simulator"]
    assert {one.importer for one in importers} == {"zoho", "cli"}
    assert not any(one.at_once for one in importers if one.importer == "zoho")


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that a fresh process has loaded after `code`."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    completed = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    return set(completed.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import batchlock.cli.commands",
        "from batchlock.cli import run_command; assert run_command(['--help']) == 0",
        "from batchlock.cli import run_command; assert run_command(['run', '--help']) == 0",
        "from batchlock.cli import run_command; assert run_command(['--version']) == 0",
    ],
)
def test_help_loads_no_heavy_module(code: str) -> None:
    loaded = loaded_by(code)
    assert "click" in loaded
    assert loaded & HEAVY == set()


def test_the_run_module_loads_no_spreadsheet_library() -> None:
    loaded = loaded_by("import batchlock.engine")
    assert loaded & {"pandas", "numpy", "openpyxl", "python_calamine"} == set()


def test_the_store_of_one_machine_loads_nothing_for_a_server(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
import sys
from batchlock.store.store import Store
from batchlock.core.runs import RunState
with Store(Path({str(tmp_path)!r})) as store:
    store.orgs.set_holder("a", "b")
    store.runs.in_state("a", RunState.RUNNING)
    with store.lock("a"):
        pass
assert "sqlalchemy.dialects.postgresql" not in sys.modules
"""
    loaded = loaded_by(code)
    assert "sqlalchemy" in loaded
    assert (
        loaded & {"psycopg", "procrastinate", "cryptography", "babel", "prometheus_client"} == set()
    )


def test_the_page_loads_the_library_of_openid_connect_only_for_a_sign_in() -> None:
    loaded = loaded_by("import batchlock.web.server")
    assert "aiohttp" in loaded
    assert loaded & {"joserfc", "cryptography"} == set()


def test_the_simulator_loads_no_other_part_of_the_package() -> None:
    ours = "(name for name in sys.modules if name.startswith('batchlock'))"
    script = f"import batchlock.simulator, sys\nprint(*{ours})"
    completed = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    parts = {one.split(".")[1] for one in completed.stdout.split() if "." in one}
    assert parts == {"simulator"}
