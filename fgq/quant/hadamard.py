"""Orthogonal matrices whose first column is the mean: Hadamard where there is one, else random.

A rotation that commutes with the mean of a token must have the constant vector as its first
column. Hadamard matrices, all entries of one magnitude, spread an outlying channel evenly.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Order of a Paley matrix -> its prime. With powers of two they make every width of VGGT's kind.
PALEY_PRIMES = {12: 11, 20: 19, 28: 13}


def has_hadamard(n: int) -> bool:
    """Whether `hadamard` knows a matrix of order n = 2^k m with m in {1, 12, 20, 28}."""
    return _paley_order(n) is not None


def hadamard(n: int) -> Tensor:
    """Orthogonal [n, n] float64 with entries +-1/sqrt(n), the first column positive.

    Sylvester's doubling of a Paley matrix. ValueError if n is not of the form in `has_hadamard`.
    """
    order = _paley_order(n)
    if order is None:
        raise ValueError(f"no Hadamard matrix of order {n}: it must be 2^k times 1, 12, 20 or 28")
    matrix = torch.ones(1, 1, dtype=torch.float64) if order == 1 else _paley(order)
    double = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    while len(matrix) < n:
        matrix = torch.kron(double, matrix)
    return matrix / n**0.5


def orthogonal_with_mean(n: int, seed: int) -> Tensor:
    """Orthogonal [n, n] float64 with first column 1/sqrt(n), drawn uniformly from all of these."""
    generator = torch.Generator().manual_seed(seed)
    columns = torch.randn(n, n, dtype=torch.float64, generator=generator)
    columns[:, 0] = 1.0
    q, r = torch.linalg.qr(columns)
    # QR leaves the signs open; with a positive diagonal of r the columns are uniform.
    return q * r.diagonal().sign()


def balanced_factors(n: int) -> tuple[int, int]:
    """The factors n1 <= n2 of n = n1 n2 closest to each other, for a Kronecker product.

    Pairs greater than 1 that both have a Hadamard matrix come before all others.
    """
    pairs = [(k, n // k) for k in range(1, int(n**0.5) + 1) if n % k == 0]
    spreading = [p for p in pairs if p[0] > 1 and has_hadamard(p[0]) and has_hadamard(p[1])]
    return max(spreading or pairs)


def _paley_order(n: int) -> int | None:
    """The m in {1, 12, 20, 28} of which n is a power-of-two multiple."""
    for order in (1, *PALEY_PRIMES):
        ratio, rest = divmod(n, order)
        if rest == 0 and ratio > 0 and ratio & (ratio - 1) == 0:
            return order
    return None


def _paley(order: int) -> Tensor:
    """Paley's Hadamard matrix of +-1, rows signed so that the first column is +1.

    With q prime and the quadratic character of i - j mod q as a core: order q + 1 for q = 3 mod 4
    and 2 (q + 1) for q = 1 mod 4 (Paley, "On orthogonal matrices", 1933).
    """
    q = PALEY_PRIMES[order]
    squares = {i * i % q for i in range(1, q)}
    character = torch.tensor([0.0] + [1.0 if i in squares else -1.0 for i in range(1, q)])
    index = torch.arange(q)
    # A conference matrix: zero diagonal, +-1 elsewhere, orthogonal rows.
    conference = torch.ones(q + 1, q + 1, dtype=torch.float64)
    conference[0, 0] = 0.0
    conference[1:, 1:] = character[(index[:, None] - index) % q]
    identity = torch.eye(q + 1, dtype=torch.float64)
    if order == q + 1:  # skew: adding the identity keeps the rows orthogonal
        conference[1:, 0] = -1.0
        matrix = conference + identity
    else:  # symmetric: each entry becomes a 2 x 2 block, the zeros another
        block = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
        diagonal = torch.tensor([[1.0, -1.0], [-1.0, -1.0]], dtype=torch.float64)
        matrix = torch.kron(conference, block) + torch.kron(identity, diagonal)
    return matrix * matrix[:, :1]
