"""Files of tensors put together and taken apart by hand, as they are and as they should not be."""

import json
from typing import Any

from flwr.app import RecordDict

from zk0_core.wire.orders import RoundReport
from zk0_core.wire.packing import from_record, pack, pack_files, to_record


def file_of(header: Any, values: bytes = b"") -> bytes:
    """Return a file with this header, as JSON unless it is bytes, and these bytes of values."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def parts_of(file: bytes) -> tuple[bytes, bytes]:
    """Return a file's header and its bytes of values."""
    end = 8 + int.from_bytes(file[:8], "little")
    return file[8:end], file[end:]


def entry(shape: Any, begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    """Return what a header says of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def file_size(header: str, values: int) -> int:
    """Return the bytes of a file: 8 that say how long its header is, the header, the values.

    Spaces after the header make it a multiple of 8.
    """
    return 8 + -(-len(header) // 8) * 8 + values


def sending(content: RecordDict, *files: bytes) -> RecordDict:
    """Return the answer `content` with these files as its update, and their hash."""
    report = from_record(content, RoundReport)
    return to_record(report, update=pack_files(files), extra=pack({}))
