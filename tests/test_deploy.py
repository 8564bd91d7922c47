"""The files in deploy/: their formats, and that batchlock knows what they name."""

import ast
import configparser
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import xmlschema
from ruamel.yaml import YAML
from support.paths import ROOT
from support.readme import commands_in, find_command

from batchlock import config

DEPLOY = ROOT / "deploy"
NIGHT = DEPLOY / "night"
MANIFESTS = [*sorted((DEPLOY / "kubernetes").glob("*.yaml")), NIGHT / "cronjob.yaml"]
UNITS = [*sorted((DEPLOY / "systemd").glob("*.service")), NIGHT / "batchlock-night.service"]
COMPOSE_FILES = (DEPLOY / "compose.yaml", NIGHT / "compose.yaml")
TASK = NIGHT / "batchlock-night.xml"
CRONTAB = NIGHT / "batchlock.crontab"
TIMEOUT = config.Settings().retry.timeout


def documents(path: Path) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all(path))


def containers() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield the name, the arguments and the settings of each container, unit and job."""
    for path in MANIFESTS:
        for document in documents(path):
            specification = document["spec"].get("jobTemplate", document)["spec"]
            for container in (
                specification.get("template", {}).get("spec", {}).get("containers", [])
            ):
                settings = {one["name"]: one["value"] for one in container["env"]}
                yield f"{path.name}: {container['name']}", container["args"], settings
    for path in COMPOSE_FILES:
        (compose,) = documents(path)
        for name, service in compose["services"].items():
            if service["image"].startswith("batchlock"):
                title = f"{path.parent.name}/{path.name}: {name}"
                yield title, service["command"], service["environment"]
    for path in UNITS:
        text = path.read_text("utf-8")
        settings = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
        settings = {
            name: value.replace("%i", "9101").replace("%d", "/run").replace("%S", "/var/lib")
            for name, value in settings.items()
        }
        (command,) = re.findall(r"^ExecStart=\S+ (.*)$", text, re.MULTILINE)
        yield path.name, command.split(), settings
    crontab = CRONTAB.read_text("utf-8")
    settings = dict(re.findall(r"^(BATCHLOCK_\w+)=(.*)$", crontab, re.MULTILINE))
    (command,) = re.findall(r"^\d.* batchlock +\S+/batchlock (.*)$", crontab, re.MULTILINE)
    yield CRONTAB.name, shlex.split(command), settings
    arguments = re.search(r"<Arguments>(.*)</Arguments>", TASK.read_text("utf-8"))
    assert arguments is not None
    yield TASK.name, arguments[1].split(), {}
    image = (NIGHT / "Containerfile").read_text("utf-8")
    (words,) = re.findall(r"^CMD (.*)$", image, re.MULTILINE)
    yield "night/Containerfile", ast.literal_eval(words), {}


CONTAINERS = list(containers())
IDS = [name for name, *_ in CONTAINERS]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_the_manifests_have_the_form_of_kubernetes(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize(("name", "arguments", "settings"), CONTAINERS, ids=IDS)
def test_batchlock_knows_commands_and_settings(
    name: str, arguments: list[str], settings: dict[str, str], tmp_path: Path
) -> None:
    # The files that hold secrets and the configuration are not here.
    here = {}
    for key, value in settings.items():
        if key.endswith(("_FILE", "_CONFIG")):
            file = tmp_path / key
            file.write_text("" if key.endswith("_CONFIG") else "postgresql://host/name")
            value = str(file)
        here[key] = value
    loaded = config.load(environment=here)
    expected = "postgresql://host/name" if "BATCHLOCK_DATABASE_FILE" in settings else None
    assert loaded.database_url == expected
    command = find_command(arguments)
    options = {text for option in command.params for text in option.opts}
    assert {word for word in arguments if word.startswith("-")} <= options
    assert not isinstance(command, click.Group)


def test_what_ends_a_worker_waits_for_its_calls() -> None:
    (compose,) = documents(DEPLOY / "compose.yaml")
    graces = [float(compose["services"]["worker"]["stop_grace_period"].removesuffix("s"))]
    (night,) = documents(NIGHT / "compose.yaml")
    graces.append(float(night["services"]["night"]["stop_grace_period"].removesuffix("s")))
    (worker,) = documents(DEPLOY / "kubernetes" / "worker.yaml")
    graces.append(worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])
    job = documents(NIGHT / "cronjob.yaml")[0]["spec"]["jobTemplate"]["spec"]
    graces.append(job["template"]["spec"]["terminationGracePeriodSeconds"])
    for path in UNITS:
        (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", path.read_text("utf-8"), re.MULTILINE)
        graces.append(float(seconds))
    assert len(graces) == 7
    assert min(graces) > TIMEOUT


def test_the_probes_ask_the_ports_that_are_there() -> None:
    for path, port in (("worker.yaml", 9100), ("page.yaml", 8765)):
        container = documents(DEPLOY / "kubernetes" / path)[0]["spec"]["template"]["spec"][
            "containers"
        ][0]
        there = container["ports"][0]
        assert there["containerPort"] == port
        probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness")}
        assert {probe["port"] for probe in probes.values()} == {there["name"]}
        assert [probes[name]["path"] for name in ("liveness", "readiness")] == [
            "/healthz",
            "/readyz",
        ]


def test_the_task_of_windows_has_the_form_of_its_scheduler() -> None:
    schema = xmlschema.XMLSchema(ROOT / "tests" / "data" / "windows" / "task.xsd")
    schema.validate(TASK)
    # Without a declaration it can be read as a file and as a text, which is UTF-16 in PowerShell.
    assert TASK.read_text("ascii").startswith("<Task ")
    wrong = TASK.read_text("ascii").replace("IgnoreNew", "Ignore")
    assert not schema.is_valid(wrong)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units_and_finds_them_closed(tmp_path: Path) -> None:
    units = []
    for path in (*UNITS, NIGHT / "batchlock-night.timer"):
        # The program need not be installed where the tests run.
        text = path.read_text("utf-8").replace("/opt/batchlock/bin/batchlock", sys.executable)
        units.append(tmp_path / path.name.replace("@", "@9101"))
        units[-1].write_text(text, "utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    # In tenths; systemd 252 says 1.2 of each, and each version looks at more.
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20"]
    for unit in units[:-1]:
        secure = subprocess.run(
            [*command, str(unit)], capture_output=True, encoding="utf-8", check=False
        )
        assert secure.returncode == 0, secure.stdout[-200:] + secure.stderr


def test_the_jobs_at_night_start_and_end_at_the_same_times() -> None:
    timer = configparser.ConfigParser()
    timer.read(NIGHT / "batchlock-night.timer", "utf-8")
    assert timer["Timer"]["OnCalendar"] == "Mon..Fri 22:30"
    assert "30 22 * * 1-5  batchlock" in CRONTAB.read_text("utf-8")
    assert documents(NIGHT / "cronjob.yaml")[0]["spec"]["schedule"] == "30 22 * * 1-5"
    assert 'schedule="30 22 * * 1-5"' in (NIGHT / "airflow_dag.py").read_text("utf-8")
    start = re.search(r"<StartBoundary>(.*)</StartBoundary>", TASK.read_text("utf-8"))
    assert start is not None
    assert f"{datetime.fromisoformat(start[1]):%H:%M %a}" == "22:30 Mon"
    nights = [arguments for _, arguments, _ in CONTAINERS if arguments[0] == "inbox"]
    assert len(nights) == 6
    assert {arguments[arguments.index("--until") + 1] for arguments in nights} == {"06:00"}


def test_the_function_of_the_dag_sends_a_file_without_airflow(samples_copy: Path) -> None:
    # The whole file needs Airflow, which has more packages than all the rest of the tests.
    tree = ast.parse((NIGHT / "airflow_dag.py").read_text("utf-8"))
    (function,) = (
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "send_file"
    )
    names: dict[str, Any] = {"Any": Any}
    exec(compile(ast.Module([function], []), "airflow_dag.py", "exec"), names)
    done = names["send_file"]("samples/lock_updates.csv", simulate=True)
    assert done["counts"]["updated"] == 200
    assert Path(done["output"]).is_file()
    with pytest.raises(RuntimeError, match="invalid"):
        names["send_file"]("samples/problem_rows.csv", simulate=True)


@pytest.mark.parametrize(
    "path",
    [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda path: path.name,
)
def test_every_command_in_the_documents_exists(path: Path) -> None:
    for words in commands_in(path.read_text("utf-8")):
        command = find_command(words)
        options = {text for option in command.params for text in option.opts} | {"--help"}
        unknown = {
            word.partition("=")[0]
            for word in words
            if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options
        }
        assert unknown == set(), words
