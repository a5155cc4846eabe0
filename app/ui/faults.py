"""What the rest of the program says went wrong, in the user's language.

Its lines are English, with paths, numbers and names in them. Here stand those that a user of the
window meets; a test holds them to the lines as they are written there.
"""

import re
from functools import cache

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

# To the type checker what marks a text is any object.
FAULTS = tuple(
    map(
        str,
        (
            QT_TRANSLATE_NOOP("", "{path} is not a video that can be read"),
            QT_TRANSLATE_NOOP("", "{path} is empty"),
            QT_TRANSLATE_NOOP("", "{path} holds no frame that can be decoded"),
            QT_TRANSLATE_NOOP("", "{path}: {count} damaged frames were skipped"),
            QT_TRANSLATE_NOOP("", "{path} ends after {index} of {count} frames: damaged?"),
            QT_TRANSLATE_NOOP("", "{path} holds no images (jpg, png, webp, bmp or tif)"),
            QT_TRANSLATE_NOOP("", "{path} holds no readable image"),
            QT_TRANSLATE_NOOP("", "{path} is not a readable image"),
            QT_TRANSLATE_NOOP("", "{path} is too large: make it smaller first"),
            QT_TRANSLATE_NOOP("", "{path}: no such file, folder or camera"),
            QT_TRANSLATE_NOOP("", "{path} cannot be read: {reason}"),
            QT_TRANSLATE_NOOP("", "{fault}: skipped"),
            QT_TRANSLATE_NOOP("", "no camera is called {name} (there: {there})"),
            QT_TRANSLATE_NOOP("", "{camera} cannot be opened: {reason}"),
            QT_TRANSLATE_NOOP("", "none there"),
            QT_TRANSLATE_NOOP("", "none"),
            QT_TRANSLATE_NOOP("", "in use by another program?"),
            QT_TRANSLATE_NOOP("", "none there, in use, or not allowed in the system's settings"),
            QT_TRANSLATE_NOOP("", "no permission for {node}: add yourself to its group"),
            QT_TRANSLATE_NOOP("", "{camera} stopped delivering images: unplugged?"),
            QT_TRANSLATE_NOOP("", "{camera} stalled: no image for {seconds} s"),
            QT_TRANSLATE_NOOP("", "{camera} changed its size from {before} to {now}"),
            QT_TRANSLATE_NOOP("", "{camera} gives {got}, not {wanted}"),
            QT_TRANSLATE_NOOP("", "no frame could be used"),
            QT_TRANSLATE_NOOP("", "no frame could be used; the last one: {reason}"),
            QT_TRANSLATE_NOOP("", "{path}: no such bundle"),
            QT_TRANSLATE_NOOP("", "{path} is not a bundle: neither a folder nor a zip file"),
            QT_TRANSLATE_NOOP("", "{path} is not a bundle: it has no manifest.json"),
            QT_TRANSLATE_NOOP("", "{path} is not a bundle or is damaged: {reason}"),
            QT_TRANSLATE_NOOP("", "{path} is not a bundle: its manifest is of another format"),
            QT_TRANSLATE_NOOP("", "{path} is damaged: it is not JSON"),
            QT_TRANSLATE_NOOP(
                "", "{path} has format version {version}; this app reads version {known}"
            ),
            QT_TRANSLATE_NOOP("", "{path} lacks or garbles an entry: {reason}"),
            QT_TRANSLATE_NOOP(
                "", "{path} has {size} bytes instead of {wanted}: truncated or changed"
            ),
            QT_TRANSLATE_NOOP("", "{path} does not match its SHA-256: damaged or changed"),
            QT_TRANSLATE_NOOP("", "{path} cannot be written: {reason}"),
            QT_TRANSLATE_NOOP("", "{path} cannot be unpacked: {reason}"),
            QT_TRANSLATE_NOOP("", "{path} is damaged"),
            QT_TRANSLATE_NOOP("", "the runtime ended unexpectedly ({how})"),
            QT_TRANSLATE_NOOP("", "the runtime ended unexpectedly ({how}): {words}"),
            QT_TRANSLATE_NOOP("", "signal {number}: killed, perhaps for want of memory"),
            QT_TRANSLATE_NOOP("", "exit status {code}"),
            QT_TRANSLATE_NOOP("", "the runtime did not answer within {seconds} seconds"),
            QT_TRANSLATE_NOOP("", "the runtime cannot be started: {reason}"),
            QT_TRANSLATE_NOOP("", "the runtime failed: {reason}"),
            QT_TRANSLATE_NOOP("", "{model} returned values that are not finite"),
            QT_TRANSLATE_NOOP("", "{fault}; it is started again ({attempt} of {tries} tries)"),
            QT_TRANSLATE_NOOP("", "{model} takes {have} views at a time, not {views}"),
            QT_TRANSLATE_NOOP("", "the recording stopped: {reason}"),
            QT_TRANSLATE_NOOP("", "{path}: {reason}; what was recorded is kept, {remedy}"),
            QT_TRANSLATE_NOOP("", "the disk is full"),
            QT_TRANSLATE_NOOP("", "free some space and resume it"),
            QT_TRANSLATE_NOOP("", "resume it when that is put right"),
            QT_TRANSLATE_NOOP("", "cannot record to {path}: {reason}"),
            QT_TRANSLATE_NOOP("", "{path} is not a session: it has no {log}"),
            QT_TRANSLATE_NOOP("", "{path} is being recorded by another program"),
            QT_TRANSLATE_NOOP("", "{path} was recorded by a newer version of this program"),
            QT_TRANSLATE_NOOP("", "the recording was cut off: its last second may be missing"),
            QT_TRANSLATE_NOOP("", "images missing or damaged: {count} of {all}"),
            QT_TRANSLATE_NOOP(
                "", "no point is left: lower the confidence quantile or widen the crop box"
            ),
            QT_TRANSLATE_NOOP(
                "",
                "no surface is left: lower the confidence quantile or widen the crop box",
            ),
            QT_TRANSLATE_NOOP("", "{path} is a folder, and {format} is a file"),
            QT_TRANSLATE_NOOP("", "{path} holds other things than {kind}: choose another place"),
            QT_TRANSLATE_NOOP("", "an export"),
            QT_TRANSLATE_NOOP("", "a comparison"),
            QT_TRANSLATE_NOOP("", "{path} exists and is not a folder"),
            QT_TRANSLATE_NOOP(
                "", "the two reconstructions have no frame in common: nothing to compare"
            ),
            QT_TRANSLATE_NOOP("", "{changed} of {count} frames changed"),
            QT_TRANSLATE_NOOP("", "{fault}: the network's result is kept"),
            QT_TRANSLATE_NOOP("", "the network's result is kept"),
            QT_TRANSLATE_NOOP("", "cancelled"),
            QT_TRANSLATE_NOOP("", "refinement cannot be started: {reason}"),
            QT_TRANSLATE_NOOP("", "refinement ended unexpectedly ({how})"),
            QT_TRANSLATE_NOOP("", "refinement ended unexpectedly ({how}): {words}"),
            QT_TRANSLATE_NOOP("", "refinement failed: {reason}"),
            QT_TRANSLATE_NOOP("", "{fault}: the rest is not refined"),
            QT_TRANSLATE_NOOP("", "{fault}: refined with the network's images"),
            QT_TRANSLATE_NOOP("", "{fault}: the rest is refined with the network's images"),
            QT_TRANSLATE_NOOP(
                "",
                "no two frames have matches that one motion explains (at most {most} matches)",
            ),
            QT_TRANSLATE_NOOP(
                "",
                "too little parallax between the frames ({angle} degrees): only the camera turned",
            ),
            QT_TRANSLATE_NOOP(
                "",
                "the network's cameras explain {before} of {all} matches set apart, geometry's "
                "{after}",
            ),
            QT_TRANSLATE_NOOP("", "geometry explains no two frames better than the network"),
            QT_TRANSLATE_NOOP("", "No such file or directory"),
            QT_TRANSLATE_NOOP("", "Permission denied"),
            QT_TRANSLATE_NOOP("", "No space left on device"),
        ),
    )
)
"""What stands in braces is a part that changes. The last ones are the system's."""


def fault_line(text: str) -> str:
    """A line in the user's language, or as it is where it is not known. What stands in it may be
    a line itself, as in "FILE cannot be read: no such file".
    """
    for line, pattern in _patterns().items():
        if found := pattern.fullmatch(text):
            parts = {name: fault_line(part) for name, part in found.groupdict().items()}
            return QCoreApplication.translate("", line).format(**parts)
    return text


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """Line -> what it matches; lines with more words of their own come first."""

    def pattern(line: str) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", line)
        names = [f"(?P<{name}>.+)" for name in parts[1::2]]
        fixed = [re.escape(part) for part in parts[::2]]
        return re.compile("".join(a + b for a, b in zip(fixed, [*names, ""], strict=True)), re.S)

    lines = sorted(FAULTS, key=lambda line: -len(re.sub(r"\{\w+\}", "", line)))
    return {line: pattern(line) for line in lines}
