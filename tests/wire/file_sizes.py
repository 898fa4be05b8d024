"""How long files of tensors are, counted from what is written in them."""


def file_size(header: str, values: int) -> int:
    """Return the bytes of a file: 8 that say how long its header is, the header, the values.

    Spaces after the header make it a multiple of 8.
    """
    return 8 + -(-len(header) // 8) * 8 + values
