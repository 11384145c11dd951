"""Test the check of branch coverage."""

import json

import pytest

from tests.branches import main


@pytest.mark.parametrize(
    ("covered", "said", "wrong"),
    [
        (2700, "90.00 % of 3000 branches are covered.\n", None),
        (2699, "89.97 % of 3000 branches are covered.\n", "At least 90 % must be."),
    ],
)
def test_lines_that_are_covered_do_not_help_branches_that_are_not(
    covered, said, wrong, tmp_path, capsys
):
    totals = {"percent_covered": 99.0, "covered_branches": covered, "num_branches": 3000}
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"totals": totals}))
    assert main(report) == wrong
    assert capsys.readouterr().out == said
