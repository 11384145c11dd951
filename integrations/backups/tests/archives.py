"""Change an archive for a test, and compare all rows before and after."""

import json
import zipfile
from hashlib import sha256

from financeproj.history.models import HistoryEntry
from integrations.backups.tables import archived_models


def everything():
    """Return every row of every table, but the history's entry about a restore itself."""
    rows = {}
    for model in archived_models():
        stored = model._base_manager.all()
        if model is HistoryEntry:
            stored = stored.exclude(action="restored")
        rows[model._meta.db_table] = sorted(repr(row) for row in stored.values_list())
    return rows


def rewritten(path, change, name="changed.zip"):
    """Return a copy of an archive after `change(files, manifest)`; `files` are name → text."""
    with zipfile.ZipFile(path) as archive:
        files = {one: archive.read(one).decode() for one in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    change(files, manifest)
    copy = path.parent / name
    with zipfile.ZipFile(copy, "w") as archive:
        for one, text in {**files, "manifest.json": json.dumps(manifest)}.items():
            archive.writestr(one, text)
    return copy


def entry_of(manifest, name):
    [entry] = [entry for entry in manifest["files"] if entry["name"] == name]
    return entry


def put(files, manifest, name, text):
    """Replace a text and its hash."""
    files[name] = text
    entry_of(manifest, name)["sha256"] = sha256(text.encode()).hexdigest()
