"""Exports of earlier versions are read; those of later ones are refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from financeproj.users.models import User
from integrations.backups.tests import release_files
from integrations.backups.tests.archives import entry_of, everything, put, rewritten
from integrations.backups.tests.release_figures import expected_figures
from integrations.exports import files, reading, writing
from portfolios.models import Portfolio, PortfolioBalance
from portfolios.services import create_portfolio, set_balance

pytestmark = pytest.mark.django_db

DATA = Path(__file__).parent / "data"
EXPORTS = sorted(DATA.glob("export-*.zip"))


def version_of(path):
    return path.stem.removeprefix("export-")


@pytest.mark.parametrize("path", EXPORTS, ids=version_of)
def test_an_export_of_each_release_gives_the_figures_of_that_release(path, at_that_time):
    call_command("import_data", str(path))
    expected = expected_figures(version_of(path))["kari"]
    found = release_files.figures("kari")
    assert release_files.differences(found, expected) == []


@pytest.mark.parametrize("path", EXPORTS, ids=version_of)
def test_an_export_of_each_release_is_small_enough_to_keep(path):
    assert path.stat().st_size < 300_000


# --- Another version ------------------------------------------------------------------------------


NOW = files.VERSION
NEXT = NOW + 1


@pytest.fixture
def next_version(monkeypatch):
    """A program whose next version added the broker of a portfolio, and the file of balances."""
    changed = []
    for file in files.FILES:
        if file.name == "portfolios.csv":
            firm = files.Column("brokerage_firm", "brokerage_firm", since=NEXT)
            columns = {one.name: one for one in file.columns} | {firm.name: firm}
            changed.append(replace(file, columns=tuple(columns.values())))
        elif file.name == "balances.csv":
            changed.append(replace(file, since=NEXT))
        else:
            changed.append(file)
    monkeypatch.setattr(files, "FILES", tuple(changed))
    monkeypatch.setattr(reading, "VERSION", NEXT)
    monkeypatch.setattr(writing, "VERSION", NEXT)


@pytest.fixture
def export(next_version, user, tmp_path):
    portfolio = create_portfolio(
        user=user, name="Nordic", currency="NOK", brokerage_firm="Demo broker"
    )
    set_balance(portfolio=portfolio, kind="cash", amount=5)
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        writing.write_export(user=user, file=file)
    user.delete()
    return path


def without_the_firm(archive, manifest):
    """Take the column out of portfolios.csv."""
    [header, row] = archive["portfolios.csv"].splitlines()
    at = header.split(",").index("brokerage_firm")
    kept = []
    for line in (header, row):
        cells = line.split(",")
        kept.append(",".join([*cells[:at], *cells[at + 1 :]]) + "\r\n")
    put(archive, manifest, "portfolios.csv", "".join(kept))


def without_balances(archive, manifest):
    del archive["balances.csv"]
    manifest["files"].remove(entry_of(manifest, "balances.csv"))


def as_the_version_of_now(archive, manifest):
    manifest["version"] = NOW
    without_the_firm(archive, manifest)
    without_balances(archive, manifest)


def test_what_an_earlier_version_did_not_have_gets_its_default(export):
    call_command("import_data", str(rewritten(export, as_the_version_of_now)))
    portfolio = Portfolio.objects.get()
    assert (portfolio.name, portfolio.cash, portfolio.brokerage_firm) == ("Nordic", 5, "")
    assert not PortfolioBalance.objects.exists()


def test_the_version_itself_is_read_whole(export):
    call_command("import_data", str(export))
    assert Portfolio.objects.get().brokerage_firm == "Demo broker"
    assert PortfolioBalance.objects.get().amount == 5


def claims_to_be_of_now(archive, manifest):
    manifest["version"] = NOW


def claims_to_be_of_now_without_balances(archive, manifest):
    manifest["version"] = NOW
    without_balances(archive, manifest)


def of_a_later_release(archive, manifest):
    manifest.update(version=NEXT + 1, program="9.8.7")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_the_firm, f"The columns of portfolios.csv are not those of version {NEXT}"),
        (without_balances, f"Its files are not those of an export of version {NEXT}"),
        (claims_to_be_of_now, f"Its files are not those of an export of version {NOW}"),
        (
            claims_to_be_of_now_without_balances,
            f"The columns of portfolios.csv are not those of version {NOW}",
        ),
        (of_a_later_release, f"Its version is {NEXT + 1}; this program reads version {NEXT} and "
         "older. financeproj 9.8.7 wrote it"),
    ],
)  # fmt: skip
def test_a_file_must_be_what_its_version_says(export, change, said):
    before = everything()
    with pytest.raises(CommandError, match=f"Nothing was imported. {said}"):
        call_command("import_data", str(rewritten(export, change)))
    assert everything() == before
    assert not User.objects.exists()


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0, None])
def test_a_version_that_never_was_is_refused(export, version):
    changed = rewritten(export, lambda archive, manifest: manifest.update(version=version))
    with pytest.raises(CommandError, match="which is not a version of financeproj-export"):
        call_command("import_data", str(changed))
    assert not User.objects.exists()


def test_the_manifest_names_the_program(export, settings):
    with reading.ArchiveReader(export, kind=files.KIND, version=NEXT) as archive:
        assert archive.manifest["program"] == settings.PROGRAM_VERSION
