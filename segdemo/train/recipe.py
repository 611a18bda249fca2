"""One recipe for all networks: AdamW, warm-up and cosine, averaged weights, checkpoints that resume."""

from __future__ import annotations

import copy
import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..labels import VOC21
from ..networks.backbones import EfficientNetLite0, copy_in_order, load_imagenet
from ..networks.checkpoints import load_weights, read_card
from ..networks.inference import build_network, normalize
from .checkpointing import load_state, save_state
from .dataset import Batches, Photo
from .losses import Mimicry, pixel_loss, training_scores


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training, apart from the photos.

    Attributes:
        network: what to train, a name that ``build_network`` knows.
        iterations: length of the cosine; a time budget can end it earlier.
        batch, crop, scale: photos per step, crop in pixels, range of zoom (1 = long side 320).
        rate, trunk_rate: peak learning rate of new layers and of the pretrained trunk.
        frozen_stages: how many of the trunk's first stages keep their ImageNet weights.
        start: ``"imagenet"``, ``"scratch"``, or the name of a trained network whose trunk to start from.
        teacher: a trained network whose soft predictions are learned too, or "".
        mimic: weight of matching the teacher's features as well (for encoders without pretraining).
        mimic_maps: which of the encoder's maps learns which of the teacher's (at strides 4, 8, 16, 16).
        deep: put a loss on every level of the decoder, by score heads that are thrown away afterwards (deeply
            supervised nets, Lee et al. 2015): a deep decoder learns little from the loss at its far end alone.
        output_stride: train an atrous network on this grid instead of its own; the weights fit both.
        muon: let Muon (Jordan et al. 2024), which makes each update orthogonal, train the matrices of linear layers;
            all else stays with AdamW.
    """

    network: str
    iterations: int = 4000
    batch: int = 16
    crop: int = 256
    scale: tuple[float, float] = (0.6, 1.7)
    rate: float = 1e-3
    trunk_rate: float = 4e-4
    weight_decay: float = 0.02
    frozen_stages: int = 2
    start: str = "imagenet"
    teacher: str = ""
    mimic: float = 0.0
    mimic_maps: tuple[tuple[int, int], ...] = ()
    deep: bool = False
    output_stride: int = 0
    muon: bool = False
    average: float = 0.999
    seed: int = 1


SEGNET = dict(crop=192, scale=(0.45, 1.3), frozen_stages=0, rate=3e-3, deep=True)
"""Full-resolution maps are dear: smaller crops of smaller photos."""

RECIPES = {
    "deeplab-v3plus": Recipe("deeplab-v3plus"),
    "fcn": Recipe("fcn-8s", iterations=2500, start="deeplab-v3plus", teacher="deeplab-v3plus"),
    # Trained on a grid of 16 and used on one of 8, as Chen et al. do in "Rethinking Atrous Convolution" (section 4.1).
    "deeplab-v2": Recipe(
        "deeplab-v2", output_stride=16, iterations=2500, start="deeplab-v3plus", teacher="deeplab-v3plus"
    ),
    "segnet": Recipe("segnet", start="deeplab-v3plus", teacher="deeplab-v3plus", **SEGNET),
    "segnet-fixed": Recipe("segnet-fixed", start="segnet", teacher="deeplab-v3plus", **SEGNET),
    "segnet-bilinear": Recipe("segnet-bilinear", start="segnet", teacher="deeplab-v3plus", **SEGNET),
    "unet": Recipe(
        "unet", start="deeplab-v3plus", teacher="deeplab-v3plus", crop=192, scale=(0.45, 1.3), rate=5e-3, deep=True
    ),
    "segformer-b0": Recipe(
        "segformer-b0", start="scratch", teacher="deeplab-v3plus", mimic=1.0, mimic_maps=((1, 1), (2, 2), (3, 3)), crop=192,
        scale=(0.45, 1.3), iterations=40000, batch=8, rate=2e-3, frozen_stages=0, weight_decay=0.05, muon=True,
    ),
}  # fmt: skip


def depthwise_in_float32(network: nn.Module) -> None:
    """Keep wide or dilated depthwise convolutions out of autocast: their bfloat16 gradient is 3 to 7 times slower on CPUs."""

    def in_float32(forward, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return forward(x.float()).to(x.dtype)

    for module in network.modules():
        if (
            isinstance(module, nn.Conv2d)
            and module.groups > 1
            and (module.kernel_size[0] > 3 or module.dilation[0] > 1)
        ):
            module.forward = partial(in_float32, module.forward)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 faster than in single precision: CPUs without AVX-512 only imitate it."""
    return device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Trainer:
    """State of one training: network, its average, optimizer, progress. ``run`` carries it to the end."""

    def __init__(
        self, recipe: Recipe, photos: list[Photo], folder: Path, device: str = "cpu", imagenet: Path | None = None
    ):
        torch.manual_seed(recipe.seed)
        self.recipe, self.photos, self.folder, self.device = recipe, photos, folder, torch.device(device)
        options = {"output_stride": recipe.output_stride} if recipe.output_stride else {}
        self.network = build_network(recipe.network, **options).to(self.device, memory_format=torch.channels_last)
        if self.device.type == "cpu":
            depthwise_in_float32(self.network)
        self.teacher = self._load_teacher() if recipe.teacher else None
        self._start(imagenet)
        self.mimicry = None
        if recipe.mimic:
            channels = self.network.encoder.channels, self.teacher.trunk.channels
            self.mimicry = Mimicry(*channels, recipe.mimic_maps).to(self.device)
        self.heads = None
        if recipe.deep:
            self.heads = nn.ModuleList(nn.Conv2d(c, len(VOC21), 1) for c in self.network.decoded[:-1]).to(self.device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizers = self._optimizers()
        self.rates = [group["lr"] for group in self.groups()]
        self.iteration, self.elapsed, self.log = 0, 0.0, []
        self.history: list[dict] = []
        folder.mkdir(parents=True, exist_ok=True)

    def _load_teacher(self) -> nn.Module:
        teacher = build_network(self.recipe.teacher)
        load_weights(teacher, self.recipe.teacher)
        return teacher.to(self.device, memory_format=torch.channels_last).eval().requires_grad_(False)

    def _start(self, imagenet: Path | None) -> None:
        trunk = getattr(self.network, "trunk", None)
        self.lacks_start = self.recipe.start == "imagenet" and imagenet is None
        if self.lacks_start:
            pass  # until it is known whether this training goes on from another
        elif self.recipe.start == "imagenet":
            load_imagenet(trunk, torch.load(imagenet, map_location="cpu", weights_only=True))
        elif self.recipe.start != "scratch":
            source = build_network(self.recipe.start)
            load_weights(source, self.recipe.start)
            copy_in_order(source.trunk.state_dict().items(), trunk)
        for module in self.frozen():
            module.requires_grad_(False)

    def frozen(self) -> list[nn.Module]:
        """The trunk's first layers, which keep weights and statistics."""
        return self.frozen_in(self.network)

    def frozen_in(self, network: nn.Module) -> list[nn.Module]:
        trunk = getattr(network, "trunk", None)
        if not isinstance(trunk, EfficientNetLite0) or not self.recipe.frozen_stages:
            return []
        return [trunk.stem, *trunk.stages[: self.recipe.frozen_stages]]

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW and, if the recipe asks for it, Muon for the matrices of the network's linear layers."""
        linear = [m.weight for m in self.network.modules() if isinstance(m, nn.Linear)] if self.recipe.muon else []
        optimizers: list = [torch.optim.AdamW(self._groups({id(p) for p in linear}), betas=(0.9, 0.99))]
        if linear:
            # Updates as large as AdamW's, so that both take the same rate (Liu et al., "Muon is Scalable for LLM Training", 2025, eq. 4).
            settings = dict(lr=self.recipe.rate, weight_decay=self.recipe.weight_decay, adjust_lr_fn="match_rms_adamw")
            optimizers.append(torch.optim.Muon(linear, **settings))
        return optimizers

    def groups(self) -> list[dict]:
        """The parameter groups of all optimizers."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def _groups(self, left_out: set[int]) -> list[dict]:
        """Four parameter groups: trunk or new, with weight decay (matrices) or without (norms, biases); none of ``left_out`` (ids)."""
        groups: dict[tuple[bool, bool], list] = {}
        named = list(self.network.named_parameters())
        if self.mimicry is not None:
            named += [(f"mimicry.{name}", p) for name, p in self.mimicry.named_parameters()]
        if self.heads is not None:
            named += [(f"heads.{name}", p) for name, p in self.heads.named_parameters()]
        for name, parameter in named:
            if parameter.requires_grad and id(parameter) not in left_out:
                groups.setdefault((name.startswith("trunk."), parameter.ndim > 1), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": self.recipe.trunk_rate if trunk else self.recipe.rate,
                "weight_decay": self.recipe.weight_decay if decay else 0.0,
            }
            for (trunk, decay), parameters in groups.items()
        ]

    def set_rate(self, progress: float) -> None:
        """Linear warm-up over the first 4 %, then a half cosine to zero."""
        factor = min(1.0, progress / 0.04 + 1e-3) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        for group, rate in zip(self.groups(), self.rates, strict=True):
            group["lr"] = rate * factor

    def loss(self, images: Tensor, masks: Tensor) -> Tensor:
        soft, teacher_maps = None, None
        if self.teacher is not None:
            with torch.no_grad():
                teacher_maps = self.teacher.trunk(images)
                soft = self.teacher.head(teacher_maps).float().softmax(1)
        total = 0.0
        if self.mimicry is not None:
            maps = self.network.encoder(images)
            total = self.recipe.mimic * self.mimicry(maps, teacher_maps)
            outputs = [self.network.decoder(maps)]
        else:
            outputs = training_scores(self.network, images, self.heads)
        losses = [pixel_loss(scores.float(), masks, soft) for scores in outputs]
        # The finest output counts as much as all coarser ones together.
        return total + (sum(losses) / len(losses) + losses[-1]) / 2

    def step(self, images: np.ndarray, masks: np.ndarray) -> float:
        x = normalize(torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2))
        # Scores have stride 4 at the finest; masks at half resolution lose nothing and cost a quarter.
        target = torch.from_numpy(masks[:, ::2, ::2].astype(np.int64)).to(self.device)
        # On CPUs the fused attention's backward pass is slower than plain matrix products.
        attention = sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext()
        with attention, torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            loss = self.loss(x.contiguous(memory_format=torch.channels_last), target)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in self.groups() for p in group["params"]], 5.0)
        for optimizer in self.optimizers:
            optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average of weights and statistics; young averages forget faster."""
        decay = min(self.recipe.average, (1 + self.iteration) / (10 + self.iteration))
        for average, current in zip(
            self.average.state_dict().values(), self.network.state_dict().values(), strict=True
        ):
            if average.dtype.is_floating_point:
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(current)

    def run(self, minutes: float = math.inf, checkpoint_every: float = 120.0) -> nn.Module:
        """Train to the recipe's end or until ``minutes`` of training are spent; returns the averaged network.

        Raises ``FileNotFoundError`` when it would begin with random numbers in place of the recipe's ImageNet weights.
        """
        if self.lacks_start and not (self.iteration or self.history):
            raise FileNotFoundError("this recipe starts from ImageNet weights: give their file with --imagenet")
        batches = Batches(
            self.photos, self.recipe.batch, self.recipe.crop, self.recipe.scale, self.recipe.seed, self.iteration
        )
        last, saved, recent = time.perf_counter(), time.perf_counter(), []
        for images, masks in batches:
            progress = max(self.iteration / self.recipe.iterations, self.elapsed / (minutes * 60))
            if progress >= 1:
                break
            self.network.train()
            for module in self.frozen():
                module.eval()
            self.set_rate(progress)
            recent.append(self.step(images, masks))
            self.iteration += 1
            self.update_average()
            now = time.perf_counter()
            self.elapsed, last = self.elapsed + now - last, now
            if self.iteration % 50 == 0:
                self.write_log(progress, float(np.mean(recent)))
                recent = []
            if now - saved > checkpoint_every:
                self.save()
                saved = time.perf_counter()
        if recent:
            self.write_log(progress, float(np.mean(recent)))
        self.save()
        return self.average

    @torch.no_grad()
    def recalibrate(self, count: int = 32) -> nn.Module:
        """Measure the averaged network's batch-norm statistics anew on ``count`` batches; returns it.

        Averaged statistics are not the statistics of averaged weights (Izmailov et al., "Averaging Weights Leads to
        Wider Optima", 2018, section 3.2), least of all after a short training. Frozen layers keep theirs.
        """
        frozen = {id(module) for part in self.frozen_in(self.average) for module in part.modules()}
        norms = [m for m in self.average.modules() if isinstance(m, nn.BatchNorm2d) and id(m) not in frozen]
        batches = Batches(
            self.photos, self.recipe.batch, self.recipe.crop, self.recipe.scale, self.recipe.seed, self.iteration
        )
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over all batches
            norm.train()
        for _, (images, _) in zip(range(count), batches, strict=False):
            x = normalize(torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2))
            self.average(x.contiguous(memory_format=torch.channels_last))
        return self.average.eval()

    def write_log(self, progress: float, loss: float) -> None:
        rate = self.iteration * self.recipe.batch / self.elapsed
        row = dict(
            iteration=self.iteration, progress=round(progress, 4), loss=round(loss, 4), images_per_second=round(rate, 2)
        )
        self.log.append(row)
        (self.folder / "log.json").write_text(json.dumps({"recipe": asdict(self.recipe), "log": self.log}))
        print(json.dumps(row), flush=True)

    def save(self) -> None:
        """Write a checkpoint to the run folder, whole or not at all."""
        state = {
            "recipe": asdict(self.recipe), "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers], "iteration": self.iteration, "elapsed": self.elapsed, "log": self.log,
            "history": self.history,
        }  # fmt: skip
        for part in ("mimicry", "heads"):
            if getattr(self, part) is not None:
                state[part] = getattr(self, part).state_dict()
        save_state(state, self.folder)

    def continue_from(self, folder: Path) -> None:
        """Start a new schedule from the averaged weights of another run's checkpoint (a warm restart)."""
        state = load_state(folder, self.device)
        if state is None:
            raise FileNotFoundError(f"there is no checkpoint in {folder}")
        self.network.load_state_dict(state["average"])
        self.average.load_state_dict(state["average"])
        self._load_parts(state)
        earlier = {key: state[key] for key in ("recipe", "iteration", "elapsed")}
        self.history = [*state.get("history", []), earlier]

    def _load_parts(self, state: dict) -> None:
        """What is trained beside the network and thrown away in the end."""
        for part in ("mimicry", "heads"):
            if getattr(self, part) is not None and part in state:
                getattr(self, part).load_state_dict(state[part])

    def continue_published(self) -> None:
        """Start a new schedule from the published weights of this recipe's network (run folders need not be kept).

        Raises ``UnavailableError`` if there are none. The card's account of earlier schedules is carried on.
        """
        name = self.recipe.network
        for network in (self.network, self.average):
            load_weights(network, name)
        card = read_card(name)
        training = card["training"]
        elapsed = 60 * training["minutes"] - sum(earlier["elapsed"] for earlier in training["earlier_schedules"])
        latest = {"recipe": card["recipe"], "iteration": training["iterations"], "elapsed": round(elapsed, 1)}
        self.history = [*training["earlier_schedules"], latest]

    def resume(self) -> bool:
        """Continue from the run folder's checkpoint if there is one; raises ``ValueError`` for another recipe's."""
        state = load_state(self.folder, self.device)
        if state is None:
            return False
        if state["recipe"]["network"] != self.recipe.network:
            raise ValueError(f"{self.folder} belongs to {state['recipe']['network']}, not to {self.recipe.network}")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimizer, its_state in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(its_state)
        self._load_parts(state)
        self.iteration, self.elapsed, self.log = state["iteration"], state["elapsed"], state["log"]
        self.history = state.get("history", [])
        return True
