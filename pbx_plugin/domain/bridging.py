"""How a hunt group is rung that we bridge ourselves: what the company sets for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """Which users of a group are rung, and in which order."""

    RING_ALL = "ring-all"
    IN_ORDER = "in-order"
    LEAST_RECENT = "least-recent"
    """One after the other, who has rested longest since their last call first."""
    ROUND_ROBIN = "round-robin"
    """One after the other, beginning behind the one who was rung last."""


@dataclass(frozen=True, slots=True)
class Bridging:
    """The settings of one group; without ``on`` the others mean nothing and Asterisk rings as for any group.

    ``ring_seconds`` is how long one phone rings at a time, ``wait_seconds`` how long a caller waits in all,
    ``wrap_up_seconds`` how long a user is left in peace after a call. ``music``: the caller is answered and hears
    music instead of ringing.
    """

    on: bool = False
    strategy: Strategy = Strategy.RING_ALL
    ring_seconds: int = 20
    wait_seconds: int = 60
    wrap_up_seconds: int = 0
    music: bool = False


NOT_BRIDGED = Bridging()
"""What a group has until somebody sets it otherwise."""
