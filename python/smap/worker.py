"""What worker processes have in common: they leave Ctrl-C to their parent, and end when it does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_POLL_SECONDS = 5.0


def serve(parent: int, threads: int = 1) -> None:
    """What a worker process does first.

    Args:
        parent: process id of the one that started it.
        threads: of torch.
    """
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the main one ends the others
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))  # see ``later``
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:  # one that was killed leaves nobody behind
        time.sleep(_POLL_SECONDS)
    os._exit(1)


@contextmanager
def later(*signals: signal.Signals) -> Iterator[None]:
    """Signals that come now reach this process when the block ends, and those that it starts in ``serve``: what these
    ignore by then spares them from their first moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
