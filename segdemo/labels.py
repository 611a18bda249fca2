"""Label sets: the names and colours that a label map's integers stand for."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

IGNORE = 255
"""The value in a ground-truth mask that counts neither for nor against."""


@dataclass(frozen=True)
class LabelSet:
    """Names and colours, one row per label.

    Attributes:
        name: what the set is called, e.g. ``"VOC-21"``.
        names: K label names.
        palette: (K, 3) uint8 RGB, read-only: all results share it.
    """

    name: str
    names: tuple[str, ...]
    palette: np.ndarray

    def __post_init__(self) -> None:
        self.palette.setflags(write=False)

    def __len__(self) -> int:
        return len(self.names)


def voc_colormap(count: int) -> np.ndarray:
    """The PASCAL VOC palette: the label's bits, dealt out to R, G, B from the top bit down.

    Returns (count, 3) uint8. Source: the VOC development kit's ``VOClabelcolormap``.
    """
    labels = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((labels >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def distinct_colours(count: int) -> np.ndarray:
    """Colours for labels without a meaning of their own, (count, 3) uint8.

    Hues step by the golden angle, so that any prefix of the list is spread out;
    lightness alternates so that neighbours differ for colour-blind readers too.
    """
    rows = []
    for i in range(count):
        hue = (0.58 + i * 0.61803398875) % 1.0
        lightness = (0.52, 0.66, 0.40)[i % 3]
        rows.append(colorsys.hls_to_rgb(hue, lightness, 0.72))
    return (np.array(rows).reshape(count, 3) * 255).round().astype(np.uint8)


def from_hex(colours: str) -> np.ndarray:
    """Six hexadecimal digits per colour -> (count, 3) uint8."""
    return np.frombuffer(bytes.fromhex(colours), np.uint8).reshape(-1, 3)


VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa",
    "train", "tv/monitor",
)  # fmt: skip
VOC21 = LabelSet(
    "VOC-21",
    VOC_NAMES,
    from_hex(
        "000000ff76111f7e52e2dd1cd595ffab02ff1af0cec9c6d1ce2f00ff135569740196641a2e69ecb73e8430e3ffffa0a400a702ffb215"
        "bfe09b5df6091ba8ff"
    ),
)
"""In the hues of VOC's palette, but lighter and further apart: laid over a photo, its cat (64, 0, 0) only darkens it."""

BINARY = LabelSet("binary", ("background", "object"), np.array([[38, 70, 128], [244, 162, 45]], np.uint8))

CITYSCAPES_NAMES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain", "sky",
    "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
CAMVID_NAMES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip
ADE_NAMES = (
    "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet",
    "sidewalk", "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water",
    "painting", "sofa", "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk",
    "rock", "wardrobe", "lamp", "bathtub", "railing", "cushion", "base", "box", "column", "signboard",
    "chest of drawers", "counter", "sand", "sink", "skyscraper", "fireplace", "refrigerator", "grandstand", "path",
    "stairs", "runway", "case", "pool table", "pillow", "screen door", "stairway", "river", "bridge", "bookcase",
    "blind", "coffee table", "toilet", "flower", "book", "hill", "bench", "countertop", "stove", "palm",
    "kitchen island", "computer", "swivel chair", "boat", "bar", "arcade machine", "hovel", "bus", "towel", "light",
    "truck", "tower", "chandelier", "awning", "streetlight", "booth", "television", "airplane", "dirt track",
    "apparel", "pole", "land", "bannister", "escalator", "ottoman", "bottle", "buffet", "poster", "stage", "van",
    "ship", "fountain", "conveyer belt", "canopy", "washer", "plaything", "swimming pool", "stool", "barrel",
    "basket", "waterfall", "tent", "bag", "minibike", "cradle", "oven", "ball", "food", "step", "tank", "trade name",
    "microwave", "pot", "animal", "bicycle", "lake", "dishwasher", "screen", "blanket", "sculpture", "hood", "sconce",
    "vase", "traffic light", "tray", "ashcan", "fan", "pier", "crt screen", "plate", "monitor", "bulletin board",
    "shower", "radiator", "glass", "clock", "flag",
)  # fmt: skip


CITYSCAPES = LabelSet(
    "Cityscapes-19",
    CITYSCAPES_NAMES,
    from_hex(
        "804080f423e8464646666699be9999999999faaa1edcdc006b8e2398fb984682b4dc143cff000000008e000046003c64005064"
        "0000e6770b20"
    ),
)
CAMVID = LabelSet(
    "CamVid-11",
    CAMVID_NAMES,
    from_hex("808080800000c0c0808040803c28de808000c080804040804000804040000080c0"),
)
ADE20K = LabelSet(
    "ADE20K-150",
    ADE_NAMES,
    from_hex(
        "787878b4787806e6e650323204c8037878508c8c8ccc05ffe6e6e604fa07e005ffebff0796053d78784608ff33ff06528fff8cccff04"
        "ff3307cc46030066c83de6faff06330b66ffff0747ff09e00907e6dcdcdcff095c7009ff08ffd607ffe0ffb8060aff47ff290a07ffff"
        "e0ff086608ffff3d06ffc207ff7a0800ff14ff0829ff05990633ffeb0cffa0961400a3ff8c8c8cfa0a0f14ff001fff00ff1f00ffe000"
        "99ff000000ffff470000ebff00adff1f00ff0bc8c8ff520000fff5003dff00ff7000ff85ff0000ffa300ff6600c2ff00008fff33ff00"
        "0052ff00ff2900ffad0a00ffadff0000ff99ff5c00ff00ffff00f5ff0066ffad00ff0014ffb8b8001fff00ff3d0047ffff00cc00ffc2"
        "00ff52000aff0070ff3300ff00c2ff007aff00ffa3ff990000ff0aff70008fff005200ffa3ff00ffeb0008b8aa8500ff00ff5cb800ff"
        "ff001f00b8ff00d6ffff00705cff0000e0ff70e0ff46b8a0a300ff9900ff47ff00ff00a3ffcc00ff008f00ffeb85ff00ff00ebf500ff"
        "ff007afff5000abed4d6ff0000ccff1400ffffff000099ff0029ff00ffcc2900ff29ff00ad00ff00f5ff4700ff7a00ff00ffb8005cff"
        "b8ff000085ffffd60019c2c266ff005c00ff"
    ),
)
LABEL_SETS = {labels.name: labels for labels in (VOC21, ADE20K, CITYSCAPES, CAMVID)}

TO_VOC = {
    "ADE20K-150": {
        "airplane": "aeroplane", "bicycle": "bicycle", "boat": "boat", "ship": "boat", "bottle": "bottle", "bus": "bus",
        "car": "car", "van": "car", "chair": "chair", "armchair": "chair", "swivel chair": "chair", "table": "dining table",
        "minibike": "motorbike", "person": "person", "plant": "potted plant", "sofa": "sofa", "television": "tv/monitor",
        "crt screen": "tv/monitor", "monitor": "tv/monitor",
    },
    "Cityscapes-19": {
        "person": "person", "rider": "person", "car": "car", "bus": "bus", "train": "train", "motorcycle": "motorbike",
        "bicycle": "bicycle",
    },
    "CamVid-11": {"car": "car", "pedestrian": "person", "bicyclist": "person"},
}  # fmt: skip
"""What of another label set is one of VOC's classes; all else is VOC's background. ADE20K's "animal" is no one class of VOC."""


def voc_columns(labels: LabelSet) -> np.ndarray:
    """(K,) the index in VOC-21 that each of the K labels counts as, 0 = background."""
    if labels.name == VOC21.name:
        return np.arange(len(VOC21))
    mapping = TO_VOC[labels.name]
    return np.array([VOC21.names.index(mapping.get(name, "background")) for name in labels.names])
