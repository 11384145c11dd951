from datetime import date
from decimal import Decimal as D

from integrations.statements.tests.samples.base import (
    ATLAS,
    SKOG,
    sample,
)

_AVANZA = (
    "Datum;Konto;Typ av transaktion;Värdepapper/beskrivning;Antal;Kurs;Belopp;Transaktionsvaluta;Courtage (SEK);"
    "Valutakurs;Instrumentvaluta;ISIN;Resultat"
)
SAMPLES = [
    sample(
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
        currency="SEK", created=6, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO", SKOG: "SKOGEN.SEK.DEMO"},
        held={
            # 11,025 + 39 for 100; 40 sold for 5,220 - 39 = 5,181, their cost 4,425.60
            "SKOGEN.SEK.DEMO": (60, D("110.64"), D("6638.4"), D("755.4"), 0, 0),
            # 400 x 10.5 + 39; the dividend's rate is in its amount
            "ATLAS.USD.DEMO": (4, D("100.929"), D("4239.00"), 0, D("21.00"), 0),
        },
    ),
    sample(
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
        currency="SEK", created=9, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO", SKOG: "SKOGEN.SEK.DEMO"},
        rates=(("USD", "SEK", date(2024, 5, 16), "10.40"),),
        held={
            # 10.5 x 200; 4.5 sold with 10 a share of gain
            "SKOGEN.SEK.DEMO": (6, 200, 1200, 45, 0, 0),
            # 500 and 40 / 10 of commission in dollars; 2 sold for (240 - 2) x 10.25 = 2,439.50,
            # their cost 2,016
            "ATLAS.USD.DEMO": (3, D("100.8"), 3024, D("423.50"), 26, D("3.90")),
        },
    ),
    sample(
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
        currency="SEK", created=9, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO", SKOG: "SKOGEN.SEK.DEMO"},
        rates=(("USD", "SEK", date(2025, 11, 14), "9.50"),),
        held={
            "SKOGEN.SEK.DEMO": (D("0.5"), 200, 100, 0, 0, 0),
            # 190 x 9.22 x 9.541895 + 57.25 = 16,772.7417 for 190; 90 sold for 8,550 - 50, their
            # cost 7,944.9829
            "ATLAS.USD.DEMO": (100, D("9.2516"), D("8827.7588"), D("555.0171"), D("475.00"), D("71.25")),
        },
    ),
]  # fmt: skip
