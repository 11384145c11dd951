"""ZIP files of text whose manifest says what each file must hold.

The manifest, `manifest.json`, is written last: {format, version, program, made_at, files: [{name,
rows, sha256, …}], …}. `version` is that of the format, `program` that of the program that wrote it.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import msgspec
from django.conf import settings
from django.utils import timezone

from financeproj.core.errors import DomainError

MANIFEST = "manifest.json"
MANIFEST_BYTES = 5_000_000
LINE_BYTES = 64_000_000  # The file of a waiting import is one value.
BLOCK_BYTES = 1 << 18
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
    """The file is damaged, contradicts its manifest or is not of the expected kind."""

    code = "bad_archive"


class ArchiveWriter:
    """Write files into a ZIP one after the other; `close` adds the manifest."""

    def __init__(self, file: IO[bytes], *, kind: str, version: int) -> None:
        self.zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self.manifest: dict[str, Any] = {
            "format": kind,
            "version": version,
            "program": settings.PROGRAM_VERSION,
            "made_at": timezone.now(),
        }
        self.files: list[dict[str, Any]] = []

    def add(self, name: str, lines: Iterable[bytes], *, header: bytes = b"") -> dict[str, Any]:
        """Write one file with a row per line.

        Returns its entry in the manifest, to which the caller may add facts.
        """
        digest = hashlib.sha256(header)
        count = 0
        with self.zip.open(name, "w", force_zip64=True) as file:
            file.write(header)
            for line in lines:
                file.write(line)
                digest.update(line)
                count += 1
        entry = {"name": name, "rows": count, "sha256": digest.hexdigest()}
        self.files.append(entry)
        return entry

    def close(self, **facts: Any) -> None:
        self.manifest |= {**facts, "files": self.files}
        self.zip.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(self.manifest)))
        self.zip.close()


class ArchiveReader:
    """Read an archive of the given kind, of `version` or an earlier one.

    Every method raises BadArchive.
    """

    def __init__(
        self, file: Any, *, kind: str, version: int, most_bytes: int | None = None
    ) -> None:
        self.most_bytes = most_bytes
        try:
            self.zip = zipfile.ZipFile(file)
            names = self.zip.namelist()
            manifest = self._manifest(names)
        except (*UNREADABLE, msgspec.DecodeError) as error:
            raise BadArchive(f"It is not a readable archive, or it is cut off: {error}.") from error
        self.manifest = _checked(manifest, kind, version)
        self.version: int = manifest["version"]
        try:
            self.files = _entries(manifest)
        except (KeyError, TypeError, ValueError) as error:
            raise BadArchive("Its manifest is not complete.") from error
        if sorted(names) != sorted([*self.files, MANIFEST]):
            raise BadArchive("Its files are not those of its manifest.")

    def __enter__(self) -> "ArchiveReader":
        return self

    def __exit__(self, *args: Any) -> None:
        self.zip.close()

    def _manifest(self, names: list[str]) -> Any:
        if MANIFEST not in names:
            raise BadArchive(f"It has no {MANIFEST}.")
        with self.zip.open(MANIFEST) as member:
            text = member.read(MANIFEST_BYTES + 1)
        if len(text) > MANIFEST_BYTES:
            raise BadArchive("Its manifest is too large.")
        return msgspec.json.decode(text)

    def verify(self) -> None:
        """Read every file to its end and compare its hash.

        All files together must be no larger than `most_bytes`, whatever sizes the ZIP claims.
        """
        left = self.most_bytes
        for name, entry in self.files.items():
            digest = hashlib.sha256()
            for block in self._blocks(name):
                digest.update(block)
                if left is None:
                    continue
                left -= len(block)
                if left < 0:
                    raise BadArchive(f"It is larger than {self.most_bytes:,} bytes when unpacked.")
            if digest.hexdigest() != entry["sha256"]:
                raise BadArchive(
                    f"{name} was changed after it was written: its SHA-256 differs from the "
                    "manifest's."
                )

    def _blocks(self, name: str) -> Iterator[bytes]:
        try:
            with self.zip.open(name) as file:
                while block := file.read(BLOCK_BYTES):
                    yield block
        except UNREADABLE as error:
            raise BadArchive(f"{name} cannot be read: {error}.") from error

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file of the manifest, with their ends."""
        try:
            with self.zip.open(name) as member:
                source: Any = member
                file = io.BufferedReader(source, BLOCK_BYTES)
                while line := file.readline(LINE_BYTES):
                    if len(line) == LINE_BYTES:
                        raise BadArchive(f"{name} has a line of more than {LINE_BYTES:,} bytes.")
                    yield line
        except UNREADABLE as error:
            raise BadArchive(f"{name} cannot be read: {error}.") from error


def _checked(manifest: Any, kind: str, newest: int) -> Mapping[str, Any]:
    """The manifest of an archive of `kind` and of a version from 1 to `newest`."""
    if not isinstance(manifest, Mapping):
        raise BadArchive(f"It is not a {kind} file.")
    found = manifest.get("format")
    if found != kind:
        other = f" but {found!s:.50}" if found else ""
        raise BadArchive(f"It is not a {kind} file{other}.")
    version = manifest.get("version")
    if type(version) is not int or version < 1:
        raise BadArchive(f"Its version is {version!s:.20}, which is not a version of {kind}.")
    if version > newest:
        raise BadArchive(
            f"Its version is {version}; this program reads version {newest} and older. "
            f"{upgrade_advice(manifest)}"
        )
    return manifest


def _entries(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """File name → its entry. Raises KeyError, TypeError or ValueError if one is not complete."""
    entries = {str(entry["name"]): entry for entry in manifest["files"]}
    for entry in entries.values():
        int(entry["rows"])
        str(entry["sha256"])
    return entries


def program_of(manifest: Mapping[str, Any]) -> str:
    """The version of the program that wrote an archive; 0.1.0 did not note its own."""
    return str(manifest.get("program", "0.1.0"))[:20]


def upgrade_advice(manifest: Mapping[str, Any]) -> str:
    """What to do with an archive of a later version."""
    return (
        f"financeproj {program_of(manifest)} wrote it, this is {settings.PROGRAM_VERSION}: "
        "upgrade, then try again."
    )
