from decimal import Decimal as D

from integrations.statements.tests.samples.base import ATLAS, FUND, sample

_TRADE_REPUBLIC = (
    '"datetime","date","account_type","category","type","asset_class","name","symbol","shares","price","amount","fee",'
    '"tax","currency","original_amount","original_currency","fx_rate","description","transaction_id",'
    '"counterparty_name","counterparty_iban","payment_reference","mcc_code"'
)
BOND = "XS0000000009"
SAMPLES = [
    sample(
        "trade republic with a taxed dividend", "traderepublic", _TRADE_REPUBLIC,
        f"""
"2024-03-01T08:00:00.000Z","2024-03-01","DEFAULT","CASH","CUSTOMER_INPAYMENT","","","","","","1500.000000","","","EUR","","","","","id-0","","","",""
"2024-03-04T09:30:00.000Z","2024-03-04","DEFAULT","TRADING","BUY","STOCK","Atlas","{ATLAS}","10.0000000000","100.000000","-1000.00","-1.00","","EUR","","","","","id-1","","","",""
"2024-05-16T00:55:48.000Z","2024-05-16","DEFAULT","CASH","DIVIDEND","STOCK","Atlas","{ATLAS}","10.0000000000","","9.000000","","-2.25","EUR","7.40","USD","1.096100","","id-2","","","",""
"2024-06-03T14:22:10.000Z","2024-06-03","DEFAULT","TRADING","SELL","STOCK","Atlas","{ATLAS}","-4.0000000000","110.000000","439.00","-1.00","-5.00","EUR","","","","","id-3","","","",""
"2024-06-04T14:22:10.000Z","2024-06-04","DEFAULT","CASH","CARD_TRANSACTION","","Shop","","","","-27.270000","","","EUR","","","","","id-4","","","","5999"
""",
        [0, 1, 2], [1, 2, 3, 4],
        currency="EUR", created=5, ignored=0, instruments={ATLAS: "ATLAS.EUR.DEMO"},
        # 1,000 + 1 for 10; 4 sold for 440 - 1 - 5 of tax, their cost 400.40; 9 less 2.25
        held={"ATLAS.EUR.DEMO": (6, D("100.1"), D("600.6"), D("33.6"), D("6.75"), 0)},
    ),
    sample(
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
        [2, 3, 4, 5, 6], [0, 1, 2, 3, 4],
        currency="EUR", created=4, ignored=3, instruments={FUND: "WERELD.EUR.DEMO", BOND: "BOND.EUR.DEMO"},
        held={
            "WERELD.EUR.DEMO": (D("8.5"), 90, 765, 0, 0, 0),
            "BOND.EUR.DEMO": (0, None, 0, D("0.5"), 0, 0),  # 98.50 + 1, paid back with 100
        },
    ),
]  # fmt: skip
