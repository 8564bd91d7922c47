"""Where the page refuses to start."""

from pathlib import Path
from urllib.parse import urlsplit

from support.commands import RunCommand
from support.page_server import PageServer
from support.visitor import write_config


def test_other_machines_can_reach_it_only_with_passwords(run_in_process: RunCommand) -> None:
    completed = run_in_process("serve", "--simulate", "--host", "0.0.0.0", "--port", 0)
    assert completed.code == 2
    assert "--add-user" in completed.err


def test_a_port_in_use_is_named(page: PageServer, run_in_process: RunCommand) -> None:
    write_config(Path.cwd())
    completed = run_in_process("serve", "--simulate", "--port", urlsplit(page.url).port)
    assert completed.code == 2
    assert "--port" in completed.err


def test_an_org_has_one_server_at_a_time(page: PageServer, run_in_process: RunCommand) -> None:
    completed = run_in_process("serve", "--simulate", "--port", 0, "--config", page.config)
    assert completed.code == 2
    assert "served already" in completed.err
