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
    sample(
        "degiro transactions in Dutch, two fills in dollars", "degiro-trades",
        "Datum,Tijd,Product,ISIN,Beurs,Uitvoeringsplaats,Aantal,Koers,,Lokale waarde,,Waarde EUR,Wisselkoers,"
        "AutoFX Kosten,Transactiekosten en/of kosten van derden EUR,Totaal EUR,Order ID,",
        f"""
02-07-2024,10:00,ATLAS,{ATLAS},NDQ,XNAS,-1,"120,0000",USD,"120,00",USD,"110,00","1,0909","-0,28","-2,00","107,72",{ORDER}2,
04-03-2024,15:31,ATLAS,{ATLAS},NDQ,XNAS,2,"108,0000",USD,"-216,00",USD,"-200,00","1,0800","-0,50","-2,00","-202,00",,{ORDER}1
04-03-2024,15:31,ATLAS,{ATLAS},NDQ,XNAS,1,"108,0000",USD,"-108,00",USD,"-100,00","1,0800","-0,25",,"-100,25",,{ORDER}1
""",
        [1, 2], [0, 1, 2],
        currency="EUR", created=3, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO"},
        # 202.50 and 100.25 EUR for 324 USD and fees of 2.97; of the first total the exchange's fee is missing
        held={"ATLAS.USD.DEMO": (2, D("108.99"), D("201.83"), D("6.80"), 0, 0)},
    ),
    sample(
        "degiro transactions in English, pence and a split", "degiro-trades",
        "Date,Time,Product,ISIN,Reference,Venue,Quantity,Price,,Local value,,Value,,Exchange rate,"
        "Transaction and/or third,,Total,,Order ID",
        f"""
02-07-2024,09:00,HARBOUR,{HARBOUR},LSE,XLON,-10,300.0000,GBX,3000.00,GBX,30.00,GBP,100.0000,-1.00,GBP,29.00,GBP,{ORDER}4
10-06-2024,08:01,HARBOUR,{HARBOUR},LSE,,40,250.0000,GBX,-10000.00,GBX,-100.00,GBP,,,,-100.00,GBP,
10-06-2024,08:01,HARBOUR,{HARBOUR},LSE,,-20,500.0000,GBX,10000.00,GBX,100.00,GBP,,,,100.00,GBP,
01-03-2024,09:00,HARBOUR,{HARBOUR},LSE,XLON,20,496.0000,GBX,-9920.00,GBX,-99.20,GBP,,-0.80,GBP,-100.00,GBP,{ORDER}3
""",
        [1, 2, 3], [0, 1, 2, 3],
        currency="GBP", created=3, ignored=1, instruments={HARBOUR: "HARBOUR.GBP.DEMO"},
        # 20 for 100 become 40; 10 are sold for 29
        held={"HARBOUR.GBP.DEMO": (30, D("2.5"), 75, 4, 0, 0)},
    ),
]  # fmt: skip
