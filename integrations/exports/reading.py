"""A user's export taken into this installation."""

import csv
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from financeproj.core.db.names import name_key
from financeproj.core.errors import Conflict
from financeproj.users.models import User
from integrations.archives import ArchiveReader, BadArchive
from integrations.exports.files import BOM, FILES, KIND, VERSION, File, value_of
from integrations.models import YnabBudget, YnabSettings
from marketdata import services as marketdata
from marketdata.models import StockMetadata, StockQuote
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry
from pensions.services import restore_accounts
from portfolios.models import (
    DismissedSplit,
    Holding,
    ImportBatch,
    InstrumentAlias,
    Portfolio,
    PortfolioBalance,
    Transaction,
)
from portfolios.services import restore_portfolios

CHUNK = 2000
# Some ten million prices; a bomb of a few kilobytes unpacks to more.
MOST_BYTES = 1_000_000_000
CELL_CHARACTERS = 16_000_000  # the 1,000 errors of an import are one cell

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Imported:
    """`is_new`: the user was made, and has no password yet. `rows`: file name → how many."""

    user: User
    is_new: bool
    rows: dict[str, int]


def import_export(path: Path, *, username: str | None = None) -> Imported:
    """Take an export in as the user of its name, or as `username`, all in one transaction.

    The user is made, or is one who has nothing here yet; else Conflict (`user_has_data`), also when
    the same file comes a second time. Ids stay as they are unless they are in use here. Raises
    BadArchive for a file that is damaged or contradicts itself, DomainError where a number does not
    fit or a replay gives other figures than those in the file; nothing is written then.
    """
    limit = csv.field_size_limit(CELL_CHARACTERS)
    try:
        with ArchiveReader(path, kind=KIND, version=VERSION, most_bytes=MOST_BYTES) as archive:
            archive.verify()
            if set(archive.files) != {file.name for file in FILES}:
                raise BadArchive("Its files are not those of an export.")
            with transaction.atomic():
                return _Taking(archive).take(username)
    except (IntegrityError, DataError) as error:
        raise BadArchive(f"Its rows contradict each other: {error}") from error
    finally:
        csv.field_size_limit(limit)


class _Taking:
    def __init__(self, archive: ArchiveReader) -> None:
        self.archive = archive
        self.where = ""  # the file and row that is being read
        # None that a process may have kept figures of the same key for.
        self.version = int(time.time())
        self.stocks: dict[UUID, StockMetadata] = {}
        self.known_before: set[UUID] = set()
        self.portfolios: set[UUID] = set()
        self.imports: set[UUID] = set()
        self.accounts: set[UUID] = set()
        self.portfolio_of: dict[UUID, UUID] = {}  # by holding

    def take(self, username: str | None) -> Imported:
        is_new = self._user(username)
        self.has_other_ids = self._ids_are_taken()
        self._market_data()
        self._ynab()
        restore_portfolios(
            user=self.user,
            portfolios=self._portfolios(),
            balances=self._balances(),
            imports=self._imports(),
            holdings=self._holdings(),
            transactions=self._transactions(),
            dismissed_splits=self._dismissed_splits(),
            aliases=(
                InstrumentAlias(user=self.user, **row) for row in self._rows("instrument_names.csv")
            ),
            known_before=self.known_before,
        )
        restore_accounts(
            user=self.user,
            accounts=self._accounts(),
            values=(
                PensionValueEntry(**self._in_account(row))
                for row in self._rows("pension_values.csv")
            ),
            contributions=(
                ContributionPlan(**self._in_account(row))
                for row in self._rows("pension_contributions.csv")
            ),
        )
        return Imported(
            self.user,
            is_new,
            {name: int(entry["rows"]) for name, entry in self.archive.files.items()},
        )

    # --- Rows -------------------------------------------------------------------------------------

    def _rows(self, name: str) -> Iterator[Row]:
        """Column → value of each row of a file that an export has. Raises BadArchive naming the
        row.
        """
        file = next(file for file in FILES if file.name == name)
        columns = list(zip(file.columns, file.fields, strict=True))
        count = 0
        for cells in self._cells(file):
            count += 1
            row = {}
            for (column, (field, is_nullable)), text in zip(columns, cells, strict=False):
                try:
                    row[column] = value_of(text, field, is_nullable)
                except ValidationError as error:
                    raise BadArchive(
                        f"{self.where}, {column}: {' '.join(error.messages)}"
                    ) from error
                except (ValueError, KeyError, ArithmeticError, RecursionError) as error:
                    raise BadArchive(
                        f"{self.where}, {column}: {text[:50]} cannot be read."
                    ) from error
            yield row
        if count != self.archive.files[name]["rows"]:
            raise BadArchive(
                f"{name} has {count:,} rows, its manifest says {self.archive.files[name]['rows']}."
            )

    def _cells(self, file: File) -> Iterator[list[str]]:
        try:
            lines = (line.decode() for line in self.archive.lines(file.name))
            table = csv.reader(lines, strict=True)
            header = next(table, [""])
            header[0] = header[0].removeprefix(BOM)
            if header != file.header:
                raise BadArchive(f"The columns of {file.name} are not those of version {VERSION}.")
            for number, cells in enumerate(table, start=1):
                self.where = f"{file.name} row {number}"
                if len(cells) != len(header):
                    raise BadArchive(f"{self.where} has {len(cells)} cells, not {len(header)}.")
                yield cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadArchive(f"{file.name} cannot be read as CSV: {error}.") from error

    def _own(self, pk: UUID) -> UUID:
        """The id here of what has the id `pk` in the file."""
        return uuid5(self.user.pk, str(pk)) if self.has_other_ids else pk

    def _known(self, pk: UUID, among: Container[UUID], what: str) -> UUID:
        """The id here of something that the file must have had before."""
        if pk not in among:
            raise BadArchive(f"{self.where}: the file has no {what} {pk}.")
        return self._own(pk)

    # --- The user ---------------------------------------------------------------------------------

    def _user(self, username: str | None) -> bool:
        profiles = list(islice(self._rows("profile.csv"), 2))
        if len(profiles) != 1:
            raise BadArchive("profile.csv has not one row.")
        [profile] = profiles
        name = username or profile["username"]
        user = User.objects.select_for_update().filter(username=name).first()
        is_new = user is None
        if user is None:
            user = User(**profile | {"username": name})
            user.set_unusable_password()
        else:
            if _has_data(user):
                raise Conflict(
                    f"{name} has portfolios, pension accounts or instruments here already, perhaps from this very "
                    "file. With --user it can be taken in as another user.",
                    code="user_has_data",
                )
            for field in ("base_currency", "retirement_goal_amount", "retirement_goal_year"):
                setattr(user, field, profile[field])
            for field in ("email", "first_name", "last_name"):
                setattr(user, field, getattr(user, field) or profile[field])
        try:
            user.full_clean(exclude=["password"])
        except ValidationError as error:
            raise BadArchive(f"profile.csv: {' '.join(error.messages)}") from error
        user.save()
        self.user = user
        return is_new

    def _ids_are_taken(self) -> bool:
        """Whether something here has an id of the file: then it gets ids that follow from the user
        and the old ones.
        """
        manual = StockMetadata.MANUAL
        own = [row["id"] for row in self._rows("instruments.csv") if row["source"] == manual]
        return (
            Portfolio.objects.filter(
                pk__in=[row["id"] for row in self._rows("portfolios.csv")]
            ).exists()
            or PensionAccount.objects.filter(
                pk__in=[row["id"] for row in self._rows("pension_accounts.csv")]
            ).exists()
            or StockMetadata.objects.filter(pk__in=own).exists()
        )

    def _ynab(self) -> None:
        for row in self._rows("ynab_budget.csv"):
            budget, _ = YnabBudget.objects.get_or_create(pk=row.pop("id"), defaults=row)
            YnabSettings.objects.get_or_create(user=self.user, defaults={"budget": budget})

    # --- Market data ------------------------------------------------------------------------------

    def _market_data(self) -> None:
        for row in self._rows("instruments.csv"):
            pk, is_manual = row["id"], row["source"] == StockMetadata.MANUAL
            new = StockMetadata(
                **row | ({"id": self._own(pk), "owner": self.user} if is_manual else {})
            )
            try:
                self.stocks[pk], is_known = marketdata.restore_instrument(row=new)
            except ValidationError as error:
                raise BadArchive(f"{self.where}: {' '.join(error.messages)}") from error
            if is_known:
                self.known_before.add(self.stocks[pk].pk)
        for name, column, take_over in (
            ("splits.csv", "ratio", marketdata.restore_splits),
            ("dividends.csv", "amount", marketdata.restore_dividends),
            ("prices.csv", "close", marketdata.restore_prices),
        ):
            for stock_id, rows in groupby(self._rows(name), key=lambda row: row["stock_id"]):
                stock = self._stock(stock_id)
                for chunk in _chunks((row["date"], row[column], row["source"]) for row in rows):
                    take_over(stock=stock, rows=chunk)
        for row in self._rows("quotes.csv"):
            marketdata.restore_quote(row=StockQuote(stock=self._stock(row.pop("stock_id")), **row))
        fetched = {
            (row["base"], row["target"]): row["fetched_at"]
            for row in self._rows("currency_pairs.csv")
        }
        for pair, rows in groupby(
            self._rows("exchange_rates.csv"),
            key=lambda row: (row["pair__base"], row["pair__target"]),
        ):
            if pair not in fetched:
                raise BadArchive(f"{self.where}: the file has no pair {' '.join(pair)}.")
            for chunk in _chunks((row["date"], row["rate"], row["source"]) for row in rows):
                marketdata.restore_rates(
                    base=pair[0], target=pair[1], rows=chunk, fetched_at=fetched[pair]
                )
        for (base, target), fetched_at in fetched.items():  # those without a rate too
            marketdata.restore_rates(base=base, target=target, rows=[], fetched_at=fetched_at)

    def _stock(self, pk: UUID) -> StockMetadata:
        if pk not in self.stocks:
            raise BadArchive(f"{self.where}: the file has no instrument {pk}.")
        return self.stocks[pk]

    # --- Portfolios -------------------------------------------------------------------------------

    def _portfolios(self) -> Iterator[Portfolio]:
        for row in self._rows("portfolios.csv"):
            self.portfolios.add(row["id"])
            row["id"] = self._own(row["id"])
            yield Portfolio(
                user=self.user, name_key=name_key(row["name"]), version=self.version, **row
            )

    def _in_portfolio(self, row: Row) -> Row:
        return row | {
            "portfolio_id": self._known(row["portfolio_id"], self.portfolios, "portfolio")
        }

    def _balances(self) -> Iterator[PortfolioBalance]:
        for row in self._rows("balances.csv"):
            yield PortfolioBalance(**self._in_portfolio(row))

    def _imports(self) -> Iterator[ImportBatch]:
        for row in self._rows("imports.csv"):
            self.imports.add(row["id"])
            row["id"] = self._own(row["id"])
            try:
                row["adopted"] = {
                    str(self._own(UUID(pk))): external_id
                    for pk, external_id in row["adopted"].items()
                }
            except (ValueError, AttributeError) as error:
                raise BadArchive(f"{self.where}, adopted: it cannot be read.") from error
            yield ImportBatch(**self._in_portfolio(row))

    def _holdings(self) -> Iterator[Holding]:
        for row in self._rows("holdings.csv"):
            self.portfolio_of[row["id"]] = row["portfolio_id"]
            row["id"] = self._own(row["id"])
            row["stock_id"] = self._stock(row["stock_id"]).pk
            yield Holding(version=self.version, **self._in_portfolio(row))

    def _dismissed_splits(self) -> Iterator[DismissedSplit]:
        for row in self._rows("dismissed_splits.csv"):
            row["holding_id"] = self._known(row["holding_id"], self.portfolio_of, "holding")
            yield DismissedSplit(**row)

    def _transactions(self) -> Iterator[Transaction]:
        for row in self._rows("transactions.csv"):
            holding_id = self._known(row["holding_id"], self.portfolio_of, "holding")
            if self.portfolio_of[row["holding_id"]] != row["portfolio_id"]:
                raise BadArchive(f"{self.where}: its holding is in another portfolio.")
            if row["import_batch_id"]:
                row["import_batch_id"] = self._known(row["import_batch_id"], self.imports, "import")
            row["id"] = self._own(row["id"])
            yield Transaction(**self._in_portfolio(row | {"holding_id": holding_id}))

    # --- Pensions ---------------------------------------------------------------------------------

    def _accounts(self) -> Iterator[PensionAccount]:
        for row in self._rows("pension_accounts.csv"):
            self.accounts.add(row["id"])
            row["id"] = self._own(row["id"])
            yield PensionAccount(user=self.user, name_key=name_key(row["name"]), **row)

    def _in_account(self, row: Row) -> Row:
        account_id = self._known(row["account_id"], self.accounts, "pension account")
        return row | {"id": self._own(row["id"]), "account_id": account_id}


def _has_data(user: User) -> bool:
    return any(
        rows.exists()
        for rows in (
            user.portfolios,
            user.pension_accounts,
            user.instruments,
            user.instrument_aliases,
        )
    )


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
