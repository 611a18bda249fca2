"""SegFormer-B0: a hierarchical transformer encoder and an all-MLP decoder.

Xie, Wang, Yu, Anandkumar, Alvarez & Luo, "SegFormer: Simple and Efficient Design for
Semantic Segmentation with Transformers", NeurIPS 2021. What makes it differ from ViT:
overlapping patches of shrinking resolution (a pyramid, as in a CNN), attention whose
keys and values are reduced by ``reduction`` on each side, and a 3 x 3 depthwise
convolution inside the MLP that tells positions apart without position embeddings.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .backbones import resize
from .inference import network_method


def encoder_stages(widths: tuple[int, ...], blocks: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Width, blocks, heads, reduction, patch, stride of each stage; only the first two differ among B0 to B5."""
    return tuple(zip(widths, blocks, (1, 2, 5, 8), (8, 4, 2, 1), (7, 3, 3, 3), (4, 2, 2, 2), strict=True))


B0 = encoder_stages((32, 64, 160, 256), (2, 2, 2, 2))
WIDE = (64, 128, 320, 512)
VARIANTS = {
    "b0": (B0, 256),
    "b1": (encoder_stages(WIDE, (2, 2, 2, 2)), 256),
    "b2": (encoder_stages(WIDE, (3, 4, 6, 3)), 768),
    "b3": (encoder_stages(WIDE, (3, 4, 18, 3)), 768),
    "b4": (encoder_stages(WIDE, (3, 8, 27, 3)), 768),
    "b5": (encoder_stages(WIDE, (3, 6, 40, 3)), 768),
}
"""Stages of the encoder and width of the decoder (table 6 of the paper)."""


class OverlapPatchEmbedding(nn.Module):
    """A strided convolution whose windows overlap. (N, inp, H, W) -> tokens (N, h*w, width), h, w."""

    def __init__(self, inp: int, width: int, patch: int, stride: int):
        super().__init__()
        self.project = nn.Conv2d(inp, width, patch, stride, patch // 2)
        self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, x: Tensor) -> tuple[Tensor, int, int]:
        x = self.project(x)
        height, width = x.shape[2:]
        return self.norm(to_tokens(x)), height, width


class EfficientSelfAttention(nn.Module):
    """Self-attention with keys and values on a grid ``reduction`` times coarser (section 3.1, eq. 2)."""

    def __init__(self, width: int, heads: int, reduction: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.reduce = nn.Conv2d(width, width, reduction, reduction) if reduction > 1 else None
        self.norm = nn.LayerNorm(width, eps=1e-5) if reduction > 1 else None

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        source = x
        if self.reduce is not None:
            source = self.norm(to_tokens(self.reduce(to_map(x, height, width))))  # (N, h*w / R^2, C)
        query, key, value = (self.split(f(t)) for f, t in ((self.query, x), (self.key, source), (self.value, source)))
        x = F.scaled_dot_product_attention(query, key, value)  # (N, heads, h*w, C / heads)
        return self.out(x.transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        """(N, tokens, C) -> (N, heads, tokens, C / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class MixFFN(nn.Module):
    """Linear, 3 x 3 depthwise convolution, GELU, linear (eq. 3)."""

    def __init__(self, width: int, expansion: int = 4):
        super().__init__()
        hidden = width * expansion
        self.expand = nn.Linear(width, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        x = to_map(self.expand(x), height, width)
        return self.contract(F.gelu(to_tokens(self.depthwise(x))))


class Block(nn.Module):
    """Pre-norm attention and Mix-FFN, each with a residual connection."""

    def __init__(self, width: int, heads: int, reduction: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-5), nn.LayerNorm(width, eps=1e-5)
        self.attention = EfficientSelfAttention(width, heads, reduction)
        self.ffn = MixFFN(width)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        x = x + self.attention(self.norm1(x), height, width)
        return x + self.ffn(self.norm2(x), height, width)


class Encoder(nn.Module):
    """Mix Transformer. (N, 3, H, W) -> four maps at strides 4, 8, 16, 32 with the stages' widths."""

    def __init__(self, stages=B0):
        super().__init__()
        self.channels = tuple(stage[0] for stage in stages)
        self.patches, self.blocks, self.norms = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        inp = 3
        for width, depth, heads, reduction, patch, stride in stages:
            self.patches.append(OverlapPatchEmbedding(inp, width, patch, stride))
            self.blocks.append(nn.ModuleList(Block(width, heads, reduction) for _ in range(depth)))
            self.norms.append(nn.LayerNorm(width, eps=1e-5))
            inp = width

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for patches, blocks, norm in zip(self.patches, self.blocks, self.norms, strict=True):
            x, height, width = patches(x)
            for block in blocks:
                x = block(x, height, width)
            x = to_map(norm(x), height, width)
            features.append(x)
        return features


class Decoder(nn.Module):
    """All-MLP decoder (section 3.2): every stage to one width and to stride 4, then one more layer."""

    def __init__(self, channels: tuple[int, ...], classes: int, width: int = 256):
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(c, width) for c in channels)
        self.fuse = nn.Sequential(
            nn.Conv2d(width * len(channels), width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Conv2d(width, classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        size = features[0].shape[2:]
        convolution, *rest = self.fuse
        # The paper enlarges every stage, concatenates, then applies the 1 x 1 convolution. Both are linear, so each
        # stage's share of the convolution may come before the enlargement, on its own coarse grid: same sum, less work.
        shares = convolution.weight.chunk(len(features), dim=1)[::-1]  # weights expect the coarsest stage first
        x = 0 if convolution.bias is None else convolution.bias[:, None, None]
        for feature, linear, share in zip(features, self.linears, shares, strict=True):
            mapped = F.linear(linear(to_tokens(feature)), share.flatten(1))  # (N, h*w, width)
            x = x + resize(to_map(mapped, *feature.shape[2:]), size)
        for layer in rest:
            x = layer(x)
        return self.classifier(self.dropout(x))


class SegFormer(nn.Module):
    """(N, 3, H, W) -> scores (N, classes, H/4, W/4)."""

    stride = 32

    def __init__(self, classes: int = 21, stages=B0, decoder_width: int = 256):
        super().__init__()
        self.encoder = Encoder(stages)
        self.decoder = Decoder(self.encoder.channels, classes, decoder_width)
        self.apply(initialize)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


def to_tokens(x: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, h*w, C)."""
    return x.flatten(2).transpose(1, 2)


def to_map(x: Tensor, height: int, width: int) -> Tensor:
    """(N, h*w, C) -> (N, C, h, w), channels last in memory and with strides that say so: else PyTorch copies the map."""
    return x.unflatten(1, (height, width)).permute(0, 3, 1, 2)


def initialize(module: nn.Module) -> None:
    """Small normal weights for linear layers, He initialization for convolutions, as in the authors' code."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, 0, (2.0 / fan_out) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


network_method(
    "segformer-b0", "SegFormer-B0", SegFormer,
    "A transformer in four stages of shrinking resolution and a decoder of plain linear layers (Xie et al. 2021).", 30,
)  # fmt: skip
