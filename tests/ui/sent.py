"""What the server sends, read back as the browser does."""

import base64
import zlib

import numpy as np


def unpack(packed):
    """(height, width) of labels or levels that travel compressed."""
    kind = {1: "u1", 2: "<u2", 4: "<u4"}[packed["bytes"]]
    return np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), kind).reshape(packed["height"], -1)
