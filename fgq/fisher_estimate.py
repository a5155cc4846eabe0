"""Fisher information of a VGGT's activations, measured on calibration clips.

Two estimators of the squared gradient of a task at an activation h:

    gauss-newton   the diagonal of J^T J, J = dy / dh, where y is the task's vector of
                   `fgq.task_loss`. It is the expectation of (J^T v)^2 over vectors v of random
                   signs (Hutchinson), estimated with a few of them a clip.
    paper          (dL / dh)^2 with L the plain sum of all entries of the task's prediction, and
                   the camera head's iterations detached from each other: what the authors of
                   arXiv 2605.15828 released. It is no Fisher information of any likelihood;
                   it is here to compare with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fgq.data.calibration import CalibrationClip, clip_images
from fgq.fisher import TASKS, TOKEN_GROUPS, Fisher, block_names
from fgq.task_loss import task_outputs
from fgq.vggt import VGGT, Predictions
from fgq.vggt.attention import Block
from fgq.vggt.patch_embed import DinoPatchEmbed

ESTIMATORS = ("gauss-newton", "paper")
PAPER_OUTPUTS = {"camera": "pose_enc", "depth": "depth", "points": "world_points"}

# Task vectors {task: y [1, N]} of a network on images, and the vectors v [1, N] to go back along.
Outputs = Callable[[VGGT, Tensor], dict[str, Tensor]]
Directions = Callable[[str, Tensor], Iterable[Tensor]]


def estimate_fisher(
    model: VGGT,
    clips: Iterable[CalibrationClip],
    estimator: str = "gauss-newton",
    probes: int = 4,
    seed: int = 0,
    recompute: bool = True,
) -> Fisher:
    """Mean over clips of `clip_energies`, on the device of the model.

    The probes of a clip depend on the seed and its content, not on its place in the order. The
    paper's estimator has no probes. ValueError if there is no clip, a number is not finite, or an
    argument is out of range.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator {estimator!r} is not one of {', '.join(ESTIMATORS)}")
    if probes < 1:
        raise ValueError(f"{probes} probes: there must be at least one")
    parameter = next(model.parameters())
    blocks = block_names(model.config.depth)
    total: dict[str, Tensor] = {}
    per_clip, tokens, used = [], [], []
    for clip in clips:
        images = clip_images(clip).to(parameter)
        outputs: Outputs = metric_outputs
        directions: Directions = partial(random_signs, probes, seed, clip.sha256)
        if estimator == "paper":
            outputs, directions = paper_outputs, plain_sum
        try:
            energies = clip_energies(model, images, outputs, directions, recompute)
        except ValueError as error:
            raise ValueError(f"clip {clip.name}: {error}") from error
        for name, energy in energies.items():
            total[name] = total.get(name, 0) + energy
        per_clip.append(torch.stack([energies[name].sum(-1) for name in blocks], dim=1))
        tokens.append(_tokens_of_groups(model, images))
        used.append({"name": clip.name, "sha256": clip.sha256, "shape": list(clip.images.shape)})
    if not used:
        raise ValueError("there are no calibration clips")
    mean = {name: (energy / len(used)).float() for name, energy in total.items()}
    return Fisher(
        blocks=torch.stack([mean.pop(name) for name in blocks], dim=1),
        linears=mean,
        per_clip=torch.stack(per_clip).float(),
        tokens=torch.tensor(tokens).float().mean(dim=0),
        manifest={
            "estimator": estimator,
            "probes": probes if estimator == "gauss-newton" else None,
            "seed": seed if estimator == "gauss-newton" else None,
            "tasks": list(TASKS),
            "token_groups": list(TOKEN_GROUPS),
            "blocks": blocks,
            "clips": used,
            "created_with": {"torch": torch.__version__, "device": parameter.device.type},
        },
    )


def clip_energies(
    model: VGGT,
    images: Tensor,
    outputs: Outputs,
    directions: Directions,
    recompute: bool = True,
) -> dict[str, Tensor]:
    """Sum over directions v of (J^T v)^2, and over the tokens of each group, at every output.

    images [1, S, 3, H, W] -> module name -> float64 [T, G, N] on the CPU, for the aggregator's
    blocks and all linears of aggregator and camera head. With `recompute` only the inputs of blocks
    are kept, and what is inside of a block is computed again on the way back: memory for one block
    instead of all, for half more time. ValueError if a number is not finite.
    """
    energies = _Energies(token_layouts(model, images))
    with _watched(model, energies, recompute), torch.enable_grad():
        for task, y in outputs(model, images).items():
            energies.task = TASKS.index(task)
            for v in directions(task, y):
                y.backward(v, retain_graph=True)
    found = {name: energy.cpu().double() for name, energy in energies.sums.items()}
    for name, energy in found.items():
        if not energy.isfinite().all():
            bad = TASKS[int(energy.isfinite().flatten(1).all(1).int().argmin())]
            raise ValueError(f"the gradient of the {bad} task at {name} is not finite")
    return found


def metric_outputs(model: VGGT, images: Tensor) -> dict[str, Tensor]:
    """Vectors of `task_outputs`, with the derivative of the camera head's whole iteration."""
    predictions = _predict(model, images, detach=False)
    return task_outputs(predictions, predictions)


def paper_outputs(model: VGGT, images: Tensor) -> dict[str, Tensor]:
    """The predictions themselves, as vectors [1, N]."""
    predictions: dict[str, Any] = dict(_predict(model, images, detach=True))
    return {
        task: predictions[name].flatten(1)
        for task, name in PAPER_OUTPUTS.items()
        if name in predictions
    }


def random_signs(probes: int, seed: int, clip: str, task: str, y: Tensor) -> Iterator[Tensor]:
    """Vectors of random signs like y, so scaled that squares are averaged where they are summed.

    Drawn on the CPU: every device gets the same.
    """
    digest = hashlib.sha256(f"{seed} {clip} {task}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))
    for _ in range(probes):
        signs = 2 * torch.randint(2, y.shape, generator=generator) - 1
        yield signs.to(y) / probes**0.5


def plain_sum(task: str, y: Tensor) -> Iterator[Tensor]:
    """The one vector whose product with y is the sum of its entries."""
    yield torch.ones_like(y)


def _predict(model: VGGT, images: Tensor, detach: bool) -> Predictions:
    """As `VGGT.forward`, with a choice for the camera head; ValueError if not finite."""
    tokens = model.aggregator(images)
    size = (images.shape[-2], images.shape[-1])
    out: Predictions = {}
    if "camera" in model.config.heads:
        out["pose_enc"] = model.camera_head(tokens[model.config.depth - 1], detach=detach)[-1]
    if "depth" in model.config.heads:
        out["depth"], out["depth_conf"] = model.depth_head(tokens, size)
    if "point" in model.config.heads:
        out["world_points"], out["world_points_conf"] = model.point_head(tokens, size)
    for name, x in out.items():
        if isinstance(x, Tensor) and not x.isfinite().all():
            raise ValueError(f"the predicted {name} is not finite")
    return out


class Layout(NamedTuple):
    """Rows of a module's output: sequences of one camera token, `registers`, then patches."""

    tokens: int
    registers: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Tokens of each group in a sequence."""
        return 1, self.registers, self.tokens - self.registers - 1

    def group_sums(self, x: Tensor) -> Tensor:
        """Values of tokens [..., C] -> sums [G, C] over the tokens of each group."""
        rows = x.reshape(-1, self.tokens, x.shape[-1]).sum(dim=0)
        groups = rows.split(self.counts)
        return torch.stack([group.sum(dim=0) for group in groups])

    def group_means(self, x: Tensor) -> Tensor:
        """The same, divided by the number of tokens; a group without tokens is zero."""
        sequences = x.numel() // x.shape[-1] // self.tokens
        return self.group_sums(x) / (sequences * x.new_tensor(self.counts)).clamp(min=1)[:, None]


def token_layouts(model: VGGT, images: Tensor) -> dict[str, Layout]:
    """The layout at every module that is watched.

    Every row of the camera head is a camera token, one for each view and iteration. The class
    token of the DINOv2 embedder counts as camera token: it is the one of the whole image there.
    """
    patch, special = model.config.patch_size, model.config.num_register_tokens
    patches = (images.shape[-2] // patch) * (images.shape[-1] // patch)
    if patches == 0:
        raise ValueError(f"no patch tokens in images of {images.shape[-2]}x{images.shape[-1]}")
    layout = Layout(1 + special + patches, special)
    layouts = dict.fromkeys(block_names(model.config.depth), layout)
    embed = model.aggregator.patch_embed
    own = embed.register_tokens.shape[1] if isinstance(embed, DinoPatchEmbed) else 0
    for name, module in model.named_modules():
        if not isinstance(module, nn.Linear):
            continue
        if name.startswith("camera_head."):
            layouts[name] = Layout(1, 0)
        elif name.startswith("aggregator."):
            registers = own if name.startswith("aggregator.patch_embed.") else special
            layouts[name] = Layout(1 + registers + patches, registers)
    return layouts


def _tokens_of_groups(model: VGGT, images: Tensor) -> list[int]:
    layout = token_layouts(model, images)[block_names(1)[0]]
    return [images.shape[1] * count for count in layout.counts]


class _Energies:
    """Collects squared gradients of the current `task`: sums[name] is [T, G, N]."""

    def __init__(self, layouts: Mapping[str, Layout]) -> None:
        self.layouts = layouts
        self.task = 0
        self.sums: dict[str, Tensor] = {}

    def watch(self, name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        """Forward hook of the module `name`."""
        if name not in self.sums:
            shape = (len(TASKS), len(TOKEN_GROUPS), output.shape[-1])
            self.sums[name] = output.new_zeros(shape)
        if not output.requires_grad:
            # No image enters (the camera head's first pose) or no linear comes before: the graph
            # starts here, since parameters are frozen.
            output.requires_grad_()
        output.register_hook(partial(self._add, name))

    @torch.no_grad()
    def _add(self, name: str, gradient: Tensor) -> None:
        self.sums[name][self.task] += self.layouts[name].group_sums(gradient.square())


@contextmanager
def _watched(model: VGGT, energies: _Energies, recompute: bool) -> Iterator[None]:
    """Hook every module of the layouts, freeze the parameters (their gradients are of no use and
    as large as the network) and, if asked, make blocks recompute themselves; undone at the end."""
    modules = dict(model.named_modules())
    blocks = [m for m in model.aggregator.modules() if isinstance(m, Block) and recompute]
    trainable = [p for p in model.parameters() if p.requires_grad]
    hooks = [
        modules[name].register_forward_hook(partial(energies.watch, name))
        for name in energies.layouts
    ]
    try:
        for parameter in trainable:
            parameter.requires_grad_(False)
        for block in blocks:
            # Hooks on tensors inside fire all the same: this form of checkpointing goes back along
            # the graph of the first pass and only fills its saved tensors in anew.
            block.forward = partial(  # type: ignore[method-assign]
                checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False
            )
        yield
    finally:
        for block in blocks:
            del block.forward
        for parameter in trainable:
            parameter.requires_grad_()
        for hook in hooks:
            hook.remove()
