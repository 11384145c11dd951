"""Import a user's export into this installation."""

import csv
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from financeproj.core.db.names import free_name, name_key
from financeproj.core.errors import Conflict
from financeproj.history.models import HistoryEntry
from financeproj.history.services import check_entry, record, restore_history
from financeproj.users.history import user_object
from financeproj.users.models import User
from integrations.archives import ArchiveReader, BadArchive
from integrations.exports.files import KIND, OBJECTS_OF_THE_USER, VERSION
from integrations.exports.rows import ExportRows, Row
from integrations.models import AssignedBudget, YnabBudget, YnabSettings
from integrations.ynab.plans import may_choose
from marketdata import services as marketdata
from marketdata.models import StockMetadata, StockQuote
from marketdata.services.restore import Sourced
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry
from pensions.services import restore_accounts
from portfolios.calc.taken_back import TAKEN_BACK
from portfolios.models import (
    Checkpoint,
    DismissedSplit,
    Holding,
    ImportBatch,
    ImportMapping,
    InstrumentAlias,
    KnownRows,
    OpeningBalance,
    Portfolio,
    PortfolioBalance,
    Transaction,
    TransactionGroup,
)
from portfolios.services import restore_portfolios
from portfolios.services.taking_back import REVERSED_KEY

# The columns with ids, of a transaction that an import took back and of its group.
IDS = frozenset({"id", "portfolio_id", "holding_id", "group_id", "import_batch_id"})
CHUNK = 2000
# Some ten million prices. A bomb of a few kilobytes unpacks to more.
MOST_BYTES = 1_000_000_000
CELL_CHARACTERS = 16_000_000  # The 1,000 errors of an import are one cell.


@dataclass(frozen=True, slots=True)
class Imported:
    """`is_new`: the user was created and has no password yet. `rows`: file name → count."""

    user: User
    is_new: bool
    rows: dict[str, int]


def import_export(path: Path, *, username: str | None = None) -> Imported:
    """Import an export as the user named in it, or as `username`, in one transaction.

    The user is created, or has no data here yet; otherwise Conflict (`user_has_data`), also when
    the same file comes a second time. Ids stay as they are unless they are in use here. Raises
    BadArchive for a file that is damaged, contradicts itself or is of a later version, DomainError
    if a number does not fit or a replay gives other figures than the file. Nothing is written then.
    """
    limit = csv.field_size_limit(CELL_CHARACTERS)
    try:
        with ArchiveReader(path, kind=KIND, version=VERSION, most_bytes=MOST_BYTES) as archive:
            archive.verify()
            rows = ExportRows(archive)
            with transaction.atomic():
                user, is_new = _user(rows, username)
                _ExportImport(rows, user).run()
                counts = {name: int(entry["rows"]) for name, entry in archive.files.items()}
                record("restored", user_object(user), counts=counts)
            return Imported(user, is_new, counts)
    except (IntegrityError, DataError) as error:
        raise BadArchive(f"Its rows contradict each other: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _user(rows: ExportRows, username: str | None) -> tuple[User, bool]:
    """The user who gets the data, saved with what the profile says, and whether it is new."""
    profiles = list(islice(rows.of("profile.csv"), 2))
    if len(profiles) != 1:
        raise BadArchive("profile.csv must have one row.")
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
                f"{name} already has portfolios, pension accounts or instruments, perhaps from "
                "this file. Import it as another user with --user.",
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
    return user, is_new


def _has_data(user: User) -> bool:
    relations = (
        user.portfolios,
        user.pension_accounts,
        user.instruments,
        user.instrument_aliases,
        user.import_mappings,
    )
    return any(relation.exists() for relation in relations)


class _ExportImport:
    """One import: what the file has had so far, by the ids of the file."""

    def __init__(self, rows: ExportRows, user: User) -> None:
        self.rows = rows
        self.user = user
        self.has_other_ids = _ids_are_taken(rows)
        # Later than any version for which a process may have cached figures of the same key.
        self.version = int(time.time())
        self.stocks: dict[UUID, StockMetadata] = {}
        self.known_before: set[UUID] = set()
        self.priced: set[UUID] | None = None
        self.portfolios: set[UUID] = set()
        self.imports: set[UUID] = set()
        self.accounts: set[UUID] = set()
        self.groups: set[UUID] = set()
        self.portfolio_of: dict[UUID, UUID] = {}  # by holding

    def run(self) -> None:
        self._instruments()
        self._series()
        self._quotes()
        self._rates()
        self._ynab()
        restore_portfolios(
            user=self.user,
            portfolios=self._portfolios(),
            balances=self._balances(),
            openings=self._openings(),
            imports=self._imports(),
            checkpoints=self._checkpoints(),
            known_rows=self._known_rows(),
            holdings=self._holdings(),
            groups=self._groups(),
            transactions=self._transactions(),
            dismissed_splits=self._dismissed_splits(),
            aliases=self._aliases(),
            mappings=self._mappings(),
            known_before=self.known_before,
        )
        restore_accounts(
            user=self.user,
            accounts=self._accounts(),
            values=self._values(),
            contributions=self._contributions(),
        )
        restore_history(owner_id=self.user.pk, entries=self._history())

    def _own(self, pk: UUID) -> UUID:
        """The id here of what has the id `pk` in the file."""
        if self.has_other_ids:
            return uuid5(self.user.pk, str(pk))
        return pk

    def _known(self, pk: UUID, among: Container[UUID], what: str) -> UUID:
        """The id here of a row that the file must have had before."""
        if pk not in among:
            raise BadArchive(f"{self.rows.where}: the file has no {what} {pk}.")
        return self._own(pk)

    def _ynab(self) -> None:
        for row in self.rows.of("ynab_budget.csv"):
            if not may_choose(self.user, row["id"]):
                continue  # staff did not assign it to this user
            budget, _ = YnabBudget.objects.get_or_create(pk=row.pop("id"), defaults=row)
            AssignedBudget.objects.get_or_create(user=self.user, budget=budget)
            YnabSettings.objects.get_or_create(user=self.user, defaults={"budget": budget})

    # --- Market data ------------------------------------------------------------------------------

    def _instruments(self) -> None:
        for row in self.rows.of("instruments.csv"):
            pk = row["id"]
            stock = StockMetadata(**row | {"id": self._instrument_id(pk)})

            def has_closes(pk: UUID = pk) -> bool:
                return pk in self._priced_instruments()

            try:
                self.stocks[pk] = marketdata.restore_instrument(
                    user=self.user, row=stock, has_closes=has_closes
                )
            except ValidationError as error:
                raise BadArchive(f"{self.rows.where}: {' '.join(error.messages)}") from error
            if self.stocks[pk].owner_id is None:
                self.known_before.add(self.stocks[pk].pk)

    def _instrument_id(self, pk: UUID) -> UUID:
        own = self._own(pk)
        if StockMetadata.objects.filter(pk=own).exists():
            return uuid5(self.user.pk, str(pk))
        return own

    def _priced_instruments(self) -> set[UUID]:
        """Return the instruments of which the file has closes."""
        if self.priced is None:
            where = self.rows.where
            self.priced = {row["stock_id"] for row in self.rows.of("prices.csv")}
            self.rows.where = where
        return self.priced

    def _series(self) -> None:
        for name, column, restore in (
            ("splits.csv", "ratio", marketdata.restore_splits),
            ("dividends.csv", "amount", marketdata.restore_dividends),
            ("prices.csv", "close", marketdata.restore_prices),
        ):
            values = itemgetter("date", column, "source")
            for stock_id, rows in groupby(self.rows.of(name), key=itemgetter("stock_id")):
                stock = self._stock(stock_id)
                for chunk in _chunks(map(values, rows)):
                    if stock.owner_id is not None:
                        restore(stock=stock, rows=_by_hand(stock, chunk))

    def _quotes(self) -> None:
        for row in self.rows.of("quotes.csv"):
            stock = self._stock(row.pop("stock_id"))
            if stock.is_manual:
                row["source"] = StockMetadata.MANUAL
            if stock.owner_id is not None:
                marketdata.restore_quote(row=StockQuote(stock=stock, **row))

    def _rates(self) -> None:
        """Take the rates only if there is no other user here, for whom they would be facts too."""
        is_only_user = not User.objects.exclude(pk=self.user.pk).exists()
        fetched = {}
        for row in self.rows.of("currency_pairs.csv"):
            fetched[row["base"], row["target"]] = row["fetched_at"]
        pair_of = itemgetter("pair__base", "pair__target")
        values = itemgetter("date", "rate", "source")
        for pair, rows in groupby(self.rows.of("exchange_rates.csv"), key=pair_of):
            if pair not in fetched:
                raise BadArchive(f"{self.rows.where}: the file has no pair {' '.join(pair)}.")
            base, target = pair
            for chunk in _chunks(map(values, rows)):
                if is_only_user:
                    marketdata.restore_rates(
                        base=base, target=target, rows=chunk, fetched_at=fetched[pair]
                    )
        if not is_only_user:
            return
        for (base, target), fetched_at in fetched.items():  # also those without a rate
            marketdata.restore_rates(base=base, target=target, rows=[], fetched_at=fetched_at)

    def _stock(self, pk: UUID) -> StockMetadata:
        if pk not in self.stocks:
            raise BadArchive(f"{self.rows.where}: the file has no instrument {pk}.")
        return self.stocks[pk]

    def _aliases(self) -> Iterator[InstrumentAlias]:
        for row in self.rows.of("instrument_names.csv"):
            yield InstrumentAlias(user=self.user, **row)

    def _mappings(self) -> Iterator[ImportMapping]:
        for row in self.rows.of("import_mappings.csv"):
            yield ImportMapping(user=self.user, **row)

    # --- Portfolios -------------------------------------------------------------------------------

    def _portfolios(self) -> Iterator[Portfolio]:
        names: set[str] = set()
        for row in self.rows.of("portfolios.csv"):
            self.portfolios.add(row["id"])
            row["id"] = self._own(row["id"])
            yield Portfolio(version=self.version, **self._named(row, names))

    def _named(self, row: Row, names: set[str]) -> Row:
        """Add the user and the key of the name, which gets " (2)" if it equals an earlier one.

        For an earlier release they were different.
        """
        name = free_name(row["name"], names)
        key = name_key(name)
        names.add(key)
        return row | {"user": self.user, "name": name, "name_key": key}

    def _in_portfolio(self, row: Row) -> Row:
        portfolio_id = self._known(row["portfolio_id"], self.portfolios, "portfolio")
        return row | {"portfolio_id": portfolio_id}

    def _balances(self) -> Iterator[PortfolioBalance]:
        for row in self.rows.of("balances.csv"):
            yield PortfolioBalance(**self._in_portfolio(row))

    def _openings(self) -> Iterator[OpeningBalance]:
        for row in self.rows.of("openings.csv"):
            yield OpeningBalance(**self._in_portfolio(row))

    def _imports(self) -> Iterator[ImportBatch]:
        for row in self.rows.of("imports.csv"):
            self.imports.add(row["id"])
            row["id"] = self._own(row["id"])
            row["adopted"] = self._by_own_ids("adopted", row["adopted"])
            if "completed_rows" in row:
                row["completed_rows"] = self._completed_rows(row["completed_rows"])
            yield ImportBatch(**self._in_portfolio(row))

    def _completed_rows(self, kept: Any) -> dict[str, Any]:
        """What the import completed or took back, with the ids here."""
        kept = self._by_own_ids("completed_rows", kept)
        for entry in kept.values():
            for columns in (entry.get(TAKEN_BACK), entry.get("group")):
                for name in IDS.intersection(columns or ()):
                    if columns[name]:
                        columns[name] = str(self._own(UUID(columns[name])))
        return kept

    def _known_rows(self) -> Iterator[KnownRows]:
        for row in self.rows.of("known_rows.csv"):
            self._take_import(row)
            row["rows"] = self._by_own_ids("rows", row["rows"])
            yield KnownRows(**row)

    def _checkpoints(self) -> Iterator[Checkpoint]:
        for row in self.rows.of("checkpoints.csv"):
            self._take_import(row)
            if row["stock_id"]:
                row["stock_id"] = self._stock(row["stock_id"]).pk
            yield Checkpoint(**row)

    def _by_own_ids(self, column: str, by_id: Any) -> dict[str, Any]:
        """What is kept by the id of a transaction, by the ids here."""
        found: dict[str, Any] = {}
        try:
            for key, value in by_id.items():
                prefix = REVERSED_KEY if key.startswith(REVERSED_KEY) else ""
                pk = UUID(key.removeprefix(prefix))
                found[f"{prefix}{self._own(pk)}"] = value
        except (ValueError, AttributeError) as error:
            raise BadArchive(f"{self.rows.where}, {column}: it cannot be read.") from error
        return found

    def _holdings(self) -> Iterator[Holding]:
        for row in self.rows.of("holdings.csv"):
            self.portfolio_of[row["id"]] = row["portfolio_id"]
            row["id"] = self._own(row["id"])
            row["stock_id"] = self._stock(row["stock_id"]).pk
            yield Holding(version=self.version, **self._in_portfolio(row))

    def _dismissed_splits(self) -> Iterator[DismissedSplit]:
        for row in self.rows.of("dismissed_splits.csv"):
            row["holding_id"] = self._known(row["holding_id"], self.portfolio_of, "holding")
            yield DismissedSplit(**row)

    def _groups(self) -> Iterator[TransactionGroup]:
        for row in self.rows.of("groups.csv"):
            self.groups.add(row["id"])
            self._take_import(row)
            row["id"] = self._own(row["id"])
            yield TransactionGroup(**self._in_portfolio(row))

    def _transactions(self) -> Iterator[Transaction]:
        for row in self.rows.of("transactions.csv"):
            if row["holding_id"]:
                holding_id = self._known(row["holding_id"], self.portfolio_of, "holding")
                if self.portfolio_of[row["holding_id"]] != row["portfolio_id"]:
                    raise BadArchive(f"{self.rows.where}: its holding is in another portfolio.")
                row["holding_id"] = holding_id
            if row.get("group_id"):
                row["group_id"] = self._known(row["group_id"], self.groups, "group")
            self._take_import(row)
            row["id"] = self._own(row["id"])
            yield Transaction(**self._in_portfolio(row))

    def _take_import(self, row: Row) -> None:
        if row["import_batch_id"]:
            row["import_batch_id"] = self._known(row["import_batch_id"], self.imports, "import")

    # --- Pensions ---------------------------------------------------------------------------------

    def _accounts(self) -> Iterator[PensionAccount]:
        names: set[str] = set()
        for row in self.rows.of("pension_accounts.csv"):
            self.accounts.add(row["id"])
            row["id"] = self._own(row["id"])
            yield PensionAccount(**self._named(row, names))

    def _values(self) -> Iterator[PensionValueEntry]:
        for row in self.rows.of("pension_values.csv"):
            yield PensionValueEntry(**self._in_account(row))

    def _contributions(self) -> Iterator[ContributionPlan]:
        for row in self.rows.of("pension_contributions.csv"):
            yield ContributionPlan(**self._in_account(row))

    def _in_account(self, row: Row) -> Row:
        account_id = self._known(row["account_id"], self.accounts, "pension account")
        return row | {"id": self._own(row["id"]), "account_id": account_id}

    # --- History ----------------------------------------------------------------------------------

    def _history(self) -> Iterator[HistoryEntry]:
        """The entries, with the ids here of what they are about.

        An act keeps its actor only if that is the user who gets the data: other names can belong to
        other people here.
        """
        for row in self.rows.of("history.csv"):
            actor = row.pop("actor__username")
            key = row.pop("exported_object_id")
            row["object_id"] = self._own_object(row["object_type"], key)
            for place in ("portfolio_id", "within_id"):
                row[place] = row[place] and self._own(row[place])
            try:
                entry = HistoryEntry(
                    owner=self.user,
                    actor=self.user if actor == self.user.username else None,
                    **row,
                )
                check_entry(entry)
            except ValueError as error:
                raise BadArchive(f"{self.rows.where}: {error}") from error
            yield entry

    def _own_object(self, kind: str, key: str) -> str:
        """The id here of an object, which may have been deleted since."""
        if kind in OBJECTS_OF_THE_USER:
            return str(self.user.pk)
        try:
            pk = UUID(key)
        except ValueError:
            return key
        if pk in self.stocks:
            return str(self.stocks[pk].pk)
        return str(self._own(pk))


def _ids_are_taken(rows: ExportRows) -> bool:
    """Whether a row here has an id of the file.

    All rows of the file then get ids that follow from the user and the old ones.
    """
    instruments = rows.of("instruments.csv")
    manual = [row["id"] for row in instruments if row["source"] == StockMetadata.MANUAL]
    portfolios = [row["id"] for row in rows.of("portfolios.csv")]
    accounts = [row["id"] for row in rows.of("pension_accounts.csv")]
    return (
        Portfolio.objects.filter(pk__in=portfolios).exists()
        or PensionAccount.objects.filter(pk__in=accounts).exists()
        or StockMetadata.objects.filter(pk__in=manual).exists()
    )


def _by_hand(stock: StockMetadata, rows: list[Sourced]) -> list[Sourced]:
    """Return the rows as the user's own where the instrument is priced by hand."""
    if not stock.is_manual:
        return rows
    return [(day, value, StockMetadata.MANUAL) for day, value, _ in rows]


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
