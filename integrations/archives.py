"""ZIP files of text with a manifest: what each file must hold is known before a line of it is
believed.

The manifest, `manifest.json`, is written last: {format, version, made_at, files: [{name, rows,
sha256, …}], …}.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import msgspec
from django.utils import timezone

from financeproj.core.errors import DomainError

MANIFEST = "manifest.json"
MANIFEST_BYTES = 5_000_000
LINE_BYTES = 64_000_000  # a waiting import's file is one value
BLOCK = 1 << 18
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,  # a compression that we never write
    RuntimeError,  # encrypted
    UnicodeDecodeError,
    ValueError,
)


class BadArchive(DomainError):
    """The file is not what its manifest says, or no archive of ours at all."""

    code = "bad_archive"


class ArchiveWriter:
    """Writes files into a ZIP one after the other; `close` adds the manifest."""

    def __init__(self, file: IO[bytes], *, kind: str, version: int) -> None:
        self.zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self.manifest: dict[str, Any] = {
            "format": kind,
            "version": version,
            "made_at": timezone.now(),
        }
        self.files: list[dict[str, Any]] = []

    def add(self, name: str, lines: Iterable[bytes], *, header: bytes = b"") -> dict[str, Any]:
        """Write one file, a row a line; returns its entry in the manifest, to which facts may be
        added.
        """
        digest, count = hashlib.sha256(header), 0
        with self.zip.open(name, "w", force_zip64=True) as file:
            file.write(header)
            for line in lines:
                file.write(line)
                digest.update(line)
                count += 1
        self.files.append(entry := {"name": name, "rows": count, "sha256": digest.hexdigest()})
        return entry

    def close(self, **facts: Any) -> None:
        self.manifest |= {**facts, "files": self.files}
        self.zip.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(self.manifest)))
        self.zip.close()


class ArchiveReader:
    """An archive whose manifest has been read. Raises BadArchive, here and in every method."""

    def __init__(
        self, file: Any, *, kind: str, version: int, most_bytes: int | None = None
    ) -> None:
        self.most_bytes = most_bytes
        try:
            self.zip = zipfile.ZipFile(file)
            names = self.zip.namelist()
            if MANIFEST not in names:
                raise BadArchive(f"It has no {MANIFEST}.")
            with self.zip.open(MANIFEST) as member:
                text = member.read(MANIFEST_BYTES + 1)
            if len(text) > MANIFEST_BYTES:
                raise BadArchive("Its manifest is too large.")
            manifest = msgspec.json.decode(text)
        except (*UNREADABLE, msgspec.DecodeError) as error:
            raise BadArchive(f"It is no readable archive, or cut off: {error}.") from error
        if not isinstance(manifest, Mapping) or manifest.get("format") != kind:
            found = manifest.get("format") if isinstance(manifest, Mapping) else None
            raise BadArchive(
                f"It is not a {kind} file" + (f" but {found!s:.50}." if found else ".")
            )
        if manifest.get("version") != version:
            raise BadArchive(
                f"Its version is {manifest.get('version')!s:.20}; this program reads version {version}."
            )
        self.manifest = manifest
        try:
            self.files: dict[str, Mapping[str, Any]] = {
                str(entry["name"]): entry for entry in manifest["files"]
            }
            for entry in self.files.values():
                int(entry["rows"]), str(entry["sha256"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadArchive("Its manifest is not complete.") from error
        if sorted(names) != sorted([*self.files, MANIFEST]):
            raise BadArchive("Its files are not those of its manifest.")

    def __enter__(self) -> "ArchiveReader":
        return self

    def __exit__(self, *args: Any) -> None:
        self.zip.close()

    def verify(self) -> None:
        """Read every file to its end: its hash, and no more than `most_bytes` in all, whatever the
        ZIP claims.
        """
        left = self.most_bytes
        for name, entry in self.files.items():
            digest = hashlib.sha256()
            try:
                with self.zip.open(name) as file:
                    while block := file.read(BLOCK):
                        digest.update(block)
                        if left is not None and (left := left - len(block)) < 0:
                            raise BadArchive(
                                f"Unpacked it is larger than {self.most_bytes:,} bytes."
                            )
            except UNREADABLE as error:
                raise BadArchive(f"{name} cannot be read: {error}.") from error
            if digest.hexdigest() != entry["sha256"]:
                raise BadArchive(
                    f"{name} is not as it was written: its SHA-256 differs from the manifest's."
                )

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of one file with their ends. A file of the manifest only."""
        try:
            with self.zip.open(name) as member:
                source: Any = member
                file = io.BufferedReader(source, BLOCK)
                while line := file.readline(LINE_BYTES):
                    if len(line) == LINE_BYTES:
                        raise BadArchive(f"{name} has a line of more than {LINE_BYTES:,} bytes.")
                    yield line
        except UNREADABLE as error:
            raise BadArchive(f"{name} cannot be read: {error}.") from error
