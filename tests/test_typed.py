"""The limit for Any."""

import pytest

from tests.typed import main

REPORT = """\
     Name   Anys   Exprs   Coverage
-----------------------------------
 finance      {anys}    1000     96.00%
-----------------------------------
    Total     {anys}    1000     96.00%
"""


@pytest.mark.parametrize(
    ("anys", "printed", "wrong"),
    [
        (39, "3.90 % of 1000 expressions are Any.\n", None),
        (
            40,
            "4.00 % of 1000 expressions are Any.\n",
            "Less than 4 % may be. The report has every module's.",
        ),
    ],
)
def test_the_share_of_any_stays_below_the_limit(anys, printed, wrong, tmp_path, capsys):
    (tmp_path / "any-exprs.txt").write_text(REPORT.format(anys=anys))
    assert main(tmp_path) == wrong
    assert capsys.readouterr().out == printed
