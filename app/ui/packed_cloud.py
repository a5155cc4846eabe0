"""A point cloud for pygfx that costs 16 bytes a point.

A point is its position (3 x float32) and one word of red, green, blue and confidence rank. The
lowest bit of each coordinate, a ten-millionth of its length, is given up for a flag: whether the
point is part of the sky, of a black or of a white background. Every point is drawn as an instanced
quad of a fixed size in pixels. What hides points (confidence, masks, the box) and the size are
uniforms of one material that all clouds share, so moving a slider uploads a few bytes.
"""

from typing import Any, ClassVar

import numpy as np
import pygfx as gfx
import wgpu
from numpy.typing import NDArray
from pygfx.renderers.wgpu import BaseShader, Binding, register_wgpu_render_function

EVERYWHERE = 3e38
"""A box from minus to plus this has everything inside."""

_WGSL = """
{$ include 'pygfx.std.wgsl' $}

struct VertexInput {
    @builtin(vertex_index) corner : u32,
    @builtin(instance_index) point : u32,
};

@vertex
fn vs_main(in: VertexInput) -> Varyings {
    let packed = load_s_points(i32(in.point));
    let world = u_wobject.world_transform * vec4<f32>(bitcast<vec3<f32>>(packed.xyz), 1.0);
    var clip = u_stdinfo.projection_transform * u_stdinfo.cam_transform * world;
    let corner = vec2<f32>(f32(in.corner & 1u), f32(in.corner >> 1u)) * 2.0 - 1.0;
    clip = vec4<f32>(clip.xy + corner * u_material.size / u_stdinfo.logical_size * clip.w, clip.zw);
    let flags = (packed.x & 1u) | ((packed.y & 1u) << 1u) | ((packed.z & 1u) << 2u);
    let outside = any(world.xyz < u_material.low.xyz) || any(world.xyz > u_material.high.xyz);
    if ((packed.w >> 24u) < u_material.threshold || (flags & u_material.masks) != 0u || outside) {
        clip = vec4<f32>(0.0, 0.0, 2.0, 1.0);
    }
    var varyings: Varyings;
    varyings.position = vec4<f32>(clip);
    varyings.color = vec3<f32>(srgb2physical(unpack4x8unorm(packed.w).rgb));
    varyings.elementIndex = u32(in.point);
    return varyings;
}

@fragment
fn fs_main(varyings: Varyings) -> FragmentOutput {
    var out: FragmentOutput;
    out.color = vec4<f32>(varyings.color, u_material.opacity);
    return out;
}
"""


def pack_points(
    points: NDArray[np.float32],
    colors: NDArray[np.uint8],
    rank: NDArray[np.uint8],
    flags: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint32]:
    """Pack points [N,3], colors [N,3], confidence rank [N] and flags [N] (0 to 7) into [N,4]."""
    packed = np.empty((len(points), 4), np.uint32)
    packed[:, :3] = np.ascontiguousarray(points, np.float32).view(np.uint32) & ~np.uint32(1)
    if flags is not None:
        # Column by column: rows of three are slow in numpy.
        for bit in range(3):
            packed[:, bit] |= flags >> np.uint8(bit) & np.uint8(1)
    last = np.empty((len(points), 4), np.uint8)
    last[:, :3], last[:, 3] = colors, rank
    packed[:, 3] = last.view("<u4")[:, 0]
    return packed


def unpack_points(
    packed: NDArray[np.uint32],
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
    """Points [N,3], colors [N,3] and rank [N] of packed words [N,4]."""
    points = np.ascontiguousarray(packed[:, :3]).view(np.float32)
    last = np.ascontiguousarray(packed[:, 3:]).astype("<u4").view(np.uint8)
    return points, last[:, :3], last[:, 3]


def unpack_flags(packed: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Flags [N] of packed words [N,4]."""
    flags: NDArray[np.uint8] = ((packed[:, :3] & 1) << np.arange(3, dtype=np.uint32)).sum(1)
    return flags.astype(np.uint8)


class PackedCloudMaterial(gfx.Material):
    """How clouds are drawn, and which of their points.

    size: side of a quad in logical pixels; threshold: points with a lower rank (0 to 255) are not
    drawn; masks: nor are those that have one of these flags; low, high [3]: nor those outside of
    this box in the world.
    """

    uniform_type: ClassVar[dict[str, str]] = dict(
        gfx.Material.uniform_type, low="4xf4", high="4xf4", size="f4", threshold="u4", masks="u4"
    )

    def __init__(self, size: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set(size=size, threshold=0, masks=0, low=-EVERYWHERE, high=EVERYWHERE)

    def set(self, **values: Any) -> bool:
        """Take over values by name; returns whether any is new."""
        data = self.uniform_buffer.data
        before = data.tobytes()
        for name, value in values.items():
            if data[name].shape:
                data[name][:3] = value
            else:
                data[name] = value
        changed = data.tobytes() != before
        if changed:
            self.uniform_buffer.update_full()
        return changed

    @property
    def size(self) -> float:
        """Side of a point in logical pixels."""
        return float(self.uniform_buffer.data["size"])


class PackedCloud(gfx.WorldObject):
    """Packed points [N,4] as one object; its place in the world is `.local.matrix`.

    shown: whether it is part of the picture; a pass that draws none of it is no reason to forget.
    """

    def __init__(self, packed: NDArray[np.uint32], material: PackedCloudMaterial) -> None:
        super().__init__(gfx.Geometry(points=gfx.Buffer(packed)), material)
        self.shown = True

    @property
    def count(self) -> int:
        """How many points it has."""
        return int(self.geometry.points.nitems)

    def draw_share(self, begin: float, end: float) -> None:
        """Draw only the points between two shares (0 to 1) of the whole."""
        points = self.geometry.points
        first = round(begin * points.nitems)
        count = round(end * points.nitems) - first
        self.visible = count > 0
        if count and points.draw_range != (first, count):
            points.draw_range = first, count


@register_wgpu_render_function(PackedCloud, PackedCloudMaterial)
class _PackedCloudShader(BaseShader):
    type = "render"

    def get_bindings(self, wobject: PackedCloud, shared: Any, scene: Any) -> dict[int, Any]:
        bindings = dict(
            enumerate(
                [
                    Binding("u_stdinfo", "buffer/uniform", shared.uniform_buffer),
                    Binding("u_wobject", "buffer/uniform", wobject.uniform_buffer),
                    Binding("u_material", "buffer/uniform", wobject.material.uniform_buffer),
                    Binding(
                        "s_points", "buffer/read_only_storage", wobject.geometry.points, "VERTEX"
                    ),
                ]
            )
        )
        self.define_bindings(0, bindings)
        return {0: bindings}

    def get_pipeline_info(self, wobject: PackedCloud, shared: Any) -> dict[str, Any]:
        return {
            "primitive_topology": wgpu.PrimitiveTopology.triangle_strip,
            "cull_mode": wgpu.CullMode.none,
        }

    def get_render_info(self, wobject: PackedCloud, shared: Any) -> dict[str, Any]:
        first, count = wobject.geometry.points.draw_range
        return {"indices": (4, count, 0, first)}

    def get_code(self) -> str:
        return _WGSL
