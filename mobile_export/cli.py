"""Command line: export, inspect and bench bundles, write apps for them."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fgq.arguments import parse_size
from mobile_export.backends import BACKENDS, make_backend

# One spinning thread pool beside another slows both many times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a foreseeable fault is a line on stderr and exit status 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    # torch, torchao and executorch warn about each other's use of their interfaces.
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    from fgq.vggt import CheckpointError
    from mobile_export.aarch64 import ToolError
    from mobile_export.bundle import BundleError
    from mobile_export.export import VerificationError
    from mobile_export.program import ProgramError

    try:
        args.run(args, shlex.join(["python", "-m", "mobile_export", *arguments]))
    except VerificationError as error:
        for gate in error.gates:
            print(f"error: gate {gate.name}: {gate.finding}", file=sys.stderr)
        return 2
    except (CheckpointError, BundleError, ProgramError, ToolError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mobile_export", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    text = "make a verified bundle of a checkpoint"
    command = commands.add_parser("export", help=text, description=text)
    command.add_argument("checkpoint", type=Path, help="in floating point or quantized")
    command.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    command.add_argument("--backend", choices=BACKENDS, default="xnnpack")
    command.add_argument("--fp16", action="store_true", help="half precision (vulkan)")
    text = "for GPUs with 2048 texels a side (vulkan)"
    command.add_argument("--small-textures", action="store_true", help=text)
    text = "of a floating-point checkpoint, which is rounded to nearest; others go in as they are"
    command.add_argument("--precision", choices=["fp32", "8da4w", "8da8w", "4w"], help=text)
    command.add_argument("--views", type=_counts, default=[1, 2, 4, 8], metavar="N,N,...")
    command.add_argument("--size", type=_size, default=(168, 224), metavar="HxW")
    command.add_argument("--heads", type=_heads, default=["camera", "depth"], metavar="HEAD,...")
    command.add_argument("--name", help="of the model, in the manifest (default: the checkpoint's)")
    command.add_argument("--license", default="not stated", help="of the weights")
    command.add_argument("--accuracy", type=Path, help="JSON file to put into the manifest")
    command.set_defaults(run=_export)

    text = "check a bundle and say what is in it"
    command = commands.add_parser("inspect", help=text, description=text)
    command.add_argument("bundle", type=Path)
    command.set_defaults(run=_inspect)

    text = "write an app for phones that runs a bundle on what the camera sees"
    command = commands.add_parser("project", help=text, description=text)
    command.add_argument("platform", choices=["android", "ios"])
    command.add_argument("bundle", type=Path)
    command.add_argument("--out", type=Path, required=True, help="folder of the project")
    command.add_argument(
        "--compare", type=Path, metavar="BUNDLE", help="a second bundle that the app can switch to"
    )
    command.set_defaults(run=_project)

    text = "measure latency and memory of bundles beside each other, or of other engines"
    command = commands.add_parser("bench", help=text, description=text)
    command.add_argument("bundles", type=Path, nargs="*", metavar="BUNDLE")
    text = (
        "a checkpoint in ours, torch, ONNX Runtime and OpenVINO; 'blocks': some of VGGT-1B's width"
    )
    command.add_argument("--rivals", metavar="CHECKPOINT", help=text)
    command.add_argument("--views", type=_counts, metavar="N,N,...")
    command.add_argument("--threads", type=_positive, default=os.cpu_count() or 1)
    command.add_argument("--repeats", type=_positive, default=10)
    text = "of the images, with --rivals"
    command.add_argument("--size", type=_size, default=(168, 224), metavar="HxW", help=text)
    text = "some of the rows only, with --rivals"
    command.add_argument("--engines", metavar="KEY,...", help=text)
    command.add_argument("--out", type=Path, metavar="FILE", help="JSON, with --rivals")
    text = "where the time goes, operator by operator, in our programs"
    command.add_argument("--profile", type=Path, metavar="FOLDER", help=text)
    command.set_defaults(run=_bench)

    text = "run a bundle's program again, on this machine or as 64-bit Arm beside it"
    more = (
        " Without --arch the files must match their hashes and the outputs be finite and the same"
        " again. With --arch aarch64 the program runs under QEMU with the libraries of executorch's"
        " aarch64 wheel and must agree with this machine. pip fetches that wheel once from PyPI"
        " into ~/.cache/pocket-vggt: with the installation, the only thing here that uses the"
        " network. Debian's g++-aarch64-linux-gnu and qemu-user-static are needed."
    )
    command = commands.add_parser(
        "verify", help=text, description=f"{text[0].upper()}{text[1:]}.{more}"
    )
    command.add_argument("bundle", type=Path)
    command.add_argument("--arch", choices=["x86_64", "aarch64"], help="default: this machine's")
    command.add_argument("--views", type=_counts, metavar="N,N,...", help="default: all")
    text = "the processor that QEMU plays, such as cortex-a72 (default: max,sme=off)"
    command.add_argument("--cpu", metavar="NAME", help=text)
    command.add_argument("--offline", action="store_true", help="fetch nothing")
    command.set_defaults(run=_verify)
    return parser


def _export(args: argparse.Namespace, command: str) -> None:
    from mobile_export.export import export_bundle

    accuracy: dict[str, Any] = json.loads(args.accuracy.read_text()) if args.accuracy else {}
    manifest = export_bundle(
        args.checkpoint,
        args.out,
        backend=make_backend(args.backend, args.fp16, args.small_textures),
        precision=args.precision,
        view_counts=args.views,
        size=args.size,
        heads=args.heads,
        name=args.name or args.checkpoint.resolve().stem,
        license_name=args.license,
        accuracy=accuracy,
        command=command,
        report=lambda step: print(f"{step} ...", file=sys.stderr, flush=True),
    )
    print(_summary(args.out, manifest))


def _inspect(args: argparse.Namespace, _: str) -> None:
    from mobile_export.bundle import read_bundle

    manifest = read_bundle(args.bundle)
    print(_summary(args.bundle, manifest))
    for name, finding in manifest["verification"].items():
        print(f"  {name}: {finding}")
    accuracy = manifest["accuracy"]
    rows = accuracy.get("rows") if isinstance(accuracy, dict) else None
    if rows and all(isinstance(row, dict) for row in rows):
        for row in rows:
            figures = ", ".join(f"{name} {_short(value)}" for name, value in row.items())
            print(f"  accuracy: {figures}")
    elif accuracy:
        print(json.dumps(accuracy, indent=2))


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _project(args: argparse.Namespace, _: str) -> None:
    from mobile_export.project import write_project

    record = write_project(args.platform, args.bundle, args.out, args.compare)
    names = " and ".join(
        f"{entry['model']} ({entry['precision']})" for entry in record["bundles"].values()
    )
    print(f"{args.out}: {names} for {args.platform}, runtime {record['executorch']}")
    print(f"  how to build and run it: {args.out / 'README.md'}")


def _bench(args: argparse.Namespace, command: str) -> None:
    if bool(args.bundles) == (args.rivals is not None):
        raise ValueError("give bundles, or a checkpoint with --rivals")
    if args.rivals is None:
        from mobile_export.bench import format_table, measure, profile_bundles

        if args.out or args.engines:
            raise ValueError("--out and --engines go with --rivals")
        print(format_table(measure(args.bundles, args.views, args.threads, args.repeats)))
        if args.profile:
            for table in profile_bundles(
                args.bundles, args.views, args.threads, args.repeats, args.profile
            ):
                print(f"\n{table}")
        return
    from mobile_export.rivals.run import run_rivals

    text = run_rivals(
        args.rivals,
        view_counts=args.views,
        size=args.size,
        threads=args.threads,
        repeats=args.repeats,
        keys=args.engines.split(",") if args.engines else None,
        out=args.out,
        profile=args.profile,
        command=command,
        report=lambda step: print(step, file=sys.stderr, flush=True),
    )
    print(text)


def _verify(args: argparse.Namespace, _: str) -> None:
    from mobile_export.export import VerificationError
    from mobile_export.rerun import rerun

    failed = []
    for gate in rerun(
        args.bundle,
        arch=args.arch,
        view_counts=args.views,
        cpu=args.cpu,
        offline=args.offline,
        report=lambda step: print(step, file=sys.stderr, flush=True),
    ):
        print(f"  {gate.name}: {gate.finding}", flush=True)
        if not gate.passed:
            failed.append(gate)
    if failed:
        raise VerificationError(failed)


def _summary(path: Path, manifest: dict[str, Any]) -> str:
    model, size = manifest["model"], manifest["input"]
    file = manifest["files"]["model.pte"]
    return "\n".join(
        (
            f"{path}: {model['name']}, {model['parameters'] / 1e6:.2f} million parameters,"
            f" {manifest['quantization']['name']} for {manifest['backend']},"
            f" {file['bytes'] / 1e6:.2f} MB",
            f"  weights: {model['license']}, SHA-256 {model['weights_sha256']}",
            f"  program: SHA-256 {file['sha256']}, runtime {manifest['runtime']['executorch']}",
            f"  input {size['height']}x{size['width']}, views {', '.join(manifest['methods'])};"
            f" outputs {', '.join(manifest['outputs'])}",
            f"  {len(manifest['verification'])} gates passed when it was made",
        )
    )


def _counts(text: str) -> list[int]:
    counts = sorted({int(part) for part in text.split(",")})
    if counts[0] < 1:
        raise argparse.ArgumentTypeError("numbers of views are at least 1")
    return counts


def _positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _heads(text: str) -> list[str]:
    known = ("camera", "depth", "point")
    given = text.split(",")
    if not set(given) <= set(known):
        raise argparse.ArgumentTypeError(f"heads are {', '.join(known)}")
    return [head for head in known if head in given]
