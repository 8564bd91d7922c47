"""Amounts of memory as people write them in the configuration."""

import re


def parse_size(value: object) -> object:
    """Return an amount such as `100 MiB` or `4 GB` in bytes; any other type as it is.

    Raises ValueError.
    """
    # Not pydantic.ByteSize: it takes `4` as four bytes and `4 GB` as 4,000,000,000, which is 4 GiB
    # in the configurations of 0.1.0, and its message gives no example.
    if not isinstance(value, str):
        return value
    size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MG])(?:i?B)?", value.strip(), re.IGNORECASE)
    if not size:
        raise ValueError("an amount of memory is a number with MiB or GiB, such as 4 GiB")
    return int(float(size[1]) * (2**20 if size[2] in "Mm" else 2**30))
