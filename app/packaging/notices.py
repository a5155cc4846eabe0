"""Collects the licences of what a frozen app holds into one text file."""

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

_NAMES = ("licen", "copying", "notice", "copyright", "authors")


def write_notices(folder: Path, collected: Iterable[tuple[str, str, str]]) -> Path:
    """Write THIRD_PARTY_NOTICES.txt: PyInstaller's (name, source path, kind) decide who is in it."""
    sources = {Path(source).resolve() for _, source, _ in collected if source}
    parts = [_python()]
    rest = set(sources)
    for distribution in sorted(distributions(), key=lambda found: found.name.lower()):
        files = {Path(str(file.locate())).resolve(): file for file in distribution.files or ()}
        if sources & files.keys() and distribution.name != "pocket-vggt":
            parts.append(_section(distribution))
        rest -= files.keys()
    system = [path for path in rest if ".so" in path.name and Path(sys.base_prefix) not in path.parents]
    parts += _system_packages(system)
    path = folder / "THIRD_PARTY_NOTICES.txt"
    path.write_text("\n".join(parts), "utf-8")
    return path


def _python() -> str:
    found = [*Path(sys.base_prefix).glob("lib/python3*/LICENSE.txt"), Path(sys.base_prefix, "LICENSE.txt")]
    text = next((path.read_text("utf-8") for path in found if path.is_file()), "PSF License")
    return _entry(f"Python {sys.version.split()[0]}", "PSF-2.0", [text])


def _section(distribution: Distribution) -> str:
    metadata = distribution.metadata
    classifiers = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier", []) if c.startswith("License")]
    short = metadata.get("License-Expression") or ", ".join(classifiers) or metadata.get("License") or "see below"
    texts = [
        Path(str(file.locate())).read_text("utf-8", "replace")
        for file in distribution.files or ()
        if (file.suffix in ("", ".txt", ".md", ".rst")
        and file.name.lower().startswith(_NAMES))
        or "licenses" in file.parts
    ]
    return _entry(f"{distribution.name} {distribution.version}", short.splitlines()[0], texts)


def _system_packages(libraries: Iterable[Path]) -> list[str]:
    """Sections of the Debian packages that libraries came from; elsewhere their names only."""
    owners: dict[str, list[str]] = {}
    for library in sorted(libraries):
        owners.setdefault(_debian_package(library), []).append(library.name)
    return [
        _entry(package or "System libraries", ", ".join(names), [_copyright(package)])
        for package, names in sorted(owners.items())
    ]


def _debian_package(library: Path) -> str:
    for name in (str(library), str(library).removeprefix("/usr")):
        try:
            found = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return found.stdout.split(":")[0]
    return ""


def _copyright(package: str) -> str:
    path = Path("/usr/share/doc", package, "copyright")
    return path.read_text("utf-8", "replace") if package and path.is_file() else ""


def _entry(title: str, subtitle: str, texts: Iterable[str]) -> str:
    return "\n".join(["=" * 80, title, subtitle, "-" * 80, *texts, ""])
