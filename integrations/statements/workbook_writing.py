"""Write rows of values as an Excel workbook of one sheet."""

import io
import re
from collections.abc import Iterable, Sequence

from xlsxwriter import Workbook

from integrations.statements.workbook import Value

# How Excel shows a value of each type.
_FORMATS = {
    "date": "yyyy-mm-dd",
    "datetime": "yyyy-mm-dd hh:mm:ss",
    "time": "hh:mm:ss",
    "timedelta": "[h]:mm:ss",
}
# Characters that no XML has.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_workbook(sheet: str, rows: Iterable[tuple[int, Sequence[Value]]]) -> bytes:
    """Return a workbook with the `rows` of a sheet, each with its number, ascending from 1.

    A text stays text, whatever it begins with. Only one row at a time is held in memory. Raises
    InvalidWorksheetName for a name that Excel does not allow.
    """
    content = io.BytesIO()
    # NaN and infinity become error cells, which are refused when the file is read again.
    with Workbook(content, {"constant_memory": True, "nan_inf_to_errors": True}) as workbook:
        formats = {
            kind: workbook.add_format({"num_format": shown}) for kind, shown in _FORMATS.items()
        }
        page = workbook.add_worksheet(sheet)
        for number, values in rows:
            for column, value in enumerate(values):
                if isinstance(value, str):
                    page.write_string(number - 1, column, _FORBIDDEN.sub("", value))
                elif isinstance(value, bool):
                    page.write_boolean(number - 1, column, value)
                elif isinstance(value, int | float):
                    page.write_number(number - 1, column, value)
                else:
                    kind = formats[type(value).__name__]
                    page.write_datetime(number - 1, column, value, kind)
    return content.getvalue()
