"""Nordnet: bonds, currencies of payments, accounts with several currencies, rarer words, and the
layout of until 2019.
"""

from decimal import Decimal as D

import pytest

from integrations.statements.nordnet import NORWEGIAN
from integrations.statements.nordnet_words import Meaning, meaning_of, meaning_of_money
from integrations.statements.tests.support import choices, faults, held, twice
from integrations.statements.tests.test_nordnet import FINNISH
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

COLUMNS = (
    "id", "booked", "traded", "settled", "account", "type", "name", "isin", "quantity", "price",
    "accrued", "fees", "fees_in", "amount", "paid_in", "cost", "cost_in", "result", "traded_in",
    "total", "balance", "rate", "text", "cancelled", "note", "verification", "commission",
    "commission_in", "reference_rate", "initial",
)  # fmt: skip
PLAIN = {"account": "1", "fees_in": "", "paid_in": "NOK", "amount": "0"}
SHARE, BOND = "NO0000000101", "NO0000000777"
KNOWN = choices(
    NO0000000101="FJORD.DEMO",
    NO0000000777="STAT.DEMO",
    US0000000103="HARBOR.USD.DEMO",
    US0000000111="HAVN.USD.DEMO",
    GB0000000107="BRIG.GBP.DEMO",
)


def line(number, day, kind, **cells):
    filled = PLAIN | {"id": str(number), "booked": day, "traded": day, "type": kind} | cells
    return "\t".join(filled.get(column, "") for column in COLUMNS)


def file(*lines, header=NORWEGIAN):
    return "\r\n".join(["\t".join(header), *lines]).encode("utf-16")


def bought(number=1, day="2025-01-13", **cells):
    return line(
        number, day, "KJØPT", name="Fjord", isin=SHARE, quantity="100", price="280", fees="29",
        fees_in="NOK", amount="-28 029", traded_in="NOK", **cells
    )  # fmt: skip


def rows(kind):
    found = Transaction.objects.filter(type=kind).order_by("sequence")
    return list(
        found.values_list("quantity", "price", "holding__stock__currency", "settlement_amount")
    )


def test_a_dividend_declared_in_dollars_is_what_was_paid_in_the_currency_of_the_shares(account):
    paid = line(
        2, "2025-05-20", "UTBYTTE", name="Fjord", isin=SHARE, quantity="100", price="0,37",
        amount="388,50", rate="10,5", text="UTBYTTE FJORD 0.37 USD/AKSJE",
    )  # fmt: skip
    tax = line(
        3, "2025-05-20", "KUPONGSKATT", name="Fjord", isin=SHARE, quantity="100", amount="-58,28",
        text="UTBYTTE FJORD 0.37 USD/AKSJE",
    )  # fmt: skip
    upload = account("NOK")
    body = upload.done(data=file(tax, paid, bought()), instruments=KNOWN)
    assert (body["created"], body["failed"]) == (3, 0)
    assert rows("dividend") == [(100, D("3.885"), "NOK", D("388.5"))]
    assert held()["FJORD.DEMO"][4:] == (D("388.5"), D("58.28"))
    twice(upload, file(tax, paid, bought()))


def test_a_dividend_whose_amount_is_not_price_times_rate_is_an_error(account):
    paid = line(
        2, "2025-05-20", "UTBYTTE", name="Fjord", isin=SHARE, quantity="100", price="0,37",
        amount="398,50", rate="10,5", text="UTBYTTE FJORD 0.37 USD/AKSJE",
    )  # fmt: skip
    body = account("NOK")(data=file(paid, bought()), instruments=KNOWN).json()
    assert faults(body) == [(2, "Beløp", "amount_differs")]
    assert not Transaction.objects.exists()


def test_a_dividend_without_a_price_has_that_of_its_text_and_the_rate_of_its_amount(account):
    shares = {"name": "Harbor", "isin": "US0000000103", "quantity": "70", "paid_in": "EUR"}
    buy = line(
        1, "2025-04-02", "OSTO", price="31,71", fees="8", fees_in="EUR", amount="-2 084,68",
        cost="2 228,25", cost_in="USD", traded_in="USD", rate="0,9355", **shares
    )  # fmt: skip
    paid = line(
        2, "2025-06-03", "OSINKO", amount="8,07", text="OSINKO HARBOR 0.125 USD/OSAKE", **shares
    )
    body = account("EUR").done(data=file(paid, buy, header=FINNISH), instruments=KNOWN)
    assert (body["created"], body["failed"]) == (2, 0)
    [dividend] = Transaction.objects.filter(type="dividend")
    assert (dividend.quantity, dividend.price) == (70, D("0.125"))
    assert dividend.exchange_rate.quantize(D("0.0001")) == D("0.9223")  # 8.07 / 8.75
    assert dividend.settlement_amount == D("8.07")


def test_a_reference_rate_of_an_account_in_dollars_converts_nothing(account):
    shares = {"name": "Harbor", "isin": "US0000000103", "quantity": "100", "paid_in": "USD"}
    buy = line(
        1, "2025-04-02", "OSTO", price="23,7", fees="29,82", fees_in="USD", amount="-2 399,82",
        traded_in="USD", reference_rate="0,6728", **shares
    )  # fmt: skip
    paid = line(
        2, "2025-06-03", "OSINKO", amount="10", reference_rate="0,9186",
        text="DIVIDEND HARBOR 0,1 USD/SHARE", **shares
    )  # fmt: skip
    tax = line(3, "2025-06-03", "ENNAKKOPIDÄTYS", amount="-1,5", reference_rate="0,9186", **shares)
    account("USD").done(data=file(tax, paid, buy, header=FINNISH), instruments=KNOWN)
    assert rows("dividend") == [(100, D("0.1"), "USD", 10)]
    assert rows("tax") == [(1, D("1.5"), "USD", D("-1.5"))]


def test_a_bond_is_priced_in_per_cent_and_its_accrued_interest_is_part_of_the_cost(account):
    bond = {"name": "Stat 2030", "isin": BOND, "traded_in": "NOK"}
    buy = line(
        1, "2025-01-10", "KJØPT", quantity="100 000", price="101,5", accrued="250,50", fees="29",
        fees_in="NOK", amount="-101 779,50", **bond
    )  # fmt: skip
    coupon = line(2, "2025-03-10", "KUPONGRENTE", quantity="100 000", price="4,5", amount="4 500",
                  **bond)  # fmt: skip
    sale = line(
        3, "2025-04-10", "SALG", quantity="50 000", price="102,00", accrued="100", fees="29",
        fees_in="NOK", amount="51 071", **bond
    )  # fmt: skip
    gone = line(4, "2025-05-10", "INNLØSN. UTTAK VP", quantity="50 000", **bond)
    repaid = line(5, "2025-05-12", "INNL. VP LIKVID", quantity="50 000", price="100",
                  amount="50 000", **bond)  # fmt: skip
    upload = account("NOK")
    data = file(repaid, gone, sale, coupon, buy)
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"], body["failed"]) == (4, 1, 0)
    assert rows("buy") == [(100_000, D("1.017505"), "NOK", D("-101779.5"))]
    assert rows("sell") == [(50_000, D("1.022"), "NOK", 51_071), (50_000, 1, "NOK", 50_000)]
    assert rows("interest") == [(1, 4_500, "NOK", 4_500)]
    notes = Transaction.objects.exclude(note="").order_by("sequence").values_list("note", flat=True)
    assert list(notes) == ["Accrued interest 250.50 NOK.", "Accrued interest 100 NOK."]
    assert held()["STAT.DEMO"][0] == 0
    twice(upload, data)


def test_shares_of_london_are_priced_in_pence(account):
    buy = line(
        1, "2025-01-10", "KJØPT", name="Brig", isin="GB0000000107", quantity="1 000", price="52,5",
        fees="99", fees_in="NOK", amount="-7 186,50", traded_in="GBP", rate="13,5",
    )  # fmt: skip
    account("NOK").done(data=file(buy), instruments=KNOWN)
    assert rows("buy") == [(1000, D("0.525"), "GBP", D("-7186.5"))]


def test_a_purchase_without_a_rate_has_that_of_its_amount(account):
    buy = line(
        1, "2025-01-10", "KJØPT", name="Harbor", isin="US0000000103", quantity="10", price="200",
        fees="99", fees_in="NOK", amount="-21 099", traded_in="USD",
    )  # fmt: skip
    account("NOK").done(data=file(buy), instruments=KNOWN)
    [made] = Transaction.objects.all()
    assert (made.exchange_rate, made.commission.quantize(D("0.0001"))) == (D("10.5"), D("9.4286"))


@pytest.mark.parametrize("name", ["", "USD/EUR"])
def test_both_rows_of_an_exchange_of_currencies_are_one_group(account, name):
    into = line(1, "2025-01-10", "VALUUTAN OSTO", name=name, quantity="100", amount="100",
                paid_in="USD", rate="1,2")  # fmt: skip
    out = line(2, "2025-01-10", "VALUUTAN MYYNTI", name=name, quantity="83,33", amount="-83,33",
               paid_in="EUR", rate="1,2")  # fmt: skip
    upload = account("EUR")
    body = upload.done(data=file(out, into, header=FINNISH))
    assert (body["created"], body["groups_created"], body["failed"]) == (2, 1, 0)
    [group] = TransactionGroup.objects.all()
    legs = group.transactions.order_by("sequence")
    assert set(legs.values_list("settlement_currency", "settlement_amount")) == {
        ("EUR", D("-83.33")),
        ("USD", 100),
    }
    twice(upload, file(out, into, header=FINNISH))


def test_a_fraction_that_is_paid_in_its_own_row_is_a_sale(account):
    rest = line(2, "2025-03-10", "DESIM KIRJAUS OTTO", name="Fjord", isin=SHARE, quantity="0,5",
                amount="140", traded_in="NOK")  # fmt: skip
    account("NOK").done(data=file(rest, bought(), header=FINNISH), instruments=KNOWN)
    assert rows("sell") == [(D("0.5"), 280, "NOK", 140)]


def test_a_bonus_issue_is_a_split_and_the_first_shares_of_another_company_cost_nothing(account):
    bonus = line(2, "2025-03-10", "RAHASTOANTI AP JÄTTÖ", name="Fjord", isin=SHARE, quantity="400",
                 total="500")  # fmt: skip
    spun_off = line(3, "2025-03-11", "OSINKO AP JÄTTÖ", name="Havn", isin="US0000000111",
                    quantity="10", total="10")  # fmt: skip
    body = account("NOK").done(data=file(spun_off, bonus, bought()), instruments=KNOWN)
    assert [one["code"] for one in body["warnings"]].count("unpaired_action") == 1
    assert held()["FJORD.DEMO"][:3] == (500, D("56.058"), 28_029)
    assert held()["HAVN.USD.DEMO"][:3] == (10, 0, 0)


def test_shares_exchanged_by_one_verification_are_one_group_whatever_the_texts(account):
    out = line(2, "2025-03-10", "VAIHTO AP-OTTO", name="Fjord", isin=SHARE, quantity="100",
               text="Exchange 1 share for 1,358 shares", verification="9")  # fmt: skip
    into = line(3, "2025-03-10", "VAIHTO AP-JÄTTÖ", name="Stat", isin=BOND, quantity="135,8",
                text="Exc 1 for 1,358s", verification="9")  # fmt: skip
    body = account("NOK").done(data=file(into, out, bought()), instruments=KNOWN)
    assert body["groups_created"] == 1
    assert held()["STAT.DEMO"][0] == D("135.8")
    assert held()["STAT.DEMO"][2] == 28_029


def test_a_dividend_and_its_tax_taken_back_in_finnish_are_ignored(account):
    shares = {"name": "Fjord", "isin": SHARE, "quantity": "100", "traded_in": "NOK"}
    data = file(
        line(5, "2025-06-04", "PER ULK KUPONKIVERO", amount="15", **shares),
        line(4, "2025-06-04", "OSINGON PERUUTUS", price="1", amount="-100", **shares),
        line(3, "2025-06-03", "ULKOM. KUPONKIVERO", amount="-15", **shares),
        line(2, "2025-06-03", "OSINKO", price="1", amount="100", **shares),
        bought(),
    )
    body = account("NOK").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"], body["failed"]) == (1, 4, 0)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("UTL KÄLLSKATT", Meaning.TAX),
        ("KORR UTBYTTE", Meaning.DIVIDEND),
        ("AFKASTSKAT ASK", Meaning.TAX),
        ("SKATTEINDBETALING ASK", Meaning.PAYMENT),
        ("KAP ÖVERBEL.RÄNTA", Meaning.INTEREST),
        # The file cuts words after twenty characters.
        ("ETF_KK SÄÄSTÖN PALVE", Meaning.FEE),
        ("KJØP, BYTTE AV FOND", Meaning.BUY),
        ("AP OTTO", Meaning.SHARES_OUT),
        ("YHTIÖIT. IRR JÄTTÖ", Meaning.GRANTED),
        ("DESIM. UT VP IKKE UT", Meaning.LAPSED),
        ("BYTTE NOE ANNET", None),
    ],
)
def test_a_word_means(word, meaning):
    assert meaning_of(word) is meaning


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("DEBETRENTE ANNET", Meaning.INTEREST),
        ("SKATT PENSJON", Meaning.TAX),
        ("RISIKOKOSTNAD", Meaning.FEE),
        ("KORR PREMIEINB.", Meaning.PAYMENT),
        ("UTBETALING PENSJON", Meaning.PAYMENT),
        ("NOE ANNET", None),
    ],
)
def test_a_word_of_money_alone_says_what_it_is_by_its_parts(word, meaning):
    assert meaning_of(word) is None
    assert meaning_of_money(word) is meaning


OLD = (
    "Id;Kirjauspäivä;Kauppapäivä;Maksupäivä;Tapahtumatyyppi;Arvopaperi;Instrumenttyp;ISIN;Määrä;"
    "Kurssi;Korko;Maksut;Summa;Valuutta;Hankinta-arvo;Tulos;Kokonaismäärä;Saldo;Valuuttakurssi;"
    "Tapahtumateksti;Mitätöintipäivä;Vahvistusnumero/Laskelma"
)


def test_the_layout_of_until_2019_names_the_currency_of_the_amount_alone(account):
    data = "\r\n".join(
        [
            OLD,
            "3;2019-06-13;2019-06-13;2019-06-14;OSINKO;HRB;Instrumentti;US0000000103;10;0,315;"
            "0,0000;0,00;2,77;EUR;0,00;0,00;10,00;2 353,77;0,88;HRB 0,315 USD/OSAKE;;25",
            "2;2019-06-12;2019-06-12;2019-06-14;OSTO;HRB;Instrumentti;US0000000103;10;50,00;0,0000;"
            "9,00;-449,00;EUR;500,00;0,00;10,00;2 351,00;0,88;;;24",
            "1;2019-06-11;2019-06-11;2019-06-13;OSTO;HVN;Instrumentti;US0000000111;600;11,51;0,0000;"
            "16,97;-6 922,97;USD;6 922,97;0,00;600,00;-6 922,97;0,88;;;23",
            "0;2019-01-01;2019-01-01;2019-01-03;TALLETUS;;;;0;0,00;0,0000;0,00;2 800,00;EUR;0,00;"
            "0,00;0,00;2 800,00;1,00;TALLETUS REAL-TIME;;22",
        ]
    ).encode("windows-1252")
    upload = account("EUR")
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"], body["failed"]) == ("nordnet", 4, 0)
    # 600 × 11.51 and 16.97, in the account's dollars; 10 × 50 and 9 euro, in euro at 0.88.
    assert rows("buy") == [
        (600, D("11.51"), "USD", D("-6922.97")),
        (10, 50, "USD", -449),
    ]
    assert rows("dividend") == [(10, D("0.315"), "USD", D("2.77"))]
    twice(upload, data)


def test_norwegian_short_words_for_shares_that_come_in_and_are_redeemed(account):
    came = line(
        1, "2025-03-03", "INNLEGG", name="Fjord", isin=SHARE, quantity="10", price="250",
        cost="2 500", cost_in="NOK", traded_in="NOK",
    )  # fmt: skip
    redeemed = line(
        2, "2025-04-03", "INNLØSNING", name="Fjord", isin=SHARE, quantity="10", price="260",
        amount="2 600", traded_in="NOK",
    )  # fmt: skip
    body = account("NOK").done(data=file(redeemed, came), instruments=KNOWN)
    assert (body["created"], body["failed"]) == (2, 0)
    assert [one[:2] for one in rows("transfer_in")] == [(10, 250)]
    assert [one[:2] for one in rows("sell")] == [(10, 260)]


def test_the_danish_layout_with_a_kind_of_instrument_and_points_in_its_thousands(account):
    header = (
        "Id|Bogføringsdag|Handelsdag|Valørdag|Depot|Transaktionstype|Værdipapirer|Værdipapirtype|"
        "ISIN|Antal|Kurs|Rente|Samlede afgifter|Valuta|Beløb|Valuta|Indkøbsværdi|Valuta|Resultat|"
        "Valuta|Totalt antal|Saldo|Vekslingskurs|Transaktionstekst|Makuleringsdato|Notanummer|"
        "Verifikationsnummer|Kurtage|Valuta"
    )
    end = "NOK|0|NOK|0|NOK|||1|||1|1|0|NOK"
    data = "\r\n".join(
        [
            header,
            f"2|2026-02-20|2026-02-20|2026-02-20|1|KØBT|Fjord|Aktier|{SHARE}|5|450|0|0|NOK|-2.250|{end}",
            f"1|2026-02-01|2026-02-01|2026-02-01|1|INDBETALING||||NA|NA|0|0|NOK|10.000|{end}",
        ]
    ).replace("|", "\t").encode("utf-16")  # fmt: skip
    body = account("NOK").done(data=data, instruments=KNOWN)
    assert (body["created"], body["failed"]) == (2, 0)
    assert Transaction.objects.get(type="deposit").settlement_amount == 10_000
    assert [one[:2] for one in rows("buy")] == [(5, 450)]
