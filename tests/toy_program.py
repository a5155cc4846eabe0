"""The toy network, and `python tests/toy_program.py`, which makes toy.pte of it.

The toy reads its answers off the pixels: the red of the upper left corner is the camera's x, green
is depth, blue is confidence. Like VGGT it answers in the frame of the first view and at a scale of
its own that differs from window to window. Its program is kept, because the exporter takes longer
to load than most files of tests to run; test_engine.py holds its numbers to these lines.
"""

from pathlib import Path

HEIGHT, WIDTH = 56, 84
VIEW_COUNTS = (1, 2, 4)
FOV = (0.8, 1.1)
PROGRAM = Path(__file__).with_name("toy.pte")


def export(path: Path) -> None:
    """Write the program, with a method for each number of views."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from torch import Tensor, nn

    class Toy(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            depth = 1 + 2 * images[:, 1]
            scale = depth.mean(dim=(0, 1, 2), keepdim=True)
            x = 4 * images[:, 0, :14, :14].mean(dim=(1, 2), keepdim=True)
            shift = (x[:1] - x) / scale
            ones = torch.ones_like(shift)
            code = [shift, *[0 * ones] * 5, ones, FOV[0] * ones, FOV[1] * ones]
            return torch.cat(code, 1).squeeze(2), depth / scale, 1 + 5 * images[:, 2]

    programs = {
        f"forward_s{views}": torch.export.export(
            Toy().eval(), (torch.rand(views, 3, HEIGHT, WIDTH),), strict=True
        )
        for views in VIEW_COUNTS
    }
    lowered = to_edge_transform_and_lower(programs, partitioner=[XnnpackPartitioner()])
    path.write_bytes(lowered.to_executorch().buffer)


if __name__ == "__main__":
    export(PROGRAM)
