"""How many points a pass may draw, by how long the last ones took."""

PASS_SECONDS = 0.1
"""What a pass should take: a camera that moves is followed from one pass to the next."""

PICTURE_SECONDS = 2.5
"""What the passes of a whole picture should take together while nothing moves."""

FEWEST = 10_000
FEWEST_A_PICTURE = 200_000

FIRST_GUESS = 30_000
"""Points a pass on a software adapter, before any was measured."""


class Pace:
    """Steers the size of passes. An adapter of hardware starts with all points in one pass; where
    it is weak, it gets fewer, too.
    """

    def __init__(self, is_cpu: bool) -> None:
        self._points = float(FIRST_GUESS) if is_cpu else float("inf")
        self._seconds_a_point = PASS_SECONDS / self._points

    @property
    def points_a_pass(self) -> float:
        """How many points the next pass may draw."""
        return self._points

    @property
    def points_a_picture(self) -> float:
        """How many points a picture gets in all."""
        if not self._seconds_a_point:
            return float("inf")
        return max(PICTURE_SECONDS / self._seconds_a_point, FEWEST_A_PICTURE)

    def took(self, points: int, seconds: float) -> None:
        """Learn from a pass that drew so many points."""
        load = max(seconds, 1e-4) / PASS_SECONDS
        if load > 1 and points >= FEWEST:
            # One pass that something else delayed is not the measure of all.
            self._points = max(FEWEST, min(self._points, points) * max(1 / load, 0.5))
        elif load < 0.8 and points >= 0.8 * self._points:
            self._points *= min(1 / load, 1.25)
        if points >= FEWEST:
            self._seconds_a_point += 0.2 * (seconds / points - self._seconds_a_point)
