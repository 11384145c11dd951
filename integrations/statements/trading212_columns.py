"""Trading 212: which columns of a file are amounts, and where their currencies stand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from financeproj.core.identifiers import in_major_unit
from integrations.statements.base import Options, Table
from integrations.statements.raw_rows import RawRow

# Names of columns, in small letters. The net total is what moved the cash; rows without one, and
# files before 2026, have it in the other.
NET, GROSS, TOTAL = "net total", "gross total", "total"
CONVERSION_FEE = "currency conversion fee"
LEAVES_ACCOUNT, ARRIVES_THERE = "currency conversion from amount", "currency conversion to amount"
# Charges that may stand without a column for their currency. They are in the account's currency.
KNOWN_CHARGES = {
    CONVERSION_FEE, "stamp duty reserve tax", "stamp duty", "french transaction tax", "finra fee",
    "transaction fee", "uk ptm levy",
}  # fmt: skip
# Other amounts with a currency. All the rest are charges: countries have their own.
NOT_CHARGES = {
    "price / share",
    "result",
    TOTAL,
    GROSS,
    NET,
    "withholding tax",
    "charge amount",
    "deposit fee",
    LEAVES_ACCOUNT,
    ARRIVES_THERE,
}
_NAMED_CURRENCY = re.compile(r"\A(.+) \(([A-Z]{3})\)")
_TAX = re.compile(r"\b(?:tax|taxes|duty)\b")


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of the file: its column, and the column of its currency or that currency."""

    column: str
    currency_column: str = ""
    currency: str = ""

    def read(self, raw: RawRow) -> tuple[Decimal | None, str]:
        """Return the amount in a currency's major unit, and the currency if the row has it."""
        code = self.currency or raw[self.currency_column]
        amount = raw.number(self.column)
        if amount is None:
            return None, code
        return in_major_unit(amount, code)


@dataclass(frozen=True, slots=True)
class Columns:
    """`total` is what moved the cash, `gross` that before charges where the file has both."""

    total: Amount
    gross: Amount | None
    withheld: Amount
    leaves: Amount
    arrives: Amount
    conversion_fee: Amount
    fees: Sequence[Amount]
    taxes: Sequence[Amount]


def find_columns(table: Table, options: Options) -> Columns:
    """Find out which columns are amounts, and where their currencies stand."""
    names = [name.strip() for name in table.header]
    amounts: dict[str, Amount] = {}
    for name in names:
        currency_column = f"Currency ({name})"
        match = _NAMED_CURRENCY.fullmatch(name)
        if match and options.is_currency(match[2]):
            amounts[match[1].casefold()] = Amount(name, currency=match[2])
        elif currency_column in names:
            amounts[name.casefold()] = Amount(name, currency_column)
        elif name.casefold() in KNOWN_CHARGES:
            amounts[name.casefold()] = Amount(name)
    charges = [name for name in amounts if name not in NOT_CHARGES]
    taxes = set(filter(_TAX.search, charges))
    net, gross = amounts.get(NET), amounts.get(GROSS)
    return Columns(
        total=amounts.get(TOTAL) or net or gross or Amount("Total"),
        gross=gross if net else None,
        withheld=amounts.get("withholding tax") or Amount("Withholding tax"),
        leaves=amounts.get(LEAVES_ACCOUNT) or Amount(LEAVES_ACCOUNT),
        arrives=amounts.get(ARRIVES_THERE) or Amount(ARRIVES_THERE),
        conversion_fee=amounts.get(CONVERSION_FEE) or Amount(CONVERSION_FEE),
        fees=[amounts[name] for name in charges if name not in taxes],
        taxes=[amounts[name] for name in charges if name in taxes],
    )


def fill_net_totals(table: Table) -> None:
    """Write the gross total where a row has no net one: nothing was taken from it."""
    positions = {name.strip().casefold(): place for place, name in enumerate(table.header)}
    if not {NET, GROSS} <= positions.keys():
        return
    for cells in table.records:
        width = max(map(positions.__getitem__, (NET, GROSS)))
        if len(cells) <= width or cells[positions[NET]].strip():
            continue
        for of in ("{}", "currency ({})"):
            source, target = positions.get(of.format(GROSS)), positions.get(of.format(NET))
            if source is not None and target is not None and max(source, target) < len(cells):
                cells[target] = cells[source]


def is_total(name: str) -> bool:
    """Return whether a column has totals: Total, Total (EUR), or Net or Gross Total."""
    match = _NAMED_CURRENCY.fullmatch(name)
    plain = match[1] if match else name
    return plain.casefold() in (TOTAL, NET, GROSS)
