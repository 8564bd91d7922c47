from support.encoding_table import ENCODINGS, read_table


def test_no_file_is_read_wrong_and_few_western_ones_are_refused() -> None:
    table = read_table(files=1, seed=20261127)
    assert len(ENCODINGS) >= 25
    assert [(files.language, files.encoding, files.text[-60:]) for files in table.wrong] == []
    # The bound is 3 of 100; the whole table refuses about 1.
    assert sum(table.refused.values()) <= 0.03 * sum(table.western.values())
