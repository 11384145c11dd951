from datetime import date
from decimal import Decimal as D

from integrations.statements.tests.samples.base import (
    ATLAS,
    FUND,
    HARBOUR,
    ORDER,
    sample,
)

SAMPLES = [
    sample(
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
        currency="EUR", created=6, ignored=4, reconciled=True, instruments={ATLAS: "ATLAS.USD.DEMO"},
        rates=(("USD", "EUR", date(2024, 5, 16), "0.92"),),
        # 324 USD for 300 EUR; the fee of 2 EUR is 2.16 USD: 326.16 / 3; 3 and 0.45 USD at 0.92
        held={"ATLAS.USD.DEMO": (3, D("108.72"), D("302.00"), 0, D("2.76"), D("0.414"))},
    ),
    sample(
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
        currency="GBP", created=4, ignored=3, reconciled=True, instruments={HARBOUR: "HARBOUR.GBP.DEMO"},
        # 20 at 4.96 become 40 at 2.48; 10 sold at 3
        held={"HARBOUR.GBP.DEMO": (30, D("2.48"), D("74.4"), D("5.2"), 0, 0)},
    ),
    sample(
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
        currency="EUR", created=3, ignored=2, reconciled=True, instruments={FUND: "WERELD.EUR.DEMO"},
        # 298.71 + 1 for 6; 2 sold for 121 - 0.5 = 120.50, their cost 99.9033...
        held={"WERELD.EUR.DEMO": (4, D("49.9517"), D("199.8067"), D("20.5967"), 0, 0)},
    ),
]  # fmt: skip

SAMPLES.append(
    sample(
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
        currency="EUR", created=6, ignored=1, reconciled=True, instruments={FUND: "WERELD.EUR.DEMO"},
        rates=(("USD", "EUR", date(2024, 6, 28), "0.92"), ("EUR", "USD", date(2024, 6, 28), "1.086956521739130")),
        # 795 + 5 for 10; 2.30 and 0.30 USD at 0.92
        held={"WERELD.EUR.DEMO": (10, 80, 800, 0, D("2.116"), D("0.276"))},
    )
)  # fmt: skip
