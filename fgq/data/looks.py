"""Materials for a scene: which texture, at which scale, in which colour, how glossy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fgq.data.drawing import random_color
from fgq.data.shapes import Material, Vector
from fgq.data.textures import TextureBank

CLOTH = ("fabric", "plaid", "stripes", "dots", "carpet", "clouds", "terrazzo", "checks")
HARD = ("wood", "plain", "marble", "concrete", "plaster", "terrazzo", "planks")
WALL = ("plaster", "plain", "concrete", "brick", "tiles", "stripes", "planks", "terrazzo", "clouds")
WALL_ODDS = (0.3, 0.2, 0.1, 0.1, 0.1, 0.06, 0.06, 0.03, 0.05)
FLOOR = ("planks", "tiles", "carpet", "wood", "marble", "concrete", "checks", "terrazzo", "plaid")
FLOOR_ODDS = (0.28, 0.2, 0.16, 0.08, 0.06, 0.06, 0.06, 0.06, 0.04)
ANY = (
    "clouds",
    "wood",
    "marble",
    "checks",
    "stripes",
    "plaid",
    "dots",
    "terrazzo",
    "fabric",
    "plain",
    "cover",
    "poster",
    "abstract",
)


@dataclass(frozen=True)
class Looks:
    """Draws materials from the bank with the scene's generator."""

    rng: np.random.Generator
    bank: TextureBank

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def texture(self, kind: str) -> int:
        return int(self.rng.choice(self.bank.kinds[kind]))

    def surface(self, kind: str, repeats: float | None = None, toned: float = 0.4) -> Material:
        """A tiling material; with probability `toned` it is tinted towards a muted colour."""
        texture = self.texture(kind)
        scale = repeats if repeats is not None else float(np.exp(self.uniform(-0.5, 1.3)))
        tint = np.exp(self.rng.normal(0, 0.06, 3)) * np.exp(self.rng.normal(0, 0.25))
        if self.chance(toned):
            wanted = random_color(self.rng, 0.2, (0.2, 0.95)) ** 2
            tint = np.clip(wanted / (self.bank.mean[texture] ** 2 + 0.02), 0.1, 4)
        return self._finished(texture, scale, tint)

    def picture(self, kind: str, glow: float = 0.0) -> Material:
        """A texture shown once a face."""
        tint = np.exp(self.rng.normal(0, 0.1, 3))
        return replace(self._finished(self.texture(kind), 0.0, tint), glow=glow)

    def _finished(self, texture: int, repeats: float, tint: np.ndarray) -> Material:
        specular, shininess = 0.0, 10.0
        if self.chance(0.45):
            specular, shininess = self.uniform(0.05, 0.6), float(np.exp(self.uniform(2, 5)))
        rgb: Vector = (float(tint[0]), float(tint[1]), float(tint[2]))
        return Material(texture, repeats, rgb, specular, shininess)

    def wall(self) -> Material:
        kind = str(self.rng.choice(WALL, p=WALL_ODDS))
        return replace(self.surface(kind, self.uniform(0.4, 1.1), toned=0.75), specular=0.0)

    def floor(self) -> Material:
        kind = str(self.rng.choice(FLOOR, p=FLOOR_ODDS))
        return self.surface(kind, self.uniform(0.35, 1.2), toned=0.3)

    def ceiling(self) -> Material:
        material = self.surface(
            str(self.rng.choice(("plaster", "plain", "planks"), p=(0.5, 0.35, 0.15))), 0.7
        )
        level = self.uniform(0.5, 0.9) / float(
            (self.bank.mean[material.texture] ** 2).mean() + 0.02
        )
        return replace(material, tint=(level, level, level * self.uniform(0.85, 1)), specular=0.0)

    def hard(self) -> Material:
        return self.surface(str(self.rng.choice(HARD, p=(0.45, 0.2, 0.08, 0.05, 0.08, 0.04, 0.1))))

    def cloth(self) -> Material:
        return replace(
            self.surface(str(self.rng.choice(CLOTH)), self.uniform(0.8, 4)), specular=0.0
        )

    def metal(self) -> Material:
        material = self.surface("plain", toned=1.0)
        return replace(material, specular=self.uniform(0.3, 1.0), shininess=self.uniform(20, 120))

    def glossy(self) -> Material:
        material = self.surface("plain", toned=0.0)
        return replace(material, specular=self.uniform(0.1, 0.8), shininess=self.uniform(20, 150))

    def any(self) -> Material:
        kind = str(self.rng.choice(ANY))
        if kind in ("cover", "poster", "abstract"):
            return self.picture(kind)
        return self.surface(kind, float(np.exp(self.uniform(0.3, 2.3))), toned=0.25)
