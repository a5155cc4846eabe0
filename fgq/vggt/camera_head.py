"""Camera head: the pose of every view from its camera token, refined in a few iterations."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Block, Mlp
from .config import VGGTConfig

POSE_DIM = 9
# No translation, no rotation, and a field of view of one radian.
INITIAL_POSE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0)


class CameraHead(nn.Module):
    """Predicts pose codes [tx ty tz, qx qy qz qw, fov_h fov_w] (network scale, radians).

    Each iteration adds a correction to the code of the one before, which reaches the trunk as an
    adaptive LayerNorm (scale, shift, gate) of the camera tokens.
    """

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        dim = 2 * config.embed_dim
        self.iterations = config.camera_iterations
        self.token_norm = nn.LayerNorm(dim)
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, POSE_DIM))
        self.embed_pose = nn.Linear(POSE_DIM, dim)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 3 * dim))
        self.trunk = nn.ModuleList(
            Block(dim, config.camera_trunk_heads, config.mlp_ratio, config.init_values)
            for _ in range(config.camera_trunk_depth)
        )
        self.trunk_norm = nn.LayerNorm(dim)
        self.pose_branch = Mlp(dim, dim // 2, POSE_DIM)

    @torch.no_grad()
    def start_at_identity(self) -> None:
        """Initialise the last layer so that the final code is close to `INITIAL_POSE`."""
        nn.init.trunc_normal_(self.pose_branch.fc2.weight, std=0.002)
        # The emitted code is the sum of one correction an iteration.
        self.pose_branch.fc2.bias.copy_(torch.tensor(INITIAL_POSE) / self.iterations)

    def forward(self, tokens: Tensor, detach: bool = True) -> list[Tensor]:
        """tokens [B, S, P, 2C] of the last layer -> the pose codes [B, S, 9] of every iteration.

        `detach` stops the gradient between iterations, as training wants it: every iteration learns
        from its own loss only. Without it a code has the derivative of all that led to it.
        """
        z = self.token_norm(tokens[:, :, 0])
        z_plain = F.layer_norm(z, z.shape[-1:], eps=1e-6)
        code = None
        codes = []
        for _ in range(self.iterations):
            known = self.empty_pose_tokens if code is None else code.detach() if detach else code
            shift, scale, gate = self.poseLN_modulation(self.embed_pose(known)).chunk(3, dim=-1)
            y = z + gate * (z_plain * (1 + scale) + shift)
            for block in self.trunk:
                y = block(y)
            correction = self.pose_branch(self.trunk_norm(y))
            code = correction if code is None else code + correction
            codes.append(activate_pose(code))
        return codes


def activate_pose(code: Tensor) -> Tensor:
    """Running code [..., 9] -> emitted pose code: the fields of view are not negative."""
    return torch.cat((code[..., :7], code[..., 7:].relu()), dim=-1)
