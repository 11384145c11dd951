"""Format detection."""

from integrations.statements.detect import read_table
from integrations.statements.registry import formats
from integrations.statements.xml_table import is_xml, read_xml


def test_every_format_reads_its_own_example_and_no_other_format_does():
    for one in formats():
        if one.example:
            data = one.example.encode()
            table = read_xml(data) if is_xml(data) else read_table(data)
            assert [other.name for other in formats() if other.recognises(table)] == [one.name]
