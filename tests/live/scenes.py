"""Plays the scenes of one test file at the same time, and keeps what came of each for the tests to judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Self, TypeVar

T = TypeVar("T")
AT_ONCE = 9


class Played(Generic[T]):
    """The outcome of each scene, by name. Asking for one that went wrong raises what it raised."""

    def __init__(self, scenes: Mapping[str, Callable[[], T]]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            self._outcomes: dict[str, Future[T]] = {name: pool.submit(scene) for name, scene in scenes.items()}

    def __getitem__(self, name: str) -> T:
        return self._outcomes[name].result()

    def joined(self, later: Played[T]) -> Self:
        """These scenes and those that were played after them."""
        self._outcomes |= later._outcomes
        return self
