"""Where the page refuses to start."""

from pathlib import Path
from urllib.parse import urlsplit

from support.commands import Run
from support.page_server import PageServer
from support.visitor import write_config


def test_other_machines_can_reach_it_only_with_passwords(cli: Run) -> None:
    done = cli("serve", "--simulate", "--host", "0.0.0.0", "--port", 0)
    assert done.code == 2
    assert "--add-user" in done.err


def test_a_port_in_use_is_named(page: PageServer, cli: Run) -> None:
    write_config(Path.cwd())
    done = cli("serve", "--simulate", "--port", urlsplit(page.url).port)
    assert done.code == 2
    assert "--port" in done.err


def test_an_org_has_one_server_at_a_time(page: PageServer, cli: Run) -> None:
    done = cli("serve", "--simulate", "--port", 0, "--config", page.config)
    assert done.code == 2
    assert "served already" in done.err
