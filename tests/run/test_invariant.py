import random
from pathlib import Path

from support.commands import RunCommand
from support.sheets import TITLES, balanced, lines, lock, record, sheet
from support.zoho import Start

# Enough for each fault to happen 10 times and more.
ROWS = 2_000
FAULTS = (
    "server_error=0.05",
    "bad_gateway=0.03",
    "proxy_page=0.02",
    "throttled=0.005",
    "dropped_before=0.03",
    "dropped_after=0.03",
    "cut_body=0.02",
    "cut_connection=0.015",
)
MAGIC = ("990000000000000101", "990000000000000105", "990000000000000201", "990000000000000205")


def test_every_row_has_one_true_line_at_an_org_with_many_faults(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    options = [word for fault in FAULTS for word in ("--faults", fault)]
    zoho = stand_in("--seed", 7, *options)
    zoho.config(retry={"attempts": 3, "first_wait": 0.01, "longest_wait": 0.1})
    rng = random.Random(5)
    content: list[tuple[str, str, str, str]] = []
    for number in range(1, ROWS + 1):
        row = ("Leads", record(number), lock(number), f"reason {number}")
        match rng.randrange(40):
            case 0 if content:
                row = rng.choice(content)
            case 1:
                row = ("Leads", record(number), lock(number), "")
            case 2:
                row = ("Leads", record(number), "", f"reason {number}")
            case 3:
                row = ("", "", "", "")
        content.append(row)
    for number, record_id in enumerate(MAGIC, 1):
        content[number * 50] = ("Leads", record_id, lock(ROWS + number), "why")
    file = sheet("in.csv", content)
    completed = run_in_process("run", file, "--json", "--in-flight", 20)
    output = completed.json
    result_lines = lines(output["output"])
    counts = balanced(output)
    expected = [(row, cells) for row, cells in enumerate(content, 2) if any(cells)]
    assert completed.code == output["exit_code"] == 3
    assert [line["Source row"] for line in result_lines] == [row for row, _ in expected]
    assert [tuple(line[title] or "" for title in TITLES) for line in result_lines] == [
        cells for _, cells in expected
    ]
    results = [line["Result"] for line in result_lines]
    assert {result: results.count(result) for result in counts} == counts
    assert set(results) == {"updated", "rejected", "failed", "invalid", "duplicate"}
    locks = zoho.locks()
    for line in result_lines:
        if line["Result"] == "updated":
            applied = locks[f"Leads/{line['Record Id']}"]
            assert applied["reason"] == line["Reason"]
            assert applied["lock_id"] == line["Lock Id"] or line["Lock Id"] is None
        elif line["Result"] in ("rejected", "invalid"):
            assert f"Leads/{line['Record Id']}" not in locks
    assert zoho.state()["token_requests"] == 1
    assert zoho.state()["in_flight_peak"] <= 20
    assert Path(output["output"]).exists()
