"""Let a hundred nights pass, and compare what each has left with the record of the stand-in.

    python -m benchmarks.nights --nights 100

Each night is a process of `batchlock inbox` whose clock shows another day. The plan is drawn from
`--seed`. The exit code is 1 when a row was lost, sent twice or reported wrongly, a file is not
where it should be, an exit code is wrong, or a notice does not say what has happened.
"""

import argparse
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import budgets
from benchmarks.__main__ import load
from benchmarks.nights import disturbed, guarded, machine
from benchmarks.nights.checks import FaultKind, Night
from benchmarks.nights.installation import Installation
from benchmarks.nights.notice_server import notice_server
from benchmarks.nights.process import enter_namespace, preload
from benchmarks.nights.stand_in import zoho_orgs
from benchmarks.nights.tcp_proxy import tcp_proxies
from benchmarks.rows import log

_KINDS = {**guarded.KINDS, **disturbed.KINDS, **machine.KINDS}
# A sign-in gets ten access tokens in ten minutes, and needs one each night.
_NIGHTS_OF_AN_ORG = 7
_TITLES = ("night", "count", "exit codes", "files went to", "the notice said", "lost", "twice",
           "untrue", "otherwise wrong")  # fmt: skip


def main() -> int:
    """Run the command."""
    arguments = _arguments()
    kinds = arguments.only or [*_KINDS]
    if not enter_namespace():
        log("Nothing can be mounted here, so no disk is full in any night.")
        kinds = [kind for kind in kinds if kind not in machine.NEED_MOUNTS]
    plan = _plan(arguments.nights, kinds, arguments.seed)
    print(load(), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="nights-", dir=arguments.folder))
    nights: list[Night] = []
    try:
        preload()
        with (
            zoho_orgs(len(plan)) as orgs,
            tcp_proxies(orgs[0].url, len(plan)) as proxies,
            notice_server() as notices,
        ):
            installations = [
                Installation(
                    zoho,
                    folder / f"org-{zoho.number:03}",
                    proxy,
                    notices,
                    random.Random(f"{arguments.seed} {zoho.number}"),  # noqa: S311  no secret
                    (arguments.rows, 2 * arguments.rows),
                )
                for zoho, proxy in zip(orgs, proxies, strict=True)
            ]
            with ThreadPoolExecutor(arguments.at_once) as pool:
                passed = pool.map(_let_pass, installations, plan)
                for one, error in zip(installations, passed, strict=True):
                    nights += one.nights
                    if error:
                        log(error)
                        nights.append(Night(one.name, "the benchmark itself", 1))
                        nights[-1].add(FaultKind.CODE, error)
    finally:
        if arguments.keep:
            log(f"Everything is in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(budgets.table(_TITLES, [*_lines(nights)]))
    faults = [(night, *one) for night in nights for one in night.faults]
    for night, what, text in faults:
        print(f"{night.org}, {night.kind}: {what}: {text}")
    print(load())
    return 1 if faults else 0


def _plan(nights: int, kinds: list[str], seed: int) -> list[list[str]]:
    """Return the kinds of each org: all kinds as often, in a random order."""
    draw = random.Random(seed)  # noqa: S311  no secret
    orgs: list[list[str]] = [[]]
    size = total = 0
    while total < nights:
        for kind in draw.sample(kinds, len(kinds)):
            if total >= nights:
                break
            if size + _LENGTHS.get(kind, 1) > _NIGHTS_OF_AN_ORG:
                orgs.append([])
                size = 0
            orgs[-1].append(kind)
            size += _LENGTHS.get(kind, 1)
            total += _LENGTHS.get(kind, 1)
    return orgs


_LENGTHS = {
    **dict.fromkeys(
        ("same", "org", "sandbox", "unlock", "unreadable", "grows", "away", "window", "until",
         "failing", "credits", "signal", "scope", "two", "folders", "state-full", "inbox-full"), 2
    ),
    "reboot": 2,
    "revoked": 3,
    "setup": 4,
}  # fmt: skip
"""The fewest nights of a kind that has more than one."""


def _let_pass(one: Installation, kinds: list[str]) -> str:
    """Let the nights of an org pass; return the error of the benchmark, if there was one."""
    for kind in kinds:
        log(f"{one.name}: {kind}")
        try:
            _KINDS[kind](one)
        except Exception:
            return f"{one.name}, {kind}: {traceback.format_exc()}"
    return ""


def _lines(nights: list[Night]) -> list[tuple[str, ...]]:
    by_kind: dict[str, list[Night]] = {}
    for night in nights:
        by_kind.setdefault(night.kind, []).append(night)
    return [
        *(_line(kind, by_kind[kind]) for kind in sorted(by_kind)),
        _line("all", nights, is_total=True),
    ]


def _line(kind: str, nights: list[Night], *, is_total: bool = False) -> tuple[str, ...]:
    codes = Counter(night.code for night in nights)
    places_of_files: Counter[str] = Counter()
    for night in nights:
        places_of_files += night.places_of_files
    faults = Counter(what for night in nights for what, _ in night.faults)
    notice_line = Counter(night.notice_line for night in nights).most_common(1)[0][0]
    others = (
        faults.total() - faults[FaultKind.LOST] - faults[FaultKind.TWICE] - faults[FaultKind.UNTRUE]
    )
    return (
        kind,
        str(len(nights)),
        ", ".join(f"{code}" if n == len(nights) else f"{code} ({n})"
                  for code, n in sorted(codes.items())),
        ", ".join(f"{place} {places_of_files[place]}" for place in sorted(places_of_files)),
        "" if is_total else notice_line,
        str(faults[FaultKind.LOST]),
        str(faults[FaultKind.TWICE]),
        str(faults[FaultKind.UNTRUE]),
        str(others),
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nights", description=__doc__)
    parser.add_argument("--nights", type=int, default=100, help="at least so many (%(default)s)")
    parser.add_argument(
        "--only", nargs="+", choices=tuple(_KINDS), metavar="KIND",
        help=f"some of {', '.join(_KINDS)}",
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=int, default=20, help="the fewest of a file; the most are twice as many"
    )
    parser.add_argument("--seed", type=int, default=1, help="%(default)s")
    parser.add_argument(
        "--at-once", type=int, default=3, help="orgs whose nights pass at the same time"
    )
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    parser.add_argument("--keep", action="store_true", help="keep the files and the logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
