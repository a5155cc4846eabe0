"""What the comparison says in words."""

from app.compare import Comparison, Lane
from app.ui.texts import significant, tr


def lane_name(lane: Lane) -> str:
    """What a lane is called in the user's language; reports are English."""
    if lane.is_recorded:
        return tr("recorded")
    words = {"4 bit": tr("4 bit"), "full precision": tr("full precision")}
    # With two of one precision the name starts with a letter.
    letter, _, name = lane.title.rpartition(": ")
    return f"{letter}: {words.get(name, name)}" if letter else words.get(name, name)


def share_words(hidden: int) -> str:
    """What the slider of the confidence leaves."""
    return tr("best {share} %").format(share=100 - hidden) if hidden else tr("all points")


def cut_words(comparison: Comparison) -> str:
    """What the confidence slider does to the mean difference."""
    apart = comparison.differences[1]
    if apart is None or apart.confidence is None:
        return ""
    half = apart.confidence.cut_for(apart.depth_percent / 200)
    mean = tr("Mean difference {mean} %.").format(mean=significant(apart.depth_percent, 2))
    if half is None:
        cut = tr("No cut of the confidence halves it.")
    else:
        cut = tr("Hiding {share} % of the pixels halves it.").format(share=round(100 * half))
    return f"{mean} {cut}"
