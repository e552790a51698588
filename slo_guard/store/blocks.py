"""Column blocks: arrays as compressed bytes, little-endian, the same on every machine.

A block is one layout byte and a zlib stream of the arrays one after the other, each behind its type and
length. ``PLANES`` stores 8-byte numbers byte plane by byte plane: numbers of like size share their upper bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Column: TypeAlias = npt.NDArray[Any] | bytes | None
"""float64, int64, int8 or bool arrays of one dimension; raw bytes; or nothing."""

PLAIN, PLANES = 0, 1

_HEAD = struct.Struct("<cI")
_FLOAT, _INT, _CODE, _BITS, _RAW, _ABSENT = b"f", b"i", b"c", b"b", b"r", b"-"
_DTYPES: dict[bytes, np.dtype[Any]] = {_FLOAT: np.dtype("<f8"), _INT: np.dtype("<i8"), _CODE: np.dtype("i1")}
_PROBE = 2048


class BlockError(Exception):
    """A block's bytes are not what was written: the file is damaged."""


def pack_block(*columns: Column) -> bytes:
    """Return ``columns`` as one compressed block."""
    layout = _best_layout(columns)
    return bytes([layout]) + _deflate(b"".join(_pack(column, layout) for column in columns), layout)


def unpack_block(block: bytes) -> list[Any]:
    """Return the columns of a block; arrays are read-only. Raises ``BlockError``."""
    return unpack_payload(inflate_block(block))


def inflate_block(block: bytes) -> bytes:
    """Return a block's payload: its layout byte and its columns, uncompressed. Raises ``BlockError``."""
    try:
        return block[:1] + zlib.decompress(memoryview(block)[1:])
    except zlib.error as error:
        raise BlockError(str(error)) from error


def unpack_payload(payload: bytes) -> list[Any]:
    """Return the columns of a payload; arrays are read-only. Raises ``BlockError``."""
    try:
        return _unpack(payload[1:], payload[0])
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise BlockError(str(error)) from error


def _deflate(payload: bytes, layout: int) -> bytes:
    """Compress fast: level 1, and for byte planes run lengths only.

    Measured on 100,000 random float64: planes with run lengths take 7 ms and 6.6 bytes a sample, plain level 1
    takes 22 ms and 7.6; but values with three decimals are 2.2 bytes plain and 5.9 in planes, hence the two layouts.
    """
    strategy = zlib.Z_RLE if layout == PLANES else zlib.Z_DEFAULT_STRATEGY
    stream = zlib.compressobj(1, strategy=strategy)
    return stream.compress(payload) + stream.flush()


def _unpack(payload: bytes, layout: int) -> list[Any]:
    columns: list[Any] = []
    offset = 0
    while offset < len(payload):
        kind, count = _HEAD.unpack_from(payload, offset)
        offset += _HEAD.size
        if kind == _ABSENT:
            columns.append(None)
        elif kind == _RAW:
            columns.append(payload[offset : offset + count])
            offset += count
        elif kind == _BITS:
            size = (count + 7) // 8
            bits = np.frombuffer(payload, np.uint8, size, offset)
            columns.append(_frozen(np.unpackbits(bits, count=count).astype(np.bool_)))
            offset += size
        else:
            dtype = _DTYPES[kind]
            if layout == PLANES and dtype.itemsize == 8:
                planes = np.frombuffer(payload, np.uint8, count * 8, offset).reshape(8, count)
                columns.append(_frozen(np.ascontiguousarray(planes.T).view(dtype).reshape(count)))
            else:
                columns.append(np.frombuffer(payload, dtype, count, offset))
            offset += count * dtype.itemsize
    return columns


def _pack(column: Column, layout: int) -> bytes:
    if column is None:
        return _HEAD.pack(_ABSENT, 0)
    if isinstance(column, bytes):
        return _HEAD.pack(_RAW, len(column)) + column
    if column.dtype == np.bool_:
        return _HEAD.pack(_BITS, len(column)) + np.packbits(column).tobytes()
    kind = {"f": _FLOAT, "i": _CODE if column.dtype.itemsize == 1 else _INT}[column.dtype.kind]
    words = np.ascontiguousarray(column, _DTYPES[kind])
    if layout == PLANES and words.itemsize == 8:
        return _HEAD.pack(kind, len(words)) + _planes(words)
    return _HEAD.pack(kind, len(words)) + words.tobytes()


def _planes(words: npt.NDArray[Any]) -> bytes:
    planes: npt.NDArray[np.uint8] = np.ascontiguousarray(words.view(np.uint8).reshape(-1, 8).T)
    return planes.tobytes()


def _best_layout(columns: Sequence[Column]) -> int:
    """Try both layouts on the head of the longest array; short ones are not worth it."""
    wide = [c for c in columns if isinstance(c, np.ndarray) and c.dtype.itemsize == 8]
    longest = max(wide, key=len, default=None)
    if longest is None or len(longest) < _PROBE // 8:
        return PLAIN
    head = np.ascontiguousarray(longest[:_PROBE], longest.dtype.newbyteorder("<"))
    return PLANES if len(_deflate(_planes(head), PLANES)) < len(_deflate(head.tobytes(), PLAIN)) else PLAIN


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array
