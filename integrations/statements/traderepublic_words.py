"""Trade Republic: the words of its export, and what they are."""

ACTION, DELIVERY, CRYPTO, PRIVATE_FUND = "CORPORATE_ACTION", "DELIVERY", "CRYPTO", "PRIVATE_FUND"
BONDS = {"BOND", "FIXED_INCOME"}
MAX_NOTE = 500

TRADES = {
    "BUY": "buy", "SELL": "sell", "BENEFITS_SAVEBACK_EXECUTION": "buy",
    "BENEFITS_SPARE_CHANGE_EXECUTION": "buy", "PRIVATE_MARKET_BUY": "buy",
    "PRIVATE_MARKET_SELL": "sell", "SAVINGS_PLAN_EXECUTED": "buy",
    "SAVINGS_PLAN_EXECUTION": "buy", "IPO_SUBSCRIPTION": "buy",
}  # fmt: skip
# Money that is paid before the shares come, or after they are gone, in rows of their own.
PRIVATE_MARKET = {"PRIVATE_MARKET_BUY", "PRIVATE_MARKET_SELL"}
DIVIDENDS = {
    "DIVIDEND", "DIVIDEND_PAYMENT", "DISTRIBUTION", "EXCHANGE", "DIVIDEND_EQUIVALENT_PAYMENT",
    "ADDITIONAL_INCOME",
}  # fmt: skip
COUPONS = {
    "INTEREST_PAYMENT", "COUPON_PAYMENT", "COUPON", "BOND_ACCRUED_INTEREST", "BOND_INTEREST",
}  # fmt: skip
PAYMENTS = DIVIDENDS | COUPONS
EARNINGS = "EARNINGS"
# What comes out of the cost.
RETURNS = {"CAPITAL_REPAYMENT", "CAPITAL_REDUCTION", "CAPITAL_RETURN", "RETURN_OF_CAPITAL"}
# What rows of money alone are. A deposit below 0 is a withdrawal. What an award buys is a row of
# its own.
OF_MONEY = {
    **dict.fromkeys((
        "GENERAL_INBOUND", "PAYMENT", "JUNIOR_P2P_TRANSFER", "BONUS", "KINDERGELD_BONUS",
        "STOCKPERK", "BENEFITS_SAVEBACK", "REFERRAL", "REFERRAL_FIRST_TRADE", "GIFT",
        "PEA_MARKETING",
    ), "deposit"),
    "FEE": "fee",
    "MANUAL_CASH_TRANSFER": "adjustment", "COMPENSATION": "adjustment",
    **dict.fromkeys(COUPONS, "interest"),
}  # fmt: skip
# Beginnings and ends of words for money that moves to and from the account.
MOVES_MONEY = (
    "CARD_", "CUSTOMER_", "TRANSFER_", "VIBAN_TRANSFER_", "INCOMING_TRANSFER", "OUTGOING_TRANSFER",
    "PAYMENT_INBOUND", "PAYMENT_OUTBOUND",
)  # fmt: skip
FEES_END = "_FEE"
# Tax alone; some name the fund that it is for.
TAXES = {
    "TAX_OPTIMIZATION", EARNINGS, "PRE_DETERMINED_TAX_BASE", "SEC_ACCOUNT", "TAX", "TAX_REFUND",
    "TAX_CORRECTION", "SSP_TAX_CORRECTION", "SSP_TAX_CORRECTION_INVOICE",
}  # fmt: skip
# Each country has its own words for other taxes: STAMP_DUTY, FINANCIAL_TRANSACTION_TAX.
TAX_WORDS = {"TAX", "TAXES", "DUTY", "BOLLO", "FTT", "TOB", "IRPF", "KEST"}
# A repayment is a row that takes the shares out, and often another with the money.
LIQUIDATION_DIVIDEND = "LIQUIDATION_DIVIDEND"
REPAYMENTS = {
    "REDEMPTION", "EARLY_REDEMPTION", "FINAL_MATURITY", "WARRANT_EXERCISE", "TILG",
    "LIQUIDATION_PROCEEDS", LIQUIDATION_DIVIDEND, "LIQUIDATION",
}  # fmt: skip
# Money for shares that were taken over or tendered, or that buys new ones.
CASH_FOR_SHARES = {"MERGER", "OFFER", "EXCHANGE", "CAPITAL_INC_CASH"}
MIGRATION, WORTHLESS, REINVESTMENT = "MIGRATION", "WORTHLESS", "DIVIDEND_REINVESTMENT"
FREE_RECEIPT, FREE_DELIVERY = "FREE_RECEIPT", "FREE_DELIVERY"
# The end of the word of a row that takes back another.
CANCELLED = "_CANCELLED"
SPLITS = {"SPLIT", "REVERSE_SPLIT"}
