"""Runs the program of a finished bundle again: on this machine, or as 64-bit Arm beside it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_export.aarch64 import DEFAULT_CPU, ArmRuntime, arm_runtime
from mobile_export.bundle import PROGRAM, BundleError, input_size, read_bundle
from mobile_export.gate import Gate
from mobile_export.program import RunningProgram
from mobile_export.verify import (
    PERTURBED_RUNS,
    PROGRAM_TOLERANCE,
    allowance,
    probe_images,
    relative_error,
)

# Arm sums in another order than x86 and has other polynomials for exp and erf: activations differ
# by 1e-7 to 1e-6 of themselves, and that throws codes of integer programs over to a neighbour (see
# verify.py). How far this carries is measured on the bundle's own program, here, with images that
# are changed by as little. Measured on VGGT-nano in 8da4w: such images change outputs by 2e-4 to
# 5e-3, as much as images changed by 1e-7 or 1e-4 do, and Arm is off by 0.4 to 1.4 times the largest
# of such changes, at most by 3.3e-3. That it is flips was seen layer by layer, with one view: at
# Arm's own inputs all but 3 (as cortex-a72, 2) of the 9476 rows that its int4 linears make equal
# the eager ones to 5e-7, and those but for single codes. fp32 programs have no codes, and Arm was
# at most 3e-7 off: theirs is the tolerance of verify.py.
ROUNDING = 1e-6
EXECUTED = ("xnnpack", "portable")  # backends that executorch's packages from PyPI can run

Outputs = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Plan:
    """What the manifest says that running the program takes; methods by number of views."""

    program: Path
    methods: dict[int, str]
    size: tuple[int, int]
    outputs: list[str]
    floating: bool
    runtime: str


def rerun(
    bundle: Path,
    *,
    arch: str | None,
    view_counts: Sequence[int] | None,
    cpu: str | None,
    offline: bool,
    report: Callable[[str], None],
) -> Iterator[Gate]:
    """Gates of a bundle, as they are found: its files, then every method at every probe.

    On this machine outputs must be finite and the same again, to the bit; as another architecture
    (only aarch64 can be emulated) they must equal those of this machine. Raises BundleError,
    ProgramError or ToolError if it does not come to that.
    """
    manifest = read_bundle(bundle)
    if (backend := manifest.get("backend")) not in EXECUTED:
        raise BundleError(
            f"{bundle} is for {backend}, which no runtime on desktops executes: its files match"
            " their hashes, and its structure was checked when it was exported"
        )
    plan = make_plan(bundle, manifest, view_counts)
    here = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower())
    here = here or platform.machine()
    emulated = arch not in (None, here)
    if emulated and arch != "aarch64":
        raise BundleError(f"this machine is {here}: only aarch64 can be run beside it")
    if cpu is not None and not emulated:
        raise BundleError("--cpu names the processor of an emulated --arch aarch64")
    # First what may be missing, then what takes long.
    arm = arm_runtime(plan.runtime, cpu or DEFAULT_CPU, offline, report) if emulated else None
    yield Gate("files", True, "every file matches its hash")
    for views, method in plan.methods.items():
        report(f"{method} on {f'aarch64 ({arm.cpu}), emulated' if arm else here} ...")
        gates = _arm_gates(plan, arm, views, method) if arm else _here_gates(plan, views, method)
        yield from gates


def make_plan(bundle: Path, manifest: dict[str, Any], view_counts: Sequence[int] | None) -> Plan:
    """What to run of a bundle; BundleError if the manifest does not say or lacks the views."""
    try:
        methods = {int(views): str(name) for views, name in manifest["methods"].items()}
        if not set(view_counts or ()) <= set(methods):
            raise BundleError(f"{bundle} has methods for {', '.join(map(str, methods))} views only")
        manifest["files"][PROGRAM]  # without an entry its hash was not looked at
        return Plan(
            bundle / PROGRAM,
            {views: methods[views] for views in view_counts or methods},
            input_size(manifest),
            [str(name) for name in manifest["outputs"]],
            manifest["quantization"]["name"] == "fp32",
            str(manifest["runtime"]["executorch"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{bundle}: the manifest is not complete: {error!r}") from error


def _here_gates(plan: Plan, views: int, method: str) -> Iterator[Gate]:
    probes = probe_images(views, plan.size)
    # The first again after the others: nothing of one execution may be left in the next.
    first, *_, again = run_here(plan, method, [*probes.values(), next(iter(probes.values()))])
    yield from repeatable(plan, method, first, again)


def repeatable(plan: Plan, method: str, first: Outputs, again: Outputs) -> Iterator[Gate]:
    """Two executions on the same images give the same finite outputs."""
    if len(first) != len(plan.outputs):
        yield _wrong_number(plan, method, len(first))
        return
    for name, one, other in zip(plan.outputs, first, again, strict=True):
        finite = bool(np.isfinite(one).all())
        same = one.tobytes() == other.tobytes()
        finding = (
            f"{'finite' if finite else 'not finite'}, {'the same' if same else 'not the same'}"
        )
        yield Gate(f"run.{method}.{name}", finite and same, f"{finding} when run again")


def _arm_gates(plan: Plan, arm: ArmRuntime, views: int, method: str) -> Iterator[Gate]:
    probes = probe_images(views, plan.size)
    runs = arm.run(plan.program, method, list(probes.values()))
    for (kind, images), actual, seconds in zip(
        probes.items(), runs.outputs, runs.seconds, strict=True
    ):
        others = () if plan.floating else slightly_changed(images)
        expected, *changed = run_here(plan, method, [images, *others])
        for gate in compare(plan, method, kind, actual, expected, changed):
            yield Gate(gate.name, gate.passed, f"{gate.finding} ({seconds:.1f} s emulated)")


def slightly_changed(images: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The images changed by no more than arithmetic differs between processors."""
    for seed in range(PERTURBED_RUNS):
        noise = np.random.default_rng(seed).uniform(-1, 1, images.shape)
        yield (images * (1 + ROUNDING * noise)).astype(np.float32)


def compare(
    plan: Plan, method: str, kind: str, actual: Outputs, expected: Outputs, changed: list[Outputs]
) -> Iterator[Gate]:
    """Each output is as close to the expected as the outputs at changed images allow.

    Without such outputs the program is taken to compute in floating point throughout.
    """
    if not len(actual) == len(expected) == len(plan.outputs):
        yield _wrong_number(plan, method, len(actual))
        return
    for index, name in enumerate(plan.outputs):
        error = relative_error(actual[index], expected[index])
        allowed, why = PROGRAM_TOLERANCE, ""
        if changed:
            largest = max(relative_error(outputs[index], expected[index]) for outputs in changed)
            allowed = allowance(largest)
            why = f"; images changed by {ROUNDING:.0e} do {largest:.1e}"
        yield Gate(
            f"aarch64.{method}.{kind}.{name}",
            error <= allowed,
            f"{error:.1e} off this machine, allowed {allowed:.1e}{why}",
        )


def run_here(plan: Plan, method: str, inputs: Sequence[NDArray[np.float32]]) -> list[Outputs]:
    """The outputs of the program on this machine."""
    with RunningProgram(plan.program, method, threads=1) as running:
        return [running.run(images).outputs for images in inputs]


def _wrong_number(plan: Plan, method: str, number: int) -> Gate:
    return Gate(f"run.{method}", False, f"{number} outputs, expected {len(plan.outputs)}")
