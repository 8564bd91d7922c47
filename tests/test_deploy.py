"""The files in deploy/: their formats, and that batchlock knows what they name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

from batchlock import config
from batchlock.cli.commands import commands

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TIMEOUT = config.Settings().retry.timeout


def documents(path: Path) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all(path))


def containers() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield the name, the arguments and the settings of each container and unit."""
    for path in MANIFESTS:
        for document in documents(path):
            for container in (
                document["spec"].get("template", {}).get("spec", {}).get("containers", [])
            ):
                settings = {one["name"]: one["value"] for one in container["env"]}
                yield f"{path.name}: {container['name']}", container["args"], settings
    (compose,) = documents(DEPLOY / "compose.yaml")
    for name, service in compose["services"].items():
        if service["image"] == "batchlock":
            yield f"compose.yaml: {name}", service["command"], service["environment"]
    for path in UNITS:
        text = path.read_text("utf-8")
        settings = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
        settings = {
            name: value.replace("%i", "9101").replace("%d", "/run").replace("%S", "/var/lib")
            for name, value in settings.items()
        }
        (command,) = re.findall(r"^ExecStart=\S+ (.*)$", text, re.MULTILINE)
        yield path.name, command.split(), settings


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
    # The files that hold secrets are not here.
    here = {}
    for key, value in settings.items():
        if key.endswith("_FILE"):
            file = tmp_path / key
            file.write_text("postgresql://host/name")
            value = str(file)
        here[key] = value
    loaded = config.load(environment=here)
    assert loaded.database_url == "postgresql://host/name"
    words = [word for word in arguments if not word.startswith("-")]
    command: click.Command = commands
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    options = {text for option in command.params for text in option.opts}
    assert {word for word in arguments if word.startswith("-")} <= options


def test_what_ends_a_worker_waits_for_its_calls() -> None:
    (compose,) = documents(DEPLOY / "compose.yaml")
    graces = [float(compose["services"]["worker"]["stop_grace_period"].removesuffix("s"))]
    (worker,) = documents(DEPLOY / "kubernetes" / "worker.yaml")
    graces.append(worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])
    for path in UNITS:
        (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", path.read_text("utf-8"), re.MULTILINE)
        graces.append(float(seconds))
    assert len(graces) == 4
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
