"""Two small statements or more of every format, with what they come to worked out by hand.

The layouts are the brokers', the companies and numbers invented. Truths are per ticker: quantity,
average cost, cost basis, realised gain, income, charges; the first two in the instrument's
currency, the rest in the portfolio's. They are compared to as many decimals as they are written
with.
"""

# ruff: noqa: E501 (the lines of a statement are as long as they are)

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal as D

from integrations.tests import test_nordnet

Truth = tuple[D | int | None, ...]


@dataclass(frozen=True)
class Sample:
    """`older` and `newer` are two exports of parts of `data` that overlap and together are all of
    it.

    `rates` are (from, to, day, rate) that the market data source has; `reconciled` is what the
    report says.
    """

    name: str
    format: str
    currency: str
    data: bytes
    older: bytes
    newer: bytes
    held: dict[str, Truth]
    created: int
    ignored: int
    instruments: dict[str, str] = field(default_factory=dict)
    rates: tuple[tuple[str, str, date, str], ...] = ()
    reconciled: bool | None = None
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, str]:
        return self.fields | (
            {"instruments": json.dumps(self.instruments)} if self.instruments else {}
        )


def _sample(
    name: str,
    format: str,
    header: str,
    rows: str,
    older: Iterable[int],
    newer: Iterable[int],
    **rest,
) -> Sample:
    """`rows` one a line; `older` and `newer` number them from 0."""
    lines = rows.strip("\n").splitlines()
    assert sorted({*older, *newer}) == list(range(len(lines)))

    def file(numbers: Iterable[int]) -> bytes:
        return "\r\n".join([header, *(lines[number] for number in numbers), ""]).encode()

    return Sample(
        name, format, data=file(range(len(lines))), older=file(older), newer=file(newer), **rest
    )


ATLAS, HARBOUR, SKOG, FUND = "US0000000011", "GB0000000021", "SE0000000012", "IE0000000041"
ORDER = "0b1f7d5e-0000-4000-8000-00000000000"

# --- Our own --------------------------------------------------------------------------------------

GENERIC = [
    _sample(
        "generic with points", "generic", "date,type,ticker,quantity,price,commission,currency,exchange_rate",
        """
2024-01-02,buy,FJORD.DEMO,10,100.5,29,NOK,
2024-02-01,dividend,FJORD.DEMO,10,1.5,,NOK,
2024-03-01,sell,FJORD.DEMO,4,120,29,NOK,
2024-03-04,buy,ATLAS.USD.DEMO,2,50,1,USD,10.25
""",
        [0, 1, 2], [1, 2, 3],
        currency="NOK", created=4, ignored=0,
        held={
            # 10 x 100.5 + 29 = 1034; 4 sold for 480 - 29 = 451, their cost 413.6
            "FJORD.DEMO": (6, D("103.4"), D("620.4"), D("37.4"), 15, 0),
            "ATLAS.USD.DEMO": (2, D("50.5"), D("1035.25"), 0, 0, 0),  # 101 x 10.25
        },
    ),
    _sample(
        "generic with commas, newest first", "generic", "date;type;ticker;quantity;price;commission",
        """
28.06.2024;fee;FJORD.DEMO;1;12,50;
03.06.2024;sell;FJORD.DEMO;30;1\u00a0260,00;39
01.04.2024;split;FJORD.DEMO;4;;
02.01.2024;buy;FJORD.DEMO;10;4.000,00;100
""",
        [2, 3], [0, 1, 2],
        currency="NOK", created=4, ignored=0,
        # 40,100 / 40 = 1002.5; 30 sold for 37,800 - 39 = 37,761, their cost 30,075
        held={"FJORD.DEMO": (10, D("1002.5"), 10025, 7686, 0, D("12.5"))},
    ),
]  # fmt: skip

MAPPING = json.dumps(
    {"date": "Tag", "type": "Art", "ticker": "Papier", "quantity": "Stück", "price": "Kurs"}
)
MAPPED = [
    _sample(
        "mapped with semicolons", "mapped", "Tag;Art;Papier;Stück;Kurs;Notiz",
        """
04.03.2024;buy;FJORD.DEMO;10;100,50;x
05.03.2024;sell;FJORD.DEMO;4;110;
""",
        [0], [0, 1],
        currency="NOK", created=2, ignored=0, fields={"mapping": MAPPING},
        held={"FJORD.DEMO": (6, D("100.5"), 603, 38, 0, 0)},
    ),
    _sample(
        "mapped with commas", "mapped", "Kurs,Papier,Art,Tag,Stück,Gebühr",
        """
50.25,BREEN.DEMO,buy,2024-03-04,8,1.60
2.00,BREEN.DEMO,dividend,2024-05-04,8,
51.00,BREEN.DEMO,buy,2024-05-05,2,0
""",
        [0, 1], [1, 2],
        currency="NOK", created=3, ignored=0,
        fields={"mapping": json.dumps(json.loads(MAPPING) | {"commission": "Gebühr"})},
        # 402 + 1.60 + 102 = 505.60 for 10
        held={"BREEN.DEMO": (10, D("50.56"), D("505.6"), 0, 16, 0)},
    ),
]  # fmt: skip

# --- Nordnet --------------------------------------------------------------------------------------

_FINNISH = [
    "12|2025-05-15|2025-05-09|ENNAKKOPIDÄTYS|Kone|FI0000000106|4|||-1,02||0|875,98||ENNAKKOPIDÄTYS|",
    "11|2025-05-15|2025-05-09|OSINKO|Kone|FI0000000106|4|1||4||0|877||OSINKO KONE 1 EUR/OSAKE|",
    "10|2025-05-02|2025-05-02|MYYNTI|Kone|FI0000000106|1|23|0|23|EUR|4|873|||",
    "9|2025-04-02|2025-04-01|OSTO|Kone|FI0000000106|5|30|0|-150|EUR|5|850|||",
    "8|2025-04-01|2025-04-01|TALLETUS|||||  |1 000|||1 000|||",
]


def _finnish(rows: list[str]) -> bytes:
    text = test_nordnet.statement(rows, test_nordnet.FINNISH).decode("utf-16")
    return text.replace("NOK", "EUR").encode("utf-16")


NORDNET = [
    Sample(
        "nordnet in Norwegian", "nordnet", "NOK",
        data=test_nordnet.statement(), older=test_nordnet.statement(test_nordnet.ROWS[5:]),
        newer=test_nordnet.statement(test_nordnet.ROWS[:9]),
        created=11, ignored=4, reconciled=True, instruments=json.loads(test_nordnet.CHOICES),
        held={
            # 40 at 201.70 and 2 x 39: 203.65 a share; 30 sold for 7,800 - 39, their cost 6,109.50
            "FJORDLAKS.DEMO": (10, D("203.65"), D("2036.5"), D("1651.5"), 0, 0),
            # 25 at 39.9876, split 4 for 1
            "NORDLYS.DEMO": (100, D("9.9969"), D("999.69"), 0, 0, 0),
            # 990 + 0.05 x 1000.5
            "FONDET.DEMO": (D("1.05"), D("990.5"), D("1040.025"), 0, D("50.025"), 0),
            # 5 x 210 x 10.5 + 99; 5 x 1 x 10.4076; 7.81 of tax
            "HARBOR.USD.DEMO": (5, D("211.886"), D("11124.00"), 0, D("52.038"), D("7.81")),
        },
    ),
    Sample(
        "nordnet in Finnish", "nordnet", "EUR",
        data=_finnish(_FINNISH), older=_finnish(_FINNISH[1:]), newer=_finnish(_FINNISH[:3]),
        created=4, ignored=1, reconciled=True, instruments={"FI0000000106": "KONE.EUR.DEMO"},
        held={"KONE.EUR.DEMO": (4, 30, 120, -7, 4, D("1.02"))},  # one of five sold for 23
    ),
]  # fmt: skip

# --- Avanza ---------------------------------------------------------------------------------------

_AVANZA = (
    "Datum;Konto;Typ av transaktion;Värdepapper/beskrivning;Antal;Kurs;Belopp;Transaktionsvaluta;Courtage (SEK);"
    "Valutakurs;Instrumentvaluta;ISIN;Resultat"
)
AVANZA = [
    _sample(
        "avanza with a dividend", "avanza", _AVANZA,
        f"""
2024-05-20;77;Ränta;;;;1,50;SEK;;;;;
2024-05-10;77;Utdelning;Atlas Inc;4;0,50;21,00;SEK;;1;USD;{ATLAS};
2024-04-02;77;Sälj;Skogen A;-40;130,50;5181;SEK;39;;SEK;{SKOG};1000
2024-03-04;77;Köp;Atlas Inc;4;100,00;-4239;SEK;39;10,50;USD;{ATLAS};
2024-02-01;77;Köp;Skogen A;100;110,25;-11064;SEK;39;;SEK;{SKOG};
2024-01-15;77;Insättning;Insättning;;;20000;SEK;;;;;
""",
        [2, 3, 4, 5], [0, 1, 2, 3],
        currency="SEK", created=4, ignored=2, instruments={ATLAS: "ATLAS.USD.DEMO", SKOG: "SKOGEN.SEK.DEMO"},
        held={
            # 11,025 + 39 for 100; 40 sold for 5,220 - 39 = 5,181, their cost 4,425.60
            "SKOGEN.SEK.DEMO": (60, D("110.64"), D("6638.4"), D("755.4"), 0, 0),
            # 400 x 10.5 + 39; the dividend's rate is in its amount
            "ATLAS.USD.DEMO": (4, D("100.929"), D("4239.00"), 0, D("21.00"), 0),
        },
    ),
    _sample(
        "avanza with a fund, a sale in dollars and a foreign tax", "avanza", _AVANZA,
        f"""
2024-06-14;88;Uttag;Uttag;;;-500;SEK;;;;;
2024-06-10;88;Sälj;Skogsfonden;-4,5;210,00;945;SEK;0;;SEK;{SKOG};45
2024-06-03;88;Sälj;Atlas Inc;-2;120,00;2439,50;SEK;20,50;10,25;USD;{ATLAS};423,5
2024-05-16;88;Utländsk källskatt;Utdelning ATL.K 0.5 USD/aktie;5;;-3,90;SEK;;1;;{ATLAS};
2024-05-16;88;Utdelning;Atlas Inc;5;0,50;26,00;SEK;;1;USD;{ATLAS};
2024-02-12;88;Övrigt;Avkastningsskatt;;;−26;SEK;;;;;
2024-02-02;88;Köp;Skogsfonden;10,5;200,00;-2100;SEK;0;;SEK;{SKOG};
2024-02-01;88;Köp;Atlas Inc;5;100,00;-5040;SEK;40;10,00;USD;{ATLAS};
2024-01-15;88;Insättning;Insättning;;;8 000;SEK;;;;;
""",
        [4, 5, 6, 7, 8], [0, 1, 2, 3, 4, 5],
        currency="SEK", created=6, ignored=3, instruments={ATLAS: "ATLAS.USD.DEMO", SKOG: "SKOGEN.SEK.DEMO"},
        rates=(("USD", "SEK", date(2024, 5, 16), "10.40"),),
        held={
            # 10.5 x 200; 4.5 sold with 10 a share of gain
            "SKOGEN.SEK.DEMO": (6, 200, 1200, 45, 0, 0),
            # 500 and 40 / 10 of commission in dollars; 2 sold for (240 - 2) x 10.25 = 2,439.50,
            # their cost 2,016
            "ATLAS.USD.DEMO": (3, D("100.8"), 3024, D("423.50"), 26, D("3.90")),
        },
    ),
    _sample(
        "avanza since 2025", "avanza", _AVANZA.replace("Courtage (SEK)", "Courtage"),
        f"""
2025-12-31;77;Preliminärskatt kapitalränta;;;;-0,73;SEK;;;;;
2025-12-31;77;Inlåningsränta;;;;2,44;SEK;;;;;
2025-11-14;77;Utländsk källskatt;Utdelning ATL.K 0.5 USD/aktie 15%;100;;-71,25;SEK;;;;{ATLAS};
2025-11-14;77;Utdelning;Atlas Inc;100;0,50;475;SEK;;;USD;{ATLAS};
2025-11-03;77;Sälj;Atlas Inc;-90;10,00;8500;SEK;50;9,50;USD;{ATLAS};555,02
2025-10-14;77;ADR-avgift;ADR ATL.K 2025-08-27;;;-3,8;SEK;;;;;
2025-10-10;77;Köp;Atlas Inc;190;9,22;-16772,74;SEK;57,25;9,541895;USD;{ATLAS};
2025-10-09;77;Köp;Skogsfonden;0,5;200,00;-100;SEK;;;SEK;{SKOG};
2025-10-01;77;Autogiroinsättning;Autogiroinsättning;;;20000;SEK;;;;;
""",
        [3, 4, 5, 6, 7, 8], [0, 1, 2, 3, 4],
        currency="SEK", created=5, ignored=4, instruments={ATLAS: "ATLAS.USD.DEMO", SKOG: "SKOGEN.SEK.DEMO"},
        rates=(("USD", "SEK", date(2025, 11, 14), "9.50"),),
        held={
            "SKOGEN.SEK.DEMO": (D("0.5"), 200, 100, 0, 0, 0),
            # 190 x 9.22 x 9.541895 + 57.25 = 16,772.7417 for 190; 90 sold for 8,550 - 50, their
            # cost 7,944.9829
            "ATLAS.USD.DEMO": (100, D("9.2516"), D("8827.7588"), D("555.0171"), D("475.00"), D("71.25")),
        },
    ),
]  # fmt: skip

# --- DEGIRO ---------------------------------------------------------------------------------------

DEGIRO = [
    _sample(
        "degiro in Dutch, two fills and an exchange of currencies", "degiro",
        "Datum,Tijd,Valutadatum,Product,ISIN,Omschrijving,FX,Mutatie,,Saldo,,Order Id",
        f"""
04-06-2024,18:33,04-06-2024,,,"Overboeking naar uw geldrekening bij flatexDEGIRO Bank: 98,12 EUR",,,,EUR,"600,00",
03-06-2024,08:00,31-05-2024,,,Flatex Interest Income,,EUR,"0,12",EUR,"698,12",
16-05-2024,07:30,15-05-2024,ATLAS,{ATLAS},Dividendbelasting,,USD,"-0,45",USD,"2,55",
16-05-2024,07:30,15-05-2024,ATLAS,{ATLAS},Dividend,,USD,"3,00",USD,"3,00",
04-03-2024,15:31,04-03-2024,ATLAS,{ATLAS},Valuta Creditering,"1,0800",USD,"324,00",USD,"0,00",{ORDER}1
04-03-2024,15:31,04-03-2024,ATLAS,{ATLAS},Valuta Debitering,,EUR,"-300,00",EUR,"698,00",{ORDER}1
04-03-2024,15:31,04-03-2024,ATLAS,{ATLAS},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-2,00",EUR,"998,00",{ORDER}1
04-03-2024,15:31,04-03-2024,ATLAS,{ATLAS},"Koop 1 @ 108 USD",,USD,"-108,00",USD,"-324,00",{ORDER}1
04-03-2024,15:31,04-03-2024,ATLAS,{ATLAS},"Koop 2 @ 108 USD",,USD,"-216,00",USD,"-216,00",{ORDER}
,,,,,,,,,,,1
01-03-2024,10:00,01-03-2024,,,iDEAL Deposit,,EUR,"1.000,00",EUR,"1.000,00",
""",
        [2, 3, 4, 5, 6, 7, 8, 9, 10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        currency="EUR", created=4, ignored=6, reconciled=True, instruments={ATLAS: "ATLAS.USD.DEMO"},
        rates=(("USD", "EUR", date(2024, 5, 16), "0.92"),),
        # 324 USD for 300 EUR; the fee of 2 EUR is 2.16 USD: 326.16 / 3; 3 and 0.45 USD at 0.92
        held={"ATLAS.USD.DEMO": (3, D("108.72"), D("302.00"), 0, D("2.76"), D("0.414"))},
    ),
    _sample(
        "degiro in English, pence, a split and a dividend taken back", "degiro",
        "Date,Time,Value date,Product,ISIN,Description,FX,Change,,Balance,,Order Id",
        f"""
02-07-2024,09:00,02-07-2024,HARBOUR,{HARBOUR},Sell 10 HARBOUR@300 GBX ({HARBOUR}),,GBP,30.00,GBP,30.80,b
10-06-2024,08:01,10-06-2024,HARBOUR,{HARBOUR},STOCK SPLIT: Buy 40 HARBOUR@250 GBX,,GBP,-100.00,GBP,0.80,
10-06-2024,08:01,10-06-2024,HARBOUR,{HARBOUR},STOCK SPLIT: Sell 20 HARBOUR@500 GBX,,GBP,100.00,GBP,100.80,
05-06-2024,08:01,05-06-2024,HARBOUR,{HARBOUR},Dividend,,GBP,-1.50,GBP,0.80,
04-06-2024,08:01,04-06-2024,HARBOUR,{HARBOUR},Dividend,,GBP,1.50,GBP,2.30,
01-03-2024,09:00,01-03-2024,HARBOUR,{HARBOUR},Buy 20 HARBOUR@496 GBX ({HARBOUR}),,GBP,-99.20,GBP,0.80,a
01-03-2024,08:00,01-03-2024,,,Deposit,,GBP,100.00,GBP,100.00,
""",
        [1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4],
        currency="GBP", created=3, ignored=4, reconciled=True, instruments={HARBOUR: "HARBOUR.GBP.DEMO"},
        # 20 at 4.96 become 40 at 2.48; 10 sold at 3
        held={"HARBOUR.GBP.DEMO": (30, D("2.48"), D("74.4"), D("5.2"), 0, 0)},
    ),
    _sample(
        "degiro in Portuguese, points and commas in one file", "degiro",
        "Data,Hora,Data Valor,Produto,ISIN,Descrição,T.,Mudança,,Saldo,,ID da Ordem",
        f"""
02-04-2024,14:42,02-04-2024,WORLD,{FUND},Comissões de transação DEGIRO e/ou taxas de terceiros,,EUR,"-0,50",EUR,"820,79",y
02-04-2024,14:42,02-04-2024,WORLD,{FUND},"Venda 2 WORLD@60,5 EUR ({FUND})",,EUR,121.00,EUR,821.29,y
15-03-2024,09:05,15-03-2024,WORLD,{FUND},Comissões de transação DEGIRO e/ou taxas de terceiros,,EUR,-1.00,EUR,700.29,x
15-03-2024,09:05,15-03-2024,WORLD,{FUND},"Compra 6 WORLD@49,785 EUR ({FUND})",,EUR,-298.71,EUR,701.29,x
14-03-2024,09:05,14-03-2024,,,iDEAL Depósitos,,EUR,1000.00,EUR,1000.00,
""",
        [2, 3, 4], [0, 1, 2, 3],
        currency="EUR", created=2, ignored=3, reconciled=True, instruments={FUND: "WERELD.EUR.DEMO"},
        # 298.71 + 1 for 6; 2 sold for 121 - 0.5 = 120.50, their cost 99.9033...
        held={"WERELD.EUR.DEMO": (4, D("49.9517"), D("199.8067"), D("20.5967"), 0, 0)},
    ),
]  # fmt: skip

DEGIRO.append(
    _sample(
        "degiro in French, a dividend in another currency than the listing", "degiro",
        "Date,Heure,Date de,Produit,ISIN,Description,FX,Mouvements,,Solde,,ID Ordre",
        f"""
02-07-2024,07:00,28-06-2024,,,Ingreso Cambio de Divisa,,EUR,1.84,EUR,201.84,
02-07-2024,07:00,28-06-2024,,,Retirada Cambio de Divisa,1.0870,USD,-2.00,USD,0.00,
28-06-2024,06:58,27-06-2024,WORLD,{FUND},Dividende,,USD,2.30,USD,2.00,
28-06-2024,06:58,27-06-2024,WORLD,{FUND},Impôts sur dividende,,USD,-0.30,USD,-0.30,
11-03-2024,10:39,11-03-2024,WORLD,{FUND},Frais DEGIRO de courtage et/ou de parties tierces,,EUR,-5.00,EUR,200.00,f
11-03-2024,10:39,11-03-2024,WORLD,{FUND},"Achat 10 WORLD@79,50 EUR ({FUND})",,EUR,-795.00,EUR,205.00,f
10-03-2024,10:39,10-03-2024,,,Versement,,EUR,1000.00,EUR,1000.00,
""",
        [2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5],
        currency="EUR", created=3, ignored=4, reconciled=True, instruments={FUND: "WERELD.EUR.DEMO"},
        rates=(("USD", "EUR", date(2024, 6, 28), "0.92"), ("EUR", "USD", date(2024, 6, 28), "1.086956521739130")),
        # 795 + 5 for 10; 2.30 and 0.30 USD at 0.92
        held={"WERELD.EUR.DEMO": (10, 80, 800, 0, D("2.116"), D("0.276"))},
    )
)  # fmt: skip

# --- Interactive Brokers --------------------------------------------------------------------------

_IBKR_CASH = '"Type","SettleDate","ISIN","Description","Amount","CurrencyPrimary"'
_ACTIVITY_HEADER = "Statement,Header,Field Name,Field Value"
_TRADES = (
    "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,"
    "Comm/Fee,Basis,Realized P/L,MTM P/L,Code"
)
_ACTIONS = (
    "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,"
    "Realized P/L,Code"
)
IBKR = [
    _sample(
        "ibkr trades", "ibkr-trades",
        '"Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","TradeMoney","CurrencyPrimary","IBCommission","IBCommissionCurrency"',
        f"""
"BUY","20240304","{ATLAS}","10","100.5","1005","USD","-1","USD"
"SELL","20240304","","-1000","1.09","-1090","USD","-2","USD"
"SELL","20240403","{ATLAS}","-4","110","-440","USD","-1","USD"
""",
        [0, 1], [1, 2],
        currency="USD", created=2, ignored=1, instruments={ATLAS: "ATLAS.USD.DEMO"},
        # 1,005 + 1 for 10; 4 sold for 440 - 1, their cost 402.40
        held={"ATLAS.USD.DEMO": (6, D("100.6"), D("603.6"), D("36.6"), 0, 0)},
    ),
    _sample(
        "ibkr trades with ids and a commission in another currency", "ibkr-trades",
        '"Symbol","Description","Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","CurrencyPrimary","IBCommission","IBCommissionCurrency","TradeID"',
        f"""
"ATL","ATLAS INC","BUY","2024-03-04","{ATLAS}","10","50","USD","-1","EUR","7001"
"ATL","ATLAS INC","SELL","2024-04-04","{ATLAS}","-4","60","USD","-1","EUR","7002"
""",
        [0], [0, 1],
        currency="EUR", created=2, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO"},
        rates=(("USD", "EUR", date(2024, 3, 4), "0.8"), ("USD", "EUR", date(2024, 4, 4), "0.8")),
        # 1 EUR is 1.25 USD: 501.25 USD, 401 EUR; 4 sold for 238.75 USD, 191 EUR, their cost 160.40
        # EUR
        held={"ATLAS.USD.DEMO": (6, D("50.125"), D("240.6"), D("30.6"), 0, 0)},
    ),
    _sample(
        "ibkr cash with a tax paid back", "ibkr-cash", _IBKR_CASH,
        f"""
"Dividends","20240516","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 0.5 PER SHARE (Ordinary)","3","USD"
"Withholding Tax","20240516","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 0.5 - US TAX","-0.45","USD"
"Withholding Tax","20240517","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 0.6 - US TAX","-0.9","USD"
"Withholding Tax","20240518","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 0.6 - US TAX","0.9","USD"
"Broker Interest Received","20240604","","USD CREDIT INT","1.25","USD"
""",
        [0, 1], [1, 2, 3, 4],
        currency="USD", created=2, ignored=3, instruments={ATLAS: "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (0, None, 0, 0, 3, D("0.45"))},
    ),
    _sample(
        "ibkr cash with a payment in lieu", "ibkr-cash", _IBKR_CASH,
        f"""
"Payment In Lieu Of Dividends","20240610","{ATLAS}","ATL({ATLAS}) PAYMENT IN LIEU OF DIVIDEND (Ordinary Dividend)","2.5","USD"
"Dividends","20240612","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 1 PER SHARE (Ordinary Dividend)","10","USD"
"Withholding Tax","20240612","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 1 PER SHARE - US TAX","-1.5","USD"
""",
        [0, 1], [1, 2],
        currency="USD", created=3, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (0, None, 0, 0, D("12.5"), D("1.5"))},
    ),
    _sample(
        "ibkr activity with a split", "ibkr-activity", _ACTIVITY_HEADER,
        f"""
Statement,Data,Title,Activity Statement
{_TRADES}
Trades,Data,Order,Stocks,USD,ATL,"2024-03-04, 09:45:31","1,000",10.00,10,-10000,-5.00,10005,0,0,O
Trades,Data,Order,Stocks,USD,ATL,"2024-07-03, 10:05:00","-2,000",4.00,4,8000,-5.00,-5002.5,2992.5,0,C
Trades,SubTotal,,Stocks,USD,ATL,,-1000,,,,,,,,
Trades,Data,Order,Forex,USD,EUR.USD,"2024-03-04, 09:40:00",-500,1.08,,540,-2,,,,
{_ACTIONS}
Corporate Actions,Data,Stocks,USD,2024-06-10,"2024-06-07, 20:25:00","ATL({ATLAS}) Split 4 for 1 (ATL, ATLAS INC, {ATLAS})",3000,0,0,0,
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2024-05-15,ATL({ATLAS}) Cash Dividend USD 0.05 per Share (Ordinary Dividend),50
Dividends,Data,Total,,,50
Withholding Tax,Header,Currency,Date,Description,Amount,Code
Withholding Tax,Data,USD,2024-05-15,ATL({ATLAS}) Cash Dividend USD 0.05 per Share - US Tax,-7.5,
""",
        [0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12], [0, 1, 3, 4, 6, 7, 8, 9, 10, 11, 12],
        currency="USD", created=5, ignored=1, instruments={ATLAS: "ATLAS.USD.DEMO"},
        # 1,000 for 10,005 become 4,000 at 2.50125; 2,000 sold for 7,995, their cost 5,002.50
        held={"ATLAS.USD.DEMO": (2000, D("2.50125"), D("5002.5"), D("2992.5"), 50, D("7.5"))},
    ),
    _sample(
        "ibkr activity with a reverse split and cash", "ibkr-activity", _ACTIVITY_HEADER,
        f"""
Statement,Data,Title,Activity Statement
{_TRADES}
Trades,Data,Order,Stocks,USD,HRB,"2024-03-04, 09:45:31",100,5.00,5,-500,-1.00,501,0,0,O
Trades,Data,Order,Stocks,USD,HRB,"2024-07-03, 10:05:00",-4,60.00,60,240,-1.00,-200.4,38.6,0,C
{_ACTIONS}
Corporate Actions,Data,Stocks,USD,2024-06-10,"2024-06-07, 20:25:00","HRB(US0000000029) Split 1 for 10 (HRB, HARBOR INC, US0000000029)",-90,0,0,0,
Corporate Actions,Data,Total,,,,,,0,0,0,
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2024-08-15,HRB(US0000000029) Cash Dividend USD 0.5 per Share (Ordinary Dividend),3
Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2024-03-01,Electronic Fund Transfer,1000
Deposits & Withdrawals,Data,Total,,,1000
Interest,Header,Currency,Date,Description,Amount
Interest,Data,USD,2024-06-05,USD Credit Interest,1.11
""",
        [0, 1, 2, 4, 5, 6, 9, 10, 11], [0, 1, 3, 4, 5, 6, 7, 8, 12, 13],
        currency="USD", created=4, ignored=2, instruments={"US0000000029": "HARBOR.USD.DEMO"},
        # 100 for 501 become 10 at 50.10; 4 sold for 239, their cost 200.40
        held={"HARBOR.USD.DEMO": (6, D("50.1"), D("300.6"), D("38.6"), 3, 0)},
    ),
]  # fmt: skip

# --- Trading 212 ----------------------------------------------------------------------------------

TRADING212 = [
    _sample(
        "trading212 in dollars and pence", "trading212",
        "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,Result,"
        "Currency (Result),Total,Currency (Total),Withholding tax,Currency (Withholding tax),Notes,ID,"
        "Currency conversion fee,Currency (Currency conversion fee),Stamp duty reserve tax,"
        "Currency (Stamp duty reserve tax)",
        f"""
Deposit,2024-03-01 08:00:00,,,,,,,,,,1000.00,EUR,,,,T-0,,,,
Market buy,2024-03-04 14:30:00,{ATLAS},ATL,Atlas,10,50.00,USD,1.25,,EUR,401.00,EUR,,,,T-1,1.00,EUR,,
Market buy,2024-03-05 09:00:00,{HARBOUR},HBR,Harbour,100,496.00,GBX,80,,EUR,624.10,EUR,,,,T-3,,,4.10,EUR
Limit sell,2024-04-04 14:30:00,{ATLAS},ATL,Atlas,4,60.00,USD,1.20,39,EUR,199.00,EUR,,,,T-2,1.00,EUR,,
Dividend (Dividend),2024-05-16 10:00:00,{HARBOUR},HBR,Harbour,100,5.00,GBX,Not available,,,5.80,EUR,0.00,GBX,,,,,,
Interest on cash,2024-06-01 02:00:00,,,,,,,,,,0.07,EUR,,,,T-4,,,,
""",
        [0, 1, 2], [1, 2, 3, 4, 5],
        currency="EUR", created=4, ignored=2, instruments={ATLAS: "ATLAS.USD.DEMO", HARBOUR: "HARBOUR.GBP.DEMO"},
        rates=(("GBP", "EUR", date(2024, 5, 16), "1.16"),),
        held={
            # 500 USD and 1 EUR = 1.25 USD, all at 1 / 1.25; 4 sold for 240 USD - 1.20 at 1 / 1.20,
            # their cost 160.40 EUR
            "ATLAS.USD.DEMO": (6, D("50.125"), D("240.60"), D("38.60"), 0, 0),
            # 496 GBP at 100 / 80 EUR and 4.10 EUR, which is 3.28 GBP; a dividend of 5 GBP
            "HARBOUR.GBP.DEMO": (100, D("4.9928"), D("624.10"), 0, D("5.80"), 0),
        },
    ),
    _sample(
        "trading212 with a split and free shares in the newer layout", "trading212",
        "Action,Time (UTC),ISIN,Ticker,Name,Notes,ID,No. of shares,Price / share,Currency (Price / share),"
        "Exchange rate,Total,Currency (Total)",
        f"""
Market buy,2024-03-04 14:30:00,{ATLAS},ATL,Atlas,,E-1,29.8,2.00,EUR,1,59.60,EUR
Stock split close,2024-06-10 07:24:24,{ATLAS},ATL,Atlas,,E-2,29.8,2,EUR,1,59.60,EUR
Stock split open,2024-06-10 07:24:24,{ATLAS},ATL,Atlas,,E-3,7.45,8,EUR,1,59.60,EUR
Stock distribution,2024-07-01 07:24:24,{ATLAS},ATL,Atlas,,E-4,0.05,0.00,EUR,,0.00,EUR
Transfer out,2024-07-02 07:24:24,{ATLAS},ATL,Atlas,,E-5,2.5,8,EUR,1,20.00,EUR
""",
        [0, 1, 2], [1, 2, 3, 4],
        currency="EUR", created=4, ignored=1, instruments={ATLAS: "ATLAS.EUR.DEMO"},
        # 59.60 for 29.8, a quarter of that after 1 for 4, and 0.05 for nothing: 59.60 / 7.5 a share
        held={"ATLAS.EUR.DEMO": (5, D("7.9467"), D("39.7333"), 0, 0, 0)},
    ),
]  # fmt: skip

# --- Saxo -----------------------------------------------------------------------------------------

_SAXO = (
    "Client ID,Trade Date,Value Date,Type,Instrument,Instrument ISIN,Instrument currency,Exchange Description,"
    "Instrument Symbol,Event,{amount},Order ID,Conversion Rate{more}"
)
_PAPER = f"Wereldfonds,{FUND},EUR,Euronext Amsterdam,WERELD:xams"
SAXO = [
    _sample(
        "saxo of 2025", "saxo", _SAXO.format(amount="Amount", more=""),
        f"""
1,10-jul-2024,10-jul-2024,Corporate action,{_PAPER},Dividend,"12,50",,1
1,02-Apr-2024,04-Apr-2024,Trade,{_PAPER},Sell 4 @ 110.00 EUR,"437,00",7002,1
1,04-mrt-2024,06-mrt-2024,Transactie,{_PAPER},Koop 10 @ 99.50 EUR,"-998,00",7001,1
1,01-Mar-2024,01-Mar-2024,Cash Transfer,,,EUR,,,Deposit,1000,,1
""",
        [1, 2, 3], [0, 1, 2],
        currency="EUR", created=3, ignored=1, instruments={FUND: "WERELD.EUR.DEMO"},
        # 995 and 3 of commission; 4 sold for 440 - 3, their cost 399.20
        held={"WERELD.EUR.DEMO": (6, D("99.8"), D("598.8"), D("37.8"), D("12.5"), 0)},
    ),
    _sample(
        "saxo of 2026, points and commas in one file", "saxo",
        _SAXO.format(amount="Booked Amount", more=",From Derivative,Underlying asset type"),
        f"""
1,10-jun-2026,10-jun-2026,Corporate action,{_PAPER},Dividend,25.6,,1,No,
1,05-mei-2026,07-mei-2026,Transactie,{_PAPER},Verkoop 40 @ 105.00 EUR,"4195,50",8002,1,No,
1,24-feb-2026,26-feb-2026,Trade,{_PAPER},Buy 100 @ 99.68 EUR,"-9979,46",8001,1,No,
1,02-jan-2026,02-jan-2026,Cash amount,,,EUR,,,Custody Fee,"-3,91",,1,No,
""",
        [1, 2, 3], [0, 1, 2],
        currency="EUR", created=3, ignored=1, instruments={FUND: "WERELD.EUR.DEMO"},
        # 9,968 and 11.46; 40 sold for 4,200 - 4.50, their cost 3,991.784
        held={"WERELD.EUR.DEMO": (60, D("99.7946"), D("5987.676"), D("203.716"), D("25.6"), 0)},
    ),
]  # fmt: skip

# --- Revolut --------------------------------------------------------------------------------------

_REVOLUT = "Date,Ticker,Type,Quantity,Price per share,Total Amount,Currency,FX Rate"
_COINS = "Symbol,Type,Quantity,Price,Value,Fees,Date"
REVOLUT = [
    _sample(
        "revolut in dollars with a split", "revolut", _REVOLUT,
        """
2024-03-01T08:00:00.000Z,,CASH TOP-UP,,,$500,USD,1.08
2024-03-04T14:30:00.000Z,ATL,BUY - MARKET,2,"$1,000.50","$2,002.00",USD,1.08
2024-04-04T14:30:00.000Z,ATL,STOCK SPLIT,6,,$0,USD,1.08
2024-05-04T14:30:00.000Z,ATL,SELL - LIMIT,3,$300.00,$899.00,USD,1.08
2024-05-16T14:30:00.000Z,ATL,DIVIDEND,,,$1.25,USD,1.08
2024-06-02T14:30:00.000Z,,CUSTODY FEE,,,−$0.10,USD,1.08
""",
        [0, 1, 2, 3], [1, 2, 3, 4, 5],
        currency="USD", created=4, ignored=2, instruments={"ATL": "ATLAS.USD.DEMO"},
        # 2 for 2,002 become 8 at 250.25; 3 sold for 900 - 1, their cost 750.75
        held={"ATLAS.USD.DEMO": (5, D("250.25"), D("1251.25"), D("148.25"), D("1.25"), 0)},
    ),
    _sample(
        "revolut in euro, points and commas in one file", "revolut", _REVOLUT,
        """
2025-06-05T07:26:04.809Z,ATL,BUY - MARKET,"0,5",€100.00,€50,EUR,1.0000
2025-07-01T07:26:04.809Z,ATL,BUY - MARKET,1.5,€90.00,€136,EUR,1.0000
2025-08-08T07:29:03.333Z,ATL,SELL - MARKET,1,€120.00,€119.50,EUR,1
2025-09-01T07:29:03.333Z,ATL,DIVIDEND,,,€2.00,EUR,1
2025-09-02T07:29:03.333Z,,CASH WITHDRAWAL,,,-€20,EUR,1
""",
        [0, 1, 2], [2, 3, 4],
        currency="EUR", created=4, ignored=1, instruments={"ATL": "ATLAS.EUR.DEMO"},
        # 50 and 135 + 1 for 2; one sold for 120 - 0.50
        held={"ATLAS.EUR.DEMO": (1, 93, 93, D("26.5"), 2, 0)},
    ),
    _sample(
        "revolut crypto in euro", "revolut-crypto", _COINS,
        """
BTC,Buy,0.01,"€40,000.00",€400.00,€6.00,"Mar 4, 2024, 10:10:57 AM"
BTC,Sell,0.004,"€50,000.00",€200.00,€3.00,"Apr 4, 2024, 10:10:57 PM"
BTC,Stake,0.001,"€50,000.00",€50.00,€0.00,"Apr 5, 2024, 10:10:57 PM"
BTC,Staking reward,0.001,,,,"Apr 6, 2024, 10:10:57 PM"
BTC,Send,0.002,"€51,000.00",€102.00,€0.00,"Apr 7, 2024, 10:10:57 PM"
""",
        [0, 1, 2], [1, 2, 3, 4],
        currency="EUR", created=4, ignored=1, instruments={"BTC-EUR": "BITCOIN.EUR.DEMO"},
        # 400 + 6; 0.004 sold for 200 - 3, their cost 162.40; 243.60 for 0.007 with the reward, of
        # which 0.002 leave
        held={"BITCOIN.EUR.DEMO": (D("0.005"), 34800, 174, D("34.6"), 0, 0)},
    ),
    _sample(
        "revolut crypto in kronor", "revolut-crypto", _COINS,
        """
ETH,Buy,0.5,"20,000.00 SEK","10,000.00 SEK",100.00 SEK,"May 5, 2024, 10:10:57 PM"
ETH,Receive,0.5,"22,000.00 SEK","11,000.00 SEK",0.00 SEK,"Jun 1, 2024, 6:18:21 PM"
ETH,Sell,0.4,"25,000.00 SEK","10,000.00 SEK",50.00 SEK,"Jun 2, 2024, 9:10:31 PM"
ETH,Learn reward,0.1,,,,"Nov 9, 2024, 3:50:00 AM"
""",
        [0, 1, 2], [1, 2, 3],
        currency="SEK", created=4, ignored=0, instruments={"ETH-SEK": "ETHER.SEK.DEMO"},
        # 10,100 and 11,000 for 1; 0.4 sold for 9,950, their cost 8,440; 12,660 for 0.7
        held={"ETHER.SEK.DEMO": (D("0.7"), D("18085.714"), 12660, 1510, 0, 0)},
    ),
]  # fmt: skip

# --- Schwab ---------------------------------------------------------------------------------------

_SCHWAB = "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount"
SCHWAB = [
    _sample(
        "schwab with a split and a reinvestment", "schwab", _SCHWAB,
        """
"10/31/2024","Reinvest Shares","ATL","ATLAS INC","0.5","$40.00","","-$20.00"
"10/31/2024","Reinvest Dividend","ATL","ATLAS INC","","","","$20.00"
"09/06/2024","Foreign Tax Paid","ATL","ATLAS INC","","","","-$1.30"
"08/22/2024","Sell","ATL","ATLAS INC","100","$41.00","$10.00","$4,090.00"
"07/15/2024 as of 07/12/2024","Stock Split","ATL","ATLAS INC","900","","",""
"06/13/2024","Buy","ATL","ATLAS INC","100","$400.00","","-$40,000.00"
"06/12/2024","MoneyLink Transfer","","TFR BANK","","","","$50,000.00"
Transactions Total,,,,,,,"$14,078.70"
""",
        [3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 7],
        currency="USD", created=6, ignored=2, instruments={"ATL": "ATLAS.USD.DEMO"},
        # 1,000 at 40; 100 sold for 4,100 - 10; half a share more at 40
        held={"ATLAS.USD.DEMO": (D("900.5"), 40, 36020, 90, 20, D("1.3"))},
    ),
    _sample(
        "schwab with free shares, fees and shares moved away", "schwab", _SCHWAB,
        """
"06/28/2024","Service Fee","","WIRE","","","","−$25.00"
"06/20/2024","Journaled Shares","HRB","HARBOR ADR","-1","","",""
"06/10/2024 as of 06/07/2024","Cash In Lieu","HRB","HARBOR ADR","","","","$5.49"
"05/06/2024","ADR Mgmt Fee","HRB","HARBOR ADR","","","","-$0.50"
"05/06/2024","Foreign Tax Paid","HRB","HARBOR ADR","","","","-$1.30"
"04/22/2024","Sell","HRB","HARBOR ADR","3","$90.00","$5.00","$265.00"
"03/15/2024","Stock Div Dist","HRB","HARBOR ADR","2","","",""
"02/13/2024","Buy","HRB","HARBOR ADR","10","$100.00","","-$1,000.00"
""",
        [3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5],
        currency="USD", created=7, ignored=1, instruments={"HRB": "HARBOR.USD.DEMO"},
        # 12 for 1,000; 3 sold for 270 - 5, their cost 250; one of nine for 750 moved away
        held={"HARBOR.USD.DEMO": (8, D("83.3333"), D("666.6667"), 15, D("5.49"), D("1.8"))},
    ),
]  # fmt: skip

# --- Scalable Capital -----------------------------------------------------------------------------

_SCALABLE = "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency"
SCALABLE = [
    _sample(
        "scalable with a taxed distribution", "scalable", _SCALABLE,
        f"""
2024-05-16;11:40:50;Executed;"S-4";"Atlas Inc";Cash;Distribution;{ATLAS};;;10;0;1,5;EUR
2024-04-03;09:00:00;Executed;"S-3";"Atlas Inc";Security;Sell;{ATLAS};-4;110;440;0,99;2;EUR
2024-03-05;09:00:00;Pending;"S-2";"Atlas Inc";Security;Buy;{ATLAS};1;100;-100;0;0;EUR
2024-03-04;09:00:00;Executed;"S-1";"Atlas Inc";Security;Savings plan;{ATLAS};10;100,5;-1005;0;0;EUR
2024-03-01;09:00:00;Executed;"S-0";"Bank";Cash;Deposit;;;;2500;0;;EUR
""",
        [1, 2, 3, 4], [0, 1, 2],
        currency="EUR", created=3, ignored=2, instruments={ATLAS: "ATLAS.EUR.DEMO"},
        # 10 at 100.50; 4 sold for 440 - 2.99, their cost 402
        held={"ATLAS.EUR.DEMO": (6, D("100.5"), 603, D("35.01"), D("8.5"), 0)},
    ),
    _sample(
        "scalable with thousands", "scalable", _SCALABLE,
        f"""
2024-07-16;11:40:50;Executed;"S-8";"Wereldfonds";Cash;Distribution;{FUND};;;6;0;0;EUR
2024-07-10;09:00:00;Cancelled;"S-7";"Wereldfonds";Security;Sell;{FUND};-1;111;111;0;0;EUR
2024-06-03;09:00:00;Executed;"S-6";"Wereldfonds";Security;Sell;{FUND};-2;110;220;0,99;1,5;EUR
2024-05-04;09:00:00;Executed;"S-5";"Wereldfonds";Security;Buy;{FUND};12;102,88;-1.234,56;0,99;0;EUR
""",
        [2, 3], [0, 1, 2],
        currency="EUR", created=3, ignored=1, instruments={FUND: "WERELD.EUR.DEMO"},
        # 1,234.56 + 0.99 for 12; 2 sold for 220 - 2.49, their cost 205.925
        held={"WERELD.EUR.DEMO": (10, D("102.9625"), D("1029.625"), D("11.585"), 6, 0)},
    ),
]  # fmt: skip

# --- Trade Republic -------------------------------------------------------------------------------

_TRADE_REPUBLIC = (
    '"datetime","date","account_type","category","type","asset_class","name","symbol","shares","price","amount","fee",'
    '"tax","currency","original_amount","original_currency","fx_rate","description","transaction_id",'
    '"counterparty_name","counterparty_iban","payment_reference","mcc_code"'
)
BOND = "XS0000000009"
TRADE_REPUBLIC = [
    _sample(
        "trade republic with a taxed dividend", "traderepublic", _TRADE_REPUBLIC,
        f"""
"2024-03-01T08:00:00.000Z","2024-03-01","DEFAULT","CASH","CUSTOMER_INPAYMENT","","","","","","1500.000000","","","EUR","","","","","id-0","","","",""
"2024-03-04T09:30:00.000Z","2024-03-04","DEFAULT","TRADING","BUY","STOCK","Atlas","{ATLAS}","10.0000000000","100.000000","-1000.00","-1.00","","EUR","","","","","id-1","","","",""
"2024-05-16T00:55:48.000Z","2024-05-16","DEFAULT","CASH","DIVIDEND","STOCK","Atlas","{ATLAS}","10.0000000000","","9.000000","","-2.25","EUR","7.40","USD","1.096100","","id-2","","","",""
"2024-06-03T14:22:10.000Z","2024-06-03","DEFAULT","TRADING","SELL","STOCK","Atlas","{ATLAS}","-4.0000000000","110.000000","439.00","-1.00","-5.00","EUR","","","","","id-3","","","",""
"2024-06-04T14:22:10.000Z","2024-06-04","DEFAULT","CASH","CARD_TRANSACTION","","Shop","","","","-27.270000","","","EUR","","","","","id-4","","","","5999"
""",
        [0, 1, 2], [1, 2, 3, 4],
        currency="EUR", created=3, ignored=2, instruments={ATLAS: "ATLAS.EUR.DEMO"},
        # 1,000 + 1 for 10; 4 sold for 440 - 1 - 5 of tax, their cost 400.40; 9 less 2.25
        held={"ATLAS.EUR.DEMO": (6, D("100.1"), D("600.6"), D("33.6"), D("6.75"), 0)},
    ),
    _sample(
        "trade republic with a bond paid back and a depot moved", "traderepublic", _TRADE_REPUBLIC,
        f"""
"2025-07-31T00:33:27.256Z","2025-07-31","DEFAULT","DELIVERY","MIGRATION","FUND","Wereldfonds","{FUND}","8.5000000000","94.344000","","","","EUR","","","","","id-9","","","",""
"2025-07-31T00:33:27.243Z","2025-07-31","DEFAULT","DELIVERY","MIGRATION","FUND","Wereldfonds","{FUND}","-8.5000000000","94.344000","","","","EUR","","","","","id-8","","","",""
"2025-02-14T23:19:02.613Z","2025-02-15","DEFAULT","CORPORATE_ACTION","REDEMPTION","BOND","Bond Feb. 2025","{BOND}","-100.0000000000","1.000000","","","","EUR","","","","","id-7","","","",""
"2025-02-14T23:19:02.613Z","2025-02-15","DEFAULT","CORPORATE_ACTION","FINAL_MATURITY","BOND","Bond Feb. 2025","{BOND}","","","100.00","","","EUR","","","","","id-6","","","",""
"2024-09-02T15:21:43.161Z","2024-09-02","DEFAULT","TRADING","BUY","BOND","Bond Feb. 2025","{BOND}","100.0000000000","0.985000","-98.50","-1.00","","EUR","","","","","id-5","","","",""
"2024-05-02T15:21:43.161Z","2024-05-02","DEFAULT","TRADING","BUY","FUND","Wereldfonds","{FUND}","8.5000000000","90.000000","-765.00","","","EUR","","","","","id-4","","","",""
"2024-05-02T14:12:34.276Z","2024-05-02","DEFAULT","CASH","BENEFITS_SAVEBACK","FUND","Wereldfonds","{FUND}","","","4.310000","","","EUR","","","","","id-3","","","",""
""",
        [3, 4, 5, 6], [0, 1, 2, 3, 4],
        currency="EUR", created=3, ignored=4, instruments={FUND: "WERELD.EUR.DEMO", BOND: "BOND.EUR.DEMO"},
        held={
            "WERELD.EUR.DEMO": (D("8.5"), 90, 765, 0, 0, 0),
            "BOND.EUR.DEMO": (0, None, 0, D("0.5"), 0, 0),  # 98.50 + 1, paid back with 100
        },
    ),
]  # fmt: skip

# --- Swissquote -----------------------------------------------------------------------------------

_SWISSQUOTE = "Date;Order #;Transaction;Symbol;Name;ISIN;Quantity;Unit price;Costs;Accrued Interest;Net Amount;Balance;Currency"
SWISSQUOTE = [
    _sample(
        "swissquote in francs", "swissquote", _SWISSQUOTE,
        f"""
30-06-2024 18:01:13;00000000;Custody Fees;;;;1.0;50.00;3.85;0.00;-53.85;100.00;CHF
30-06-2024 16:35:13;00000000;Dividend;WERELD;WERELDFONDS;{FUND};1.0;48.50;0.00;0.00;48.50;153.85;CHF
16-06-2024 13:14:35;110152600;Sell;WERELD;WERELDFONDS;{FUND};40.0;32.50;15.25;0.00;1284.75;105.35;CHF
10-05-2024 14:31:42;106824458;Buy;WERELD;WERELDFONDS;{FUND};94.0;30.00;24.00;0.00;-2844.00;20.60;CHF
10-05-2024 14:31:42;106824458;Buy;WERELD;WERELDFONDS;{FUND};6.0;30.00;1.00;0.00;-181.00;2864.60;CHF
""",
        [2, 3, 4], [0, 1, 2],
        currency="CHF", created=4, ignored=1, instruments={FUND: "WERELD.CHF.DEMO"},
        # 3,000 + 25 for 100; 40 sold for 1,300 - 15.25, their cost 1,210
        held={"WERELD.CHF.DEMO": (60, D("30.25"), 1815, D("74.75"), D("48.5"), 0)},
    ),
    _sample(
        "swissquote in dollars after an exchange", "swissquote", _SWISSQUOTE,
        f"""
05-07-2024 09:22:24;113885172;Sell;ATL;ATLAS;{ATLAS};4.0;60.00;6.00;0.00;234.00;734.00;USD
23-05-2024 12:00:25;114723639;Forex credit;;;;1.0;1000.00;0.00;0.00;1000.00;1000.00;USD
23-05-2024 12:00:25;114723639;Forex debit;;;;1.0;900.00;0.00;0.00;-900.00;4100.00;CHF
24-05-2024 15:30:02;113947121;Buy;ATL;ATLAS;{ATLAS};10.0;49.50;5.00;0.00;-500.00;500.00;USD
""",
        [1, 2, 3], [0, 1, 3],
        currency="CHF", created=2, ignored=2, instruments={ATLAS: "ATLAS.USD.DEMO"},
        rates=(("USD", "CHF", date(2024, 5, 24), "0.9"), ("USD", "CHF", date(2024, 7, 5), "0.88")),
        # 500 USD at 0.9 for 10; 4 sold for 234 USD at 0.88 = 205.92, their cost 180
        held={"ATLAS.USD.DEMO": (6, 50, 270, D("25.92"), 0, 0)},
    ),
]  # fmt: skip

SAMPLES = [
    *GENERIC, *MAPPED, *NORDNET, *AVANZA, *DEGIRO, *IBKR, *TRADING212, *SAXO, *REVOLUT, *SCHWAB, *SCALABLE,
    *TRADE_REPUBLIC, *SWISSQUOTE,
]  # fmt: skip
