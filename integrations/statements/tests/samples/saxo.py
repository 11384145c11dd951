from decimal import Decimal as D

from integrations.statements.tests.samples.base import FUND, sample

_SAXO = (
    "Client ID,Trade Date,Value Date,Type,Instrument,Instrument ISIN,Instrument currency,Exchange Description,"
    "Instrument Symbol,Event,{amount},Order ID,Conversion Rate{more}"
)
_PAPER = f"Wereldfonds,{FUND},EUR,Euronext Amsterdam,WERELD:xams"
_DUTCH = (
    "Klant-id;Transactiedatum;Valutadatum;Rekening-ID;Transactietype;Acties;Aantal;Valuta;Boekingsbedrag;"
    "_Valuta;Omrekeningskoers;Totale kosten;Instrument;Instrumentsymbool;Instrument ISIN;"
    "Instrumentvaluta;Type"
)
_AANDEEL = f"Wereldfonds;WERELD:xams;{FUND};EUR;Aandeel"
SAMPLES = [
    sample(
        "saxo of 2025", "saxo", _SAXO.format(amount="Amount", more=""),
        f"""
1,10-jul-2024,10-jul-2024,Corporate action,{_PAPER},Dividend,"12,50",,1
1,02-Apr-2024,04-Apr-2024,Trade,{_PAPER},Sell 4 @ 110.00 EUR,"437,00",7002,1
1,04-mrt-2024,06-mrt-2024,Transactie,{_PAPER},Koop 10 @ 99.50 EUR,"-998,00",7001,1
1,01-Mar-2024,01-Mar-2024,Cash Transfer,,,EUR,,,Deposit,1000,,1
""",
        [1, 2, 3], [0, 1, 2],
        currency="EUR", created=4, ignored=0, instruments={FUND: "WERELD.EUR.DEMO"},
        # 995 and 3 of commission; 4 sold for 440 - 3, their cost 399.20
        held={"WERELD.EUR.DEMO": (6, D("99.8"), D("598.8"), D("37.8"), D("12.5"), 0)},
    ),
    sample(
        "saxo of 2026, points and commas in one file", "saxo",
        _SAXO.format(amount="Booked Amount", more=",From Derivative,Underlying asset type"),
        f"""
1,10-jun-2026,10-jun-2026,Corporate action,{_PAPER},Dividend,25.6,,1,No,
1,05-mei-2026,07-mei-2026,Transactie,{_PAPER},Verkoop 40 @ 105.00 EUR,"4195,50",8002,1,No,
1,24-feb-2026,26-feb-2026,Trade,{_PAPER},Buy 100 @ 99.68 EUR,"-9979,46",8001,1,No,
1,02-jan-2026,02-jan-2026,Cash amount,,,EUR,,,Custody Fee,"-3,91",,1,No,
""",
        [1, 2, 3], [0, 1, 2],
        currency="EUR", created=4, ignored=0, instruments={FUND: "WERELD.EUR.DEMO"},
        # 9,968 and 11.46; 40 sold for 4,200 - 4.50, their cost 3,991.784
        held={"WERELD.EUR.DEMO": (60, D("99.7946"), D("5987.676"), D("203.716"), D("25.6"), 0)},
    ),
    sample(
        "saxo in Dutch, with two currencies of the amount", "saxo", _DUTCH,
        f"""
1;05-aug-2024;05-aug-2024;1/1EUR;Geldoverboeking;Rente;1,50;EUR;1,50;EUR;1;0;;;;EUR;Cash
1;10-jul-2024;10-jul-2024;1/1EUR;Corporate action;Roerende voorheffing;-3,75;EUR;-3,75;EUR;1;0;{_AANDEEL}
1;10-jul-2024;10-jul-2024;1/1EUR;Corporate action;Cashdividend;12,50;EUR;12,50;EUR;1;0;{_AANDEEL}
1;02-apr-2024;04-apr-2024;1/1EUR;Transactie;Verkoop -4 @ 110.00 EUR;437,00;EUR;437,00;EUR;1;-3;{_AANDEEL}
1;04-mrt-2024;06-mrt-2024;1/1EUR;Transactie;Koop 10 @ 99.50 EUR;-998,00;EUR;-998,00;EUR;1;-3;{_AANDEEL}
1;01-mrt-2024;01-mrt-2024;1/1EUR;Geldoverboeking;Storting;1000;EUR;1000;EUR;1;0;;;;EUR;Cash
""",
        [3, 4, 5], [0, 1, 2, 3, 4],
        currency="EUR", created=6, ignored=0, instruments={FUND: "WERELD.EUR.DEMO"},
        # 995 and 3 of commission; 4 sold for 440 - 3, their cost 399.20
        held={"WERELD.EUR.DEMO": (6, D("99.8"), D("598.8"), D("37.8"), D("12.5"), D("3.75"))},
    ),
]  # fmt: skip
