"""One call at its moment, and what is measured of it: when recording was due, what was heard, what reached the disk."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.listening import Window
from pbx_plugin.sandbox.phone import Leg

HEADER, BYTES_A_SECOND = 44, 16000


@dataclass
class Call:
    """One call at its moment. ``due`` are stretches (seconds since the epoch) that should be recorded of ``user``."""

    name: str
    user: str
    number: str
    outside: Leg
    inside: Leg | None = None
    due: list[list[float]] = field(default_factory=list)
    hushed: bool = False
    """The caller is silent whenever recorded: not a tenth of a second of this voice may be anywhere."""

    def begin(self, at: float) -> None:
        """From then on it should be recorded."""
        self.due.append([at, 0.0])

    def end(self, at: float) -> None:
        """Until then it should have been; a second end is none."""
        if self.due and not self.due[-1][1]:
            self.due[-1][1] = at

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Both phones' ends."""
        return tuple(leg for leg in (self.outside, self.inside) if leg is not None)

    @property
    def talks(self) -> bool:
        """Whether both are in it."""
        return len(self.legs) == 2 and all(leg.state == "CONFIRMED" for leg in self.legs)


class SpoolWatch:
    """Remembers how long each file in our spool ever was: what reached the disk, whatever became of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self.seconds: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="spool watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            for path in self._folder.rglob("*.wav"):
                try:
                    seconds = (path.stat().st_size - HEADER) / BYTES_A_SECOND
                except OSError:
                    continue
                media = path.stem.rpartition("-")[0]
                self.seconds[media] = max(seconds, self.seconds.get(media, 0.0))


def in_a_row(windows: list[Window]) -> float:
    """The seconds of the longest stretch that these windows make without a break."""
    longest = run = 0.0
    end = -1.0
    for one in windows:
        lasts = one.end_s - one.start_s
        run = run + lasts if abs(one.start_s - end) < lasts / 2 else lasts
        longest, end = max(longest, run), one.end_s
    return longest


def heard_so_far(leg: Leg) -> float:
    """Seconds that a phone has recorded of what it heard."""
    assert leg.heard is not None
    return max(0.0, (leg.heard.stat().st_size - HEADER) / BYTES_A_SECOND)


def story(found: CallDetail) -> str:
    parts = [
        f"{r.extension} {r.state} {r.in_at}-{r.closed_at} {r.length_ms} ms {r.fail_reason}" for r in found.recordings
    ]
    parts += [f"gap {gap.since}-{gap.until} {gap.reason}" for gap in found.gaps]
    return "\n  ".join(["", *parts])
