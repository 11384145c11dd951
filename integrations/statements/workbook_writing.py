"""Write rows of values as an Excel workbook of one sheet."""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from html import escape

from integrations.statements.workbook import Value
from integrations.statements.workbook_parts import column_letters

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# The formats of Excel for a date, a date with its time, a time, and a duration, by their styles.
_DATE, _MOMENT, _TIME, _DURATION = 1, 2, 3, 4
_FORMATS = (0, 14, 22, 21, 46)
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_TYPES}">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_SPREADSHEET}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_SPREADSHEET}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SPREADSHEET}.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="rId1" '
    f'Type="{_RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">'
    f'<Relationship Id="rId1" Type="{_RELATION}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_RELATION}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}">'
    '<fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    f'<cellXfs count="{len(_FORMATS)}">'
    + "".join(f'<xf numFmtId="{number}" applyNumberFormat="1"/>' for number in _FORMATS)
    + "</cellXfs></styleSheet>",
}
_FIRST_DAY = datetime.combine(date(1899, 12, 30), time())  # of the days that cells count
_DAY = timedelta(days=1)
# Characters that no XML has.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_workbook(sheet: str, rows: Iterable[tuple[int, Sequence[Value]]]) -> bytes:
    """Return a workbook with the `rows` of a sheet, each with its number, the first is 1."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, xml in _PARTS.items():
            archive.writestr(name, xml)
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATION}"><sheets>'
            f'<sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            part.write(f'<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for number, values in rows:
                part.write(_row(number, values).encode())
            part.write(b"</sheetData></worksheet>")
    return content.getvalue()


def _row(number: int, values: Sequence[Value]) -> str:
    cells = [f'<row r="{number}">']
    for column, value in enumerate(values, start=1):
        if value != "":
            cells.append(_cell(f"{column_letters(column)}{number}", value))
    cells.append("</row>")
    return "".join(cells)


def _cell(place: str, value: Value) -> str:
    if isinstance(value, str):
        text = escape(_FORBIDDEN.sub("", value))
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    number, style = _number(value)
    return f'<c r="{place}" s="{style}"><v>{number!r}</v></c>'


def _number(value: int | float | time | date | timedelta) -> tuple[int | float, int]:
    """Return the number of a cell and its style; days count from the end of 1899."""
    if isinstance(value, int | float):
        return value, 0
    if isinstance(value, timedelta):
        return value / _DAY, _DURATION
    if isinstance(value, time):
        return (datetime.combine(_FIRST_DAY, value) - _FIRST_DAY) / _DAY, _TIME
    if isinstance(value, datetime):
        return (value - _FIRST_DAY) / _DAY, _MOMENT
    return (value - _FIRST_DAY.date()).days, _DATE
