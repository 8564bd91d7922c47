"""docs/simulator.md shows the tables of magic values."""

import re

from support.paths import ROOT
from support.simulator_client import fixed_answer

from batchlock.simulator import MAGIC_MODULES, MAGIC_RECORDS, MAGIC_SIGN_INS, Behaviour, Fault

DOCS = ROOT / "docs" / "simulator.md"


def test_the_documentation_shows_every_magic_record() -> None:
    documented = re.findall(r"^\| `(99\d+)` (\|.*\|)$", DOCS.read_text("utf-8"), re.MULTILINE)
    expected = []
    for magic in MAGIC_RECORDS:
        answer = fixed_answer(magic)
        status = str(answer.status) if answer else "-"
        code = f"`{answer.code}`" if answer and answer.code else "-"
        calls = "every call"
        if len(magic.calls) == 1:
            calls = f"{'the first' if magic.times else 'every'} {min(magic.calls).upper()}"
        cells = (calls, status, code, magic.meaning)
        expected.append((magic.record_id, f"| {' | '.join(cells)} |"))
    assert documented == expected


def test_the_documentation_shows_every_magic_module() -> None:
    text = DOCS.read_text("utf-8")
    section = text.partition("### Modules")[2].partition("###")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == [
        f"| `{magic.name}` | {magic.effect.status} | `{magic.effect.code}` | {magic.meaning} |"
        for magic in MAGIC_MODULES
    ]


def test_the_documentation_shows_every_magic_sign_in() -> None:
    expected = []
    for magic in MAGIC_SIGN_INS:
        answer, to_calls = "-", "-"
        if magic.answer:
            answer = f"`{magic.answer.code}`" if magic.answer.code else str(magic.answer.status)
        if magic.to_calls:
            to_calls = f"{magic.to_calls.status} `{magic.to_calls.code}`"
        cells = (f"`{magic.field}`", f"`{magic.value}`", answer, to_calls, magic.meaning)
        expected.append(f"| {' | '.join(cells)} |")
    text = DOCS.read_text("utf-8").partition("### Sign-in")[2].partition("## ")[0]
    assert [line for line in text.splitlines() if line.startswith("| `")] == expected


def test_the_documentation_shows_every_fault_and_field() -> None:
    text = DOCS.read_text("utf-8").partition("## Behaviour")[2]
    section = text.partition("\n## ")[0]
    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert documented == [*Behaviour.__dataclass_fields__, *Fault]


def test_magic_record_ids_are_unique_and_well_formed() -> None:
    ids = [magic.record_id for magic in MAGIC_RECORDS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"99000000000000\d{4}", id_) for id_ in ids)
