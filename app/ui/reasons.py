"""Why a frame became a keyframe or did not, in the user's language."""

import re

from app.ui.texts import tr


def reason_words(reason: str) -> str:
    """The reason of a Decision, translated where it is one of the usual ones."""
    pixels = re.search(r"\d+", reason)
    words = _words().get(re.sub(r"\d+", "{pixels}", reason), reason)
    return words.replace("{pixels}", pixels[0]) if pixels else words


def _words() -> dict[str, str]:
    return {
        "between the frames looked at": tr("between the frames looked at"),
        "every frame is taken": tr("every frame is taken"),
        "too dark": tr("too dark"),
        "too bright": tr("too bright"),
        "blurred": tr("blurred"),
        "first": tr("first"),
        "image size changed": tr("image size changed"),
        "view changed": tr("view changed"),
        "the engine is busy": tr("the engine is busy"),
        "too similar ({pixels} px motion)": tr("too similar ({pixels} px motion)"),
        "turning only, or a flat view: move sideways too": tr(
            "turning only, or a flat view: move sideways too"
        ),
        "turned {pixels} px: move sideways too": tr("turned {pixels} px: move sideways too"),
        "moved {pixels} px": tr("moved {pixels} px"),
    }
