"""Test that an export has groups of shares whole, and that they come back as they were."""

import csv
import io
import zipfile
from datetime import date
from decimal import Decimal as D
from operator import itemgetter

import pytest
from django.core.management import CommandError, call_command

from integrations.exports.transactions import export_transactions
from integrations.exports.writing import write_export
from marketdata.tests.factories import instrument
from portfolios import services
from portfolios.models import Holding, Portfolio, Transaction, TransactionGroup
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
JANUARY, JUNE = date(2024, 1, 8), date(2024, 6, 3)


@pytest.fixture
def moved(user, portfolio):
    """Shares with a spin-off, of which some moved into another portfolio."""
    x, y = instrument("X.DEMO", currency="NOK"), instrument("Y.DEMO", currency="NOK")
    other = services.create_portfolio(user=user, name="Other", currency="NOK")
    held = trade(portfolio, x, "buy", "3", "100", on=JANUARY).holding
    held = Holding.objects.select_related("portfolio", "stock").get(pk=held.pk)
    target = services.NewTarget(y, D(7), cost_share=D("0.333333333333333"))
    action = services.Action(
        kind="spin_off",
        holding=held,
        date=JUNE,
        targets=[target],
        cash=services.Cash("NOK", D("12.5"), cost_share=D("0.1")),
    )
    services.record_share_group(
        kind="spin_off", legs=services.action_legs(action), date=JUNE, label="Fjord splits"
    )
    legs = services.transfer_of_shares(
        holding=held, to_portfolio=other, quantity=D(1), date=date(2024, 6, 4)
    )
    services.record_share_group(kind="transfer", legs=legs, date=date(2024, 6, 4))
    return portfolio


@pytest.fixture
def export(moved, user, tmp_path):
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        write_export(user=user, file=file)
    return path


def stored():
    rows = Transaction.objects.order_by("portfolio__name", "sequence")
    holdings = Holding.objects.order_by("portfolio__name", "stock__ticker")
    return (
        list(
            rows.values_list(
                "type", "quantity", "price", "cost_share", "takes_all", "stood_as", "carried"
            )
        ),
        list(holdings.values_list("stock__ticker", "current_quantity", "cost_basis")),
        list(TransactionGroup.objects.order_by("kind").values_list("kind", "label", "warnings")),
        list(Portfolio.objects.order_by("name").values_list("name", "is_linked")),
    )


def test_groups_of_shares_come_back_as_they_were(export, user):
    before = stored()
    assert before[3] == [("Nordic", True), ("Other", True)]
    for portfolio in user.portfolios.all():
        services.delete_portfolio(portfolio=portfolio)
    user.delete()
    call_command("import_data", str(export))
    assert stored() == before
    assert list(services.contradicted_chains()) == []


def test_a_file_whose_legs_carry_another_cost_is_refused(export, user, tmp_path):
    row = Transaction.objects.get(type="transfer_in")
    row.carried.lots[0] = row.carried.lots[0].__class__(JANUARY, D(1), D(1), D(1))
    row.save()
    path = tmp_path / "changed.zip"
    with path.open("wb") as file:
        write_export(user=user, file=file)
    with pytest.raises(CommandError, match="carries another cost than replayed"):
        call_command("import_data", str(path), "--user", "ola")


def test_the_table_of_transactions_has_actions_as_groups_and_transfers_as_plain_rows(moved, user):
    lines = list(csv.DictReader(io.StringIO("".join(export_transactions(user=user)))))
    columns = ("type", "ticker", "quantity", "price", "group_kind", "group_label", "cost_share")
    shown = sorted(map(itemgetter(*columns), lines))
    assert shown == [
        ("buy", "X.DEMO", "3", "100", "", "", ""),
        ("exchange_in", "Y.DEMO", "7", "14.2857142857143", "spin_off", "Fjord splits",
         "0.333333333333333"),
        ("exchange_out", "X.DEMO", "0", "", "spin_off", "Fjord splits", "0.1"),
        ("transfer_in", "X.DEMO", "1", "56.6666666666667", "", "", ""),
        ("transfer_out", "X.DEMO", "1", "", "", "", ""),
    ]  # fmt: skip


def test_the_files_say_what_groups_move(export):
    with zipfile.ZipFile(export) as archive:
        text = archive.read("transactions.csv").decode("utf-8-sig")
    rows = {row["type"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert rows["exchange_in"]["cost_share"] == "0.333333333333333"
    assert '"type":"in"' in rows["exchange_in"]["carried"]
