"""The file of a static table; semcache/embed/table.go reads it.

All numbers are little-endian.

    0   4 bytes  "PSTB"
    4   uint32   version, 1
    8   uint32   rows
    12  uint32   dimension
    16  uint32   bytes of the vocabulary
    20  bytes    the vocabulary: one token a line, in the order of the rows
        float32  one scale for each row
        int8     rows of `dimension` values; a token's vector is its row times its scale
"""

import struct

import numpy as np

VERSION = 1


def quantize(vectors):
    """Rows of int8 in [-127, 127], and their scales."""
    top = np.abs(vectors).max(1)
    scales = (top / 127).astype(np.float32)
    scales[scales == 0] = 1
    rows = np.rint(vectors / scales[:, None]).clip(-127, 127).astype(np.int8)
    return rows, scales


def dequantize(rows, scales):
    return rows.astype(np.float32) * scales[:, None]


def pack(tokens, rows, scales):
    text = "".join(t + "\n" for t in tokens).encode()
    head = b"PSTB" + struct.pack("<IIII", VERSION, rows.shape[0], rows.shape[1], len(text))
    return head + text + scales.astype("<f4").tobytes() + rows.tobytes()
