"""Materials for a scene: which texture, at which scale, in which colour, how glossy."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp
from typing import TypeVar

import numpy as np

from fgq.data.drawing import random_color
from fgq.data.shapes import Material, Vector
from fgq.data.textures import TextureBank

T = TypeVar("T")
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
        return low + (high - low) * self.rng.random()

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, options: Sequence[T], odds: Sequence[float] | None = None) -> T:
        """One of the options, all alike or by their odds, which sum to 1. Generator.choice takes
        ten times as long."""
        if odds is None:
            return options[int(self.rng.integers(len(options)))]
        return options[min(bisect(list(accumulate(odds)), self.rng.random()), len(options) - 1)]

    def texture(self, kind: str) -> int:
        textures = self.bank.kinds[kind]
        return int(textures[self.rng.integers(len(textures))])

    def surface(self, kind: str, repeats: float | None = None, toned: float = 0.4) -> Material:
        """A tiling material; with probability `toned` it is tinted towards a muted colour."""
        texture = self.texture(kind)
        scale = repeats if repeats is not None else exp(self.uniform(-0.5, 1.3))
        shades, level = self.rng.normal(0, 0.06, 3).tolist(), self.rng.normal(0, 0.25)
        tint = [exp(shade + level) for shade in shades]
        if self.chance(toned):
            wanted = random_color(self.rng, 0.2, (0.2, 0.95)).tolist()
            mean = self.bank.mean[texture].tolist()
            tint = [
                min(max(w * w / (m * m + 0.02), 0.1), 4.0)
                for w, m in zip(wanted, mean, strict=True)
            ]
        return self._finished(texture, scale, tint)

    def picture(self, kind: str, glow: float = 0.0) -> Material:
        """A texture shown once a face."""
        tint = [exp(shade) for shade in self.rng.normal(0, 0.1, 3).tolist()]
        return self._finished(self.texture(kind), 0.0, tint, glow)

    def _finished(
        self, texture: int, repeats: float, tint: Sequence[float], glow: float = 0.0
    ) -> Material:
        specular, shininess = 0.0, 10.0
        if self.chance(0.45):
            specular, shininess = self.uniform(0.05, 0.6), exp(self.uniform(2, 5))
        rgb: Vector = (tint[0], tint[1], tint[2])
        return Material(texture, repeats, rgb, specular, shininess, glow)

    def wall(self) -> Material:
        kind = self.pick(WALL, WALL_ODDS)
        return self.surface(kind, self.uniform(0.4, 1.1), toned=0.75)._replace(specular=0.0)

    def floor(self) -> Material:
        kind = self.pick(FLOOR, FLOOR_ODDS)
        return self.surface(kind, self.uniform(0.35, 1.2), toned=0.3)

    def ceiling(self) -> Material:
        material = self.surface(self.pick(("plaster", "plain", "planks"), (0.5, 0.35, 0.15)), 0.7)
        level = self.uniform(0.5, 0.9) / float(
            (self.bank.mean[material.texture] ** 2).mean() + 0.02
        )
        return material._replace(tint=(level, level, level * self.uniform(0.85, 1)), specular=0.0)

    def hard(self) -> Material:
        return self.surface(self.pick(HARD, (0.45, 0.2, 0.08, 0.05, 0.08, 0.04, 0.1)))

    def cloth(self) -> Material:
        return self.surface(self.pick(CLOTH), self.uniform(0.8, 4))._replace(specular=0.0)

    def metal(self) -> Material:
        material = self.surface("plain", toned=1.0)
        return material._replace(specular=self.uniform(0.3, 1.0), shininess=self.uniform(20, 120))

    def glossy(self) -> Material:
        material = self.surface("plain", toned=0.0)
        return material._replace(specular=self.uniform(0.1, 0.8), shininess=self.uniform(20, 150))

    def any(self) -> Material:
        kind = self.pick(ANY)
        if kind in ("cover", "poster", "abstract"):
            return self.picture(kind)
        return self.surface(kind, exp(self.uniform(0.3, 2.3)), toned=0.25)
