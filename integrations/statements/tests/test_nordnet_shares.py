"""Test what Nordnet's export says of shares that move without a plain trade, and other sites."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.test_nordnet import CHOICES, statement
from marketdata.tests.factories import with_rates
from portfolios.models import Holding, Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

FJORD = "Fjordlaks|NO0000000101"
BOUGHT = f"1|2025-01-14|2025-01-13|KJØPT|{FJORD}|100|200|0|-20 000|NOK|100|30 000|||"


def row_of(number, word, quantity, *, price="", amount="0", total="", what=FJORD):
    return f"{number}|2025-05-02|2025-05-02|{word}|{what}|{quantity}|{price}||{amount}||{total}||||"


def rows(kind):
    found = Transaction.objects.filter(type=kind)
    return list(found.values_list("holding__stock__ticker", "quantity", "price"))


def shares():
    return dict(Holding.objects.values_list("stock__ticker", "current_quantity"))


def test_shares_that_are_moved_in_keep_the_price_of_the_file(upload):
    moved = row_of(2, "INNLEGG OVERFØRING", "50", price="250", total="150")
    body = upload.done(data=statement([moved, BOUGHT]), instruments=CHOICES)
    assert rows("transfer_in") == [("FJORDLAKS.DEMO", 50, 250)]
    assert (body["reconciled"], shares()) == (True, {"FJORDLAKS.DEMO": 150})
    assert "cost_unknown" not in [one["code"] for one in body["warnings"]]


def test_shares_that_are_moved_in_without_a_price_come_in_at_the_close_and_are_named(upload):
    upload.done(data=statement([BOUGHT]), instruments=CHOICES)
    upload.api.get(f"/api/v1/portfolios/{upload.portfolio.pk}/timeline")  # reads the history
    body = upload.done(data=statement([row_of(2, "INNLEGG OVERFØRING", "50")]))
    [(_, quantity, price)] = rows("transfer_in")
    assert (quantity, price > 0) == (50, True)
    assert ("cost_unknown", 2) in [(one["code"], one.get("row")) for one in body["warnings"]]
    again = upload(data=statement([row_of(2, "INNLEGG OVERFØRING", "50")])).json()
    assert (again["created"], again["duplicates"]) == (0, 1)


@pytest.mark.parametrize("word", ["UTTAK OVERFØRING", "UTTAK VP", "BYTTE UTTAK VP"])
def test_shares_that_are_moved_out_leave(upload, word):
    moved = row_of(2, word, "30", total="70")
    assert upload.done(data=statement([moved, BOUGHT]), instruments=CHOICES)["reconciled"] is True
    assert shares() == {"FJORDLAKS.DEMO": 70}


def test_a_redemption_of_two_rows_is_one_sale(upload):
    left = row_of(2, "INNLØSN. UTTAK VP", "100", total="0")
    paid = row_of(3, "INNL. VP LIKVID", "100", price="260", amount="26 000", total="7")
    body = upload.done(data=statement([paid, left, BOUGHT]), instruments=CHOICES)
    assert rows("sell") == [("FJORDLAKS.DEMO", 100, 260)]
    # The number of shares of the row that moves them counts, not that of the money.
    assert (body["reconciled"], body["ignored"], body["created"]) == (True, 1, 2)


def test_a_redemption_without_its_payment_is_an_error(upload, dump):
    before = dump()
    left = row_of(2, "INNLØSN. UTTAK VP", "100", total="0")
    body = upload(data=statement([left, BOUGHT]), instruments=CHOICES).json()
    assert [one["code"] for one in body["errors"]] == ["unpaired_redemption"]
    assert dump() == before


def test_a_stock_dividend_is_a_split(upload):
    added = row_of(2, "UTBYTTE INNLEGG VP", "2", total="102")
    upload.done(data=statement([added, BOUGHT]), instruments=CHOICES)
    assert rows("split") == [("FJORDLAKS.DEMO", D("1.02"), None)]
    assert shares() == {"FJORDLAKS.DEMO": 102}


def test_rights_come_at_no_cost_and_lapse_as_a_sale_at_nothing(upload):
    rights = "Nordlys|NO0000000102"
    granted = row_of(2, "TILDELING INNLEGG RE", "100", total="100", what=rights)
    lapsed = row_of(3, "SLETTING UTTAK VP", "100", total="0", what=rights)
    subscribed = row_of(4, "EMISJON INNLEGG VP", "10", price="150", amount="-1 500", total="110")
    later = subscribed.replace("2025-05-02|2025-05-02", "2025-05-09|2025-05-09")
    body = upload.done(data=statement([later, lapsed, granted, BOUGHT]), instruments=CHOICES)
    assert "unpaired_action" in [one["code"] for one in body["warnings"]]
    assert rows("exchange_in") == [("NORDLYS.DEMO", 100, None)]
    assert rows("sell") == [("NORDLYS.DEMO", 100, 0)]
    assert ("FJORDLAKS.DEMO", 10, 150) in rows("buy")
    assert shares() == {"FJORDLAKS.DEMO": 110, "NORDLYS.DEMO": 0}


def test_shares_of_a_spin_off_come_at_no_cost_and_their_fraction_is_sold(upload):
    new = "Nordlys|NO0000000102"
    came = row_of(2, "UTSKILLING FISJON IN", "25,5", total="25,5", what=new)
    left = row_of(3, "SLETTING DESIM. UTTA", "0,5", total="25", what=new)
    paid = row_of(4, "SLETTING DESIM. LIKV", "0,5", price="48", amount="24", total="0", what=new)
    data = statement([paid, left, came, BOUGHT])
    body = upload.done(data=data, instruments=CHOICES)
    assert (body["reconciled"], body["created"], body["ignored"]) == (True, 3, 1)
    assert rows("exchange_in") == [("NORDLYS.DEMO", D("25.5"), None)]
    assert rows("sell") == [("NORDLYS.DEMO", D("0.5"), 48)]
    assert shares() == {"FJORDLAKS.DEMO": 100, "NORDLYS.DEMO": 25}
    held = Holding.objects.get(stock__ticker="NORDLYS.DEMO")
    assert (held.cost_basis, held.realised_gain) == (0, 24)
    # A fifth of the cost of 20,000 moves once its other side is known.
    [warning] = [one for one in body["warnings"] if one["code"] == "unpaired_action"]
    giver = Holding.objects.get(stock__ticker="FJORDLAKS.DEMO")
    target = {"transaction_id": warning["transaction_id"], "cost_share": 0.2}
    group = {"kind": "spin_off", "holding_id": str(giver.pk), "date": "2025-05-02"}
    answer = upload.api.post("/api/v1/transaction-groups", {**group, "targets": [target]})
    assert answer.status_code == 201
    held.refresh_from_db(), giver.refresh_from_db()
    assert (giver.current_quantity, giver.cost_basis) == (100, 16000)
    assert round(held.cost_basis, 8) == round(4000 * D(25) / D("25.5"), 8)
    assert round(held.realised_gain, 8) == round(24 - D(2000) / D("25.5"), 8)
    again = upload(data=data).json()
    assert (again["created"], again["duplicates"]) == (0, 3)


@pytest.mark.parametrize("is_granted", [True, False])
def test_rights_that_go_on_the_day_of_the_shares_are_exercised(upload, is_granted):
    rights = "Fjordlaks T-RETT|NO0000000102"
    granted = row_of(2, "TILDELING INNLEGG RE", "100", total="100", what=rights)
    if not is_granted:
        granted = row_of(2, "INNLEGG VP", "100", price="1", total="100", what=rights)
    used = row_of(3, "SLETTING UTTAK VP", "100", total="0", what=rights)
    subscribed = row_of(4, "EMISJON INNLEGG VP", "10", price="150", amount="-1 500", total="110")
    data = statement([subscribed, used, granted, BOUGHT])
    body = upload.done(data=data, instruments=CHOICES)
    assert (body["groups_created"], body["errors"]) == (1, [])
    assert TransactionGroup.objects.get().kind == "exercise"
    assert shares() == {"FJORDLAKS.DEMO": 110, "NORDLYS.DEMO": 0}
    cost = 21500 if is_granted else 21600
    assert Holding.objects.get(stock__ticker="FJORDLAKS.DEMO").cost_basis == cost
    again = upload(data=data).json()
    assert (again["created"], again["duplicates"]) == (0, 4)


def test_shares_bought_with_rights_have_the_amount_that_they_cost(upload):
    rights = "Fjordlaks T-RETT|NO0000000102"
    granted = row_of(2, "TILDELING INNLEGG RE", "100", total="100", what=rights)
    used = row_of(3, "SLETTING UTTAK VP", "100", total="0", what=rights)
    wrong = row_of(4, "EMISJON INNLEGG VP", "10", price="150", amount="-1 600", total="110")
    data = statement([wrong, used, granted, BOUGHT])
    errors = upload(data=data, instruments=CHOICES).json()["errors"]
    assert [one["code"] for one in errors] == ["amount_differs", "incomplete_group"]
    assert not Transaction.objects.exists()


def exchanged(**changes):
    text = "Andelsklassbyte - Ratio: 1;1,797720728"
    out = f"2|2025-05-02|2025-05-02|BYTTE UTTAK VP|{FJORD}|100|||0||0|||{text}|"
    into = (
        "3|2025-05-02|2025-05-02|BYTTE INNLEGG VP|Nordlys|NO0000000102|179,7721|||0||179,7721|||"
        f"{changes.get('text', text)}|"
    )
    return [into, out, BOUGHT]


def test_shares_that_are_exchanged_keep_their_cost(upload):
    body = upload.done(data=statement(exchanged()), instruments=CHOICES)
    assert (body["errors"], body["groups_created"], body["reconciled"]) == ([], 1, True)
    assert shares() == {"FJORDLAKS.DEMO": 0, "NORDLYS.DEMO": D("179.7721")}
    assert Holding.objects.get(stock__ticker="NORDLYS.DEMO").cost_basis == 20000
    [leg] = Transaction.objects.filter(type="exchange_in")
    assert leg.carried.lots[0].bought_on == date(2025, 1, 13)
    again = upload(data=statement(exchanged()), instruments=CHOICES).json()
    assert (again["created"], again["duplicates"]) == (0, 3)


def test_shares_that_do_not_say_the_same_are_no_exchange(upload):
    upload.done(data=statement(exchanged(text="something else")), instruments=CHOICES)
    assert rows("transfer_out") == [("FJORDLAKS.DEMO", 100, None)]
    assert [kind for kind, *_ in rows("transfer_in")] == ["NORDLYS.DEMO"]


SWEDISH = (
    "Id", "Bokföringsdag", "Affärsdag", "Likviddag", "Depå", "Transaktionstyp", "Värdepapper",
    "ISIN", "Antal", "Kurs", "Ränta", "Total Avgift", "Valuta", "Belopp", "Valuta", "Inköpsvärde",
    "Valuta", "Resultat", "Valuta", "Totalt antal", "Saldo", "Växlingskurs", "Transaktionstext",
    "Makuleringsdatum", "Notanummer", "Verifikationsnummer", "Courtage", "Valuta",
    "Referensvalutakurs", "Initial låneränta",
)  # fmt: skip
DANISH = (
    "Id", "Bogføringsdag", "Handelsdag", "Valørdag", "Depot", "Transaktionstype", "Værdipapirer",
    "ISIN", "Antal", "Kurs", "Rente", "Samlede afgifter", "Valuta", "Beløb", "Valuta",
    "Indkøbsværdi", "Valuta", "Resultat", "Valuta", "Totalt antal", "Saldo", "Vekslingskurs",
    "Transaktionstekst", "Makuleringsdato", "Notanummer", "Verifikationsnummer", "Kurtage",
    "Valuta", "Middelkurs", "Oprindelig rente",
)  # fmt: skip
IN_SWEDISH = [
    "5|2024-06-03|2024-05-30|SÅLT|Fjordlaks|NO0000000101|20|285,5|39|5 671|NOK|30|21 692,54|1||",
    "4|2024-05-16|2024-05-16|UTL KUPSKATT|Harbor|US0000000103|||| -3,98|||16 021,54|1|UTL KUPSKATT|",
    "3|2024-05-16|2024-05-13|UTDELNING|Harbor|US0000000103|10|0,25||26,52|||16 025,52|1|UTDELNING HRB 0.25 USD/AKTIE|",
    "2|2024-02-01|2024-02-01|KÖPT|Fjordlaks|NO0000000101|50|279,24|39|-14 001|NOK|50|15 999|1||",
    "1|2024-01-02|2024-01-02|INS. KREDIT|||||  |30 000|||30 000|||",
]


def with_kind_of_instrument(data):
    """Return the file with a column more after the name, as one of the Swedish layouts has it."""
    lines = [line.split("\t") for line in data.decode("utf-16").split("\r\n")]
    for number, cells in enumerate(lines):
        cells.insert(7, "Aktier" if number else "Instrumenttyp")
    return "\r\n".join("\t".join(cells) for cells in lines).encode("utf-16")


@pytest.mark.parametrize("layout", ["29 or 30 columns", "with a column more"])
def test_the_swedish_export_takes_the_rate_of_a_dividend_from_its_amount(upload, layout):
    with_rates("USD", "NOK", {date(2024, 5, 16): "10.50"})
    data = statement(IN_SWEDISH, SWEDISH)
    if layout == "with a column more":
        data = with_kind_of_instrument(data)
    body = upload.done(data=data, instruments=CHOICES)
    assert (body["created"], body["errors"]) == (5, [])
    paid = Transaction.objects.get(type="dividend")
    assert (paid.exchange_rate, paid.settlement_amount) == (D("10.608"), D("26.52"))
    assert (body["reconciled"], body["first_divergence"]) == (True, None)
    assert Holding.objects.get(stock__ticker="HARBOR.USD.DEMO").charges == D("3.98")


def test_the_danish_export_is_the_same_file_in_other_words(upload):
    rows_ = [
        "2|2026-07-03|2026-07-03|KØBT|Fjordlaks|NO0000000101|36|165,8|25|-5.993,8|NOK|36|506,2|||",
        "1|2026-01-05|2026-01-05|INDBETALING|||||  |6.500|||6.500||FROM BANK|",
    ]
    body = upload.done(data=statement(rows_, DANISH), instruments=CHOICES)
    assert (body["format"], body["created"], body["reconciled"]) == ("nordnet", 2, True)
    assert shares() == {"FJORDLAKS.DEMO": 36}
