"""Give instruments that no source confirmed to the users who traded them.

Any user could make a shared instrument in a currency of choice, or give it an ISIN. Rows without a
quote, close or history of a source become one copy for each user that traded them.
"""

from django.db import migrations
from django.db.models import Exists, F, OuterRef

MANUAL = "manual"
AT_ONCE = 500
LONGEST = 40
COPIED = ("HistoricalStockPrice", "StockSplit", "StockDividend")


def give_to_their_users(apps, schema_editor):
    stocks = apps.get_model("marketdata", "StockMetadata").objects
    holdings = apps.get_model("portfolios", "Holding").objects
    unconfirmed = {stock.pk: stock for stock in _unconfirmed(apps)}
    users_of = {}
    for ids in _chunks(list(unconfirmed)):
        traded = holdings.filter(stock__in=ids).values_list("stock", "portfolio__user").distinct()
        for stock_id, user_id in traded:
            users_of.setdefault(stock_id, []).append(user_id)
    owned = stocks.filter(owner__isnull=False)
    taken = set(owned.values_list("owner", "ticker"))
    copies = []
    kept_by = {}
    for stock_id, stock in unconfirmed.items():
        users = sorted(users_of.get(stock_id, []), key=str)
        # The row itself goes to the first user, copies to the others.
        for place, user_id in enumerate(users):
            ticker = _free_ticker(stock.ticker, user_id, taken)
            if place == 0 and ticker == stock.ticker:
                kept_by.setdefault(user_id, []).append(stock_id)
            elif place == 0:
                stocks.filter(pk=stock_id).update(owner=user_id, ticker=ticker)
            else:
                copies.append((stock_id, _copy(stock, user_id, ticker)))
    stocks.bulk_create([copy for _, copy in copies], batch_size=AT_ONCE)
    for user_id, stock_ids in kept_by.items():
        for ids in _chunks(stock_ids):
            stocks.filter(pk__in=ids).update(owner=user_id)
    copy_of = {(stock_id, copy.owner_id): copy.pk for stock_id, copy in copies}
    for ids in _chunks(list(dict(copies))):
        moved = []
        for holding in holdings.filter(stock__in=ids).select_related("portfolio"):
            copy_id = copy_of.get((holding.stock_id, holding.portfolio.user_id))
            if copy_id is not None:
                holding.stock_id = copy_id
                moved.append(holding)
        holdings.bulk_update(moved, ["stock"], batch_size=AT_ONCE)
    _copy_rows_by_hand(apps, copies)
    portfolios = apps.get_model("portfolios", "Portfolio").objects
    for ids in _chunks([copy.pk for _, copy in copies]):
        moved = holdings.filter(stock__in=ids).values("portfolio")
        portfolios.filter(pk__in=moved).update(version=F("version") + 1)
    _delete_untraded(apps, [pk for pk in unconfirmed if pk not in users_of])


def clear_isins(apps, schema_editor):
    """Forget ISINs, which users gave; the sources are asked for them again."""
    stocks = apps.get_model("marketdata", "StockMetadata").objects
    stocks.exclude(source=MANUAL).exclude(isin="").update(isin="")


def _unconfirmed(apps):
    of_stock = {"stock": OuterRef("pk")}
    quotes = apps.get_model("marketdata", "StockQuote").objects.filter(**of_stock)
    closes = apps.get_model("marketdata", "HistoricalStockPrice").objects.filter(**of_stock)
    shared = apps.get_model("marketdata", "StockMetadata").objects.filter(
        owner__isnull=True, history_fetched_at__isnull=True
    )
    return shared.filter(
        ~Exists(quotes.exclude(source=MANUAL)), ~Exists(closes.exclude(source=MANUAL))
    ).order_by("ticker")


def _copy(stock, user_id, ticker):
    return type(stock)(
        ticker=ticker,
        company_name=stock.company_name,
        currency=stock.currency,
        asset_type=stock.asset_type,
        source=stock.source,
        owner_id=user_id,
    )


def _free_ticker(ticker, user_id, taken):
    """Return the ticker, with a number where the user prices another of it by hand."""
    free, number = ticker, 1
    while (user_id, free) in taken:
        number += 1
        ending = f"-{number}"
        free = ticker[: LONGEST - len(ending)] + ending
    taken.add((user_id, free))
    return free


def _copy_rows_by_hand(apps, copies):
    """Copy what staff entered of the instruments."""
    originals = list(dict(copies))
    for name in COPIED:
        model = apps.get_model("marketdata", name)
        rows_of = {}
        for ids in _chunks(originals):
            for row in model.objects.filter(stock__in=ids):
                rows_of.setdefault(row.stock_id, []).append(row)
        new = []
        for stock_id, copy in copies:
            for row in rows_of.get(stock_id, []):
                values = {field.attname: getattr(row, field.attname) for field in model._meta.fields}
                del values["id"]
                new.append(model(**values | {"stock_id": copy.pk}))
        model.objects.bulk_create(new, batch_size=AT_ONCE)


def _delete_untraded(apps, stock_ids):
    """Delete instruments that are in no portfolio, unless staff entered closes of them."""
    stocks = apps.get_model("marketdata", "StockMetadata").objects
    closes = apps.get_model("marketdata", "HistoricalStockPrice").objects
    has_close = Exists(closes.filter(stock=OuterRef("pk")))
    for ids in _chunks(stock_ids):
        stocks.filter(pk__in=ids).filter(~has_close).delete()


def _chunks(ids):
    for place in range(0, len(ids), AT_ONCE):
        yield ids[place : place + AT_ONCE]


class Migration(migrations.Migration):
    dependencies = [
        ("portfolios", "0008_import_batch"),
        ("marketdata", "0007_unconfirmed_instruments"),
    ]

    operations = [
        migrations.RunPython(give_to_their_users, migrations.RunPython.noop),
        migrations.RunPython(clear_isins, migrations.RunPython.noop),
    ]
