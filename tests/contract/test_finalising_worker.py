"""The worker process that joins sound files lives no longer than its recorder.

The file is also its own recorder: ``python test_finalising_worker.py`` starts a worker, says its id, and waits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pbx_plugin.ari_app.finalising import Finalising


def test_a_killed_recorder_leaves_no_worker_behind() -> None:
    recorder = subprocess.Popen(
        [sys.executable, __file__], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert recorder.stdout is not None
    worker = int(recorder.stdout.readline())
    assert alive(worker)
    recorder.kill()
    recorder.wait()
    recorder.stdout.close()
    until = time.monotonic() + 5
    while alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    try:
        assert not alive(worker)
    finally:
        if alive(worker):
            os.kill(worker, signal.SIGKILL)


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def _record_nothing() -> None:
    finalising = Finalising(Path("spool"), Path("archive"), 200)
    finalising.start()
    print(await asyncio.get_running_loop().run_in_executor(finalising._workers(), os.getpid), flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(_record_nothing())
