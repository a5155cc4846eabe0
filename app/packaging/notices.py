"""Collects the licences of what a frozen app holds into one text file."""

import os
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

_NAMES = ("licen", "copying", "notice", "copyright", "authors")


def write_notices(path: Path, collected: Iterable[Path]) -> None:
    """Write the notices of every distribution and system package that a collected file is of."""
    sources = {os.path.realpath(source) for source in collected}
    parts, rest = [_python()], set(sources)
    for distribution in sorted(distributions(), key=lambda found: found.name.lower()):
        root = os.path.realpath(str(distribution.locate_file("")))
        files = {os.path.normpath(f"{root}/{file}") for file in distribution.files or ()}
        if sources & files and distribution.name != "pocket-vggt":
            parts.append(_section(distribution))
        rest -= files
    own = os.path.realpath(sys.base_prefix)
    parts += _system_packages(Path(path) for path in rest if ".so" in path and own not in path)
    path.write_text("\n".join(parts), "utf-8")


def _python() -> str:
    found = [
        *Path(sys.base_prefix).glob("lib/python3*/LICENSE.txt"),
        Path(sys.base_prefix, "LICENSE.txt"),
    ]
    text = next((path.read_text("utf-8") for path in found if path.is_file()), "PSF License")
    return _entry(f"Python {sys.version.split()[0]}", "PSF-2.0", [text])


def _section(distribution: Distribution) -> str:
    def entries(name: str) -> list[str]:
        return distribution.metadata.get_all(name) or []

    classified = [c.split(" :: ")[-1] for c in entries("Classifier") if c.startswith("License")]
    short = [*entries("License-Expression"), ", ".join(classified), *entries("License")]
    texts = [
        Path(str(file.locate())).read_text("utf-8", "replace")
        for file in distribution.files or ()
        if any(part.endswith(".dist-info") for part in file.parts)
        and (file.name.lower().startswith(_NAMES) or "licenses" in file.parts)
    ]
    licence = next((text.splitlines()[0] for text in short if text), "see below")
    return _entry(f"{distribution.name} {distribution.version}", licence, texts)


def _system_packages(libraries: Iterable[Path]) -> list[str]:
    """Sections of the Debian packages that libraries came from; elsewhere their names only."""
    owners = _debian_packages()
    named: dict[str, list[str]] = {}
    for library in sorted(libraries):
        package = owners.get(str(library).removeprefix("/usr"), "")
        named.setdefault(package, []).append(library.name)
    return [
        _entry(package or "System libraries", ", ".join(names), [_copyright(package)])
        for package, names in sorted(named.items())
    ]


def _debian_packages() -> dict[str, str]:
    """Package of every file of the system, by its path without /usr."""
    return {
        line.removeprefix("/usr"): listing.stem.split(":")[0]
        for listing in Path("/var/lib/dpkg/info").glob("lib*.list")
        for line in listing.read_text("utf-8").splitlines()
        if ".so" in line
    }


def _copyright(package: str) -> str:
    path = Path("/usr/share/doc", package, "copyright")
    return path.read_text("utf-8", "replace") if package and path.is_file() else ""


def _entry(title: str, subtitle: str, texts: Iterable[str]) -> str:
    return "\n".join(["=" * 80, title, subtitle, "-" * 80, *texts, ""])
