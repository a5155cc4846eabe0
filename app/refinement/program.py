"""The child process that refines; started by `app.refinement.process`.

Requests come in as messages (`app.refinement.messages`): keyframes, and either the source that
their frames can be read from or, for the newest ones of a capture, those frames that this process
does not know yet. Out go {"progress"} and {"warning"}, and at the end what was refined with
{"seconds"} of processor time, or {"error"}. It ends when its input does, whatever it is doing.
"""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from typing import IO

from app.refinement.frames import SourceFrames
from app.refinement.messages import Message, pack_refinement, receive, send, unpack_keyframes

NICER = 5
"""The window and the network go first."""


def _serve(requests: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    # pycolmap takes its time: meanwhile the first request comes in.
    from app.refinement.local import LocalRefiner
    from app.refinement.refine import refine

    local = LocalRefiner()

    def warn(text: str) -> None:
        send(answers, {"warning": text})

    def progress(share: float) -> None:
        send(answers, {"progress": share})

    while True:
        content, arrays = requests.get()
        start = time.process_time()
        keyframes = unpack_keyframes(content, arrays)
        if "frames" in content:
            images = {index: arrays[f"frame {index}"] for index in content["frames"]}
            refinement = local.refine(keyframes, images)
        else:
            with contextlib.closing(SourceFrames(content["source"], warn)) as frames:
                refinement = refine(keyframes, frames.read, progress=progress)
        refined, changed = pack_refinement(keyframes, refinement)
        send(answers, refined | {"seconds": time.process_time() - start}, changed)


def _listen(requests: "queue.SimpleQueue[Message]") -> None:
    while (request := receive(sys.stdin.buffer)) is not None:
        requests.put(request)
    # Nobody wants it any more: in the midst of an adjustment nothing else ends it at once.
    os._exit(0)


def main() -> None:
    """Serve the parent over standard input and output."""
    # Ctrl-C reaches the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(AttributeError, OSError):
        os.nice(NICER)
    # Libraries may print: only answers may go out over the pipe.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), name="requests", daemon=True).start()
    try:
        _serve(requests, answers)
    except Exception as error:
        send(answers, {"error": str(error).strip() or type(error).__name__})
        raise
