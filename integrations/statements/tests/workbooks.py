"""Make small Excel workbooks for tests, part by part."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/>'
    "</cellXfs></styleSheet>"
)


@dataclass(frozen=True)
class Raw:
    """The XML of a cell's content, and the cell's type."""

    xml: str
    type: str = "n"


def workbook(sheets: Mapping[str, Iterable[Sequence[object]]], **more: str) -> bytes:
    """Return a workbook with the rows of each sheet; `more` are whole parts by their names."""
    parts = {name: sheet(rows) for name, rows in sheets.items()}
    return workbook_of(parts, **more)


def workbook_of(sheets: Mapping[str, str], **more: str) -> bytes:
    """Return a workbook with the XML of each sheet."""
    listed, relations, parts = "", "", {}
    for number, (name, xml) in enumerate(sheets.items(), start=1):
        listed += f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        relations += (
            f'<Relationship Id="rId{number}" Type="{RELATION}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
        )
        parts[f"xl/worksheets/sheet{number}.xml"] = xml
    parts |= {
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATION}">'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{relations}'
        "</Relationships>",
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" '
        f'Type="{RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        **more,
    }
    return archive(parts)


def archive(parts: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, xml in parts.items():
            file.writestr(name, xml)
    return content.getvalue()


def sheet(rows: Iterable[Sequence[object]], after: str = "") -> str:
    body = ""
    for values in rows:
        body += "<row>" + "".join(map(_cell, values)) + "</row>"
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData>{after}</worksheet>'


def _cell(value: object) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, Raw):
        return f'<c t="{value.type}">{value.xml}</c>'
    if isinstance(value, date):
        days = (value - date(1899, 12, 30)).days
        return f'<c s="1"><v>{days}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"
