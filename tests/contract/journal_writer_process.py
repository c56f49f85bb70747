"""A process that journals steps of a call from three threads until it is killed, and says which are safe."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from call_entries import moved

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine
from pbx_plugin.storage.journal import FileJournal

THREADS = 3


def main(folder: str, url: str, first: str) -> None:
    """Journal ``first``, ``first + 1`` … for ever; print each number once append() has returned."""
    journal = FileJournal(Path(folder), "recorder", DatabaseApply(make_engine(url)), segment_bytes=4000)

    def write(number: int) -> None:
        while True:
            journal.append(moved(number), moved(number + THREADS))
            os.write(1, f"{number}\n{number + THREADS}\n".encode())
            number += 2 * THREADS

    for index in range(THREADS):
        threading.Thread(target=write, args=(int(first) + index,)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
