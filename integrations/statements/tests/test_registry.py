"""Format detection."""

from integrations.statements.registry import formats


def test_every_format_reads_its_own_example_and_no_other_format_does():
    from integrations.statements.detect import read_table

    for one in formats():
        if one.example:
            table = read_table(one.example.encode())
            assert [other.name for other in formats() if other.recognises(table)] == [one.name]
