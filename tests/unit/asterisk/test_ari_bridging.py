"""Bridges of our own, as Asterisk answers for them."""

from __future__ import annotations

from typing import Any

import pytest

from pbx_plugin.asterisk.ari import AriError
from pbx_plugin.asterisk.ari_bridging import BridgingClient
from pbx_plugin.settings import Ari


class _Refusing(BridgingClient):
    """Asterisk answers every request with one status."""

    def __init__(self, status: int) -> None:
        super().__init__(Ari())
        self._status = status

    async def request(self, method: str, path: Any, query: Any = None, body: Any = None) -> Any:
        raise AriError(method, "/bridges/hunt-1", self._status, "no")


async def test_a_bridge_that_a_killed_run_of_ours_had_made_is_gone_on_with() -> None:
    await _Refusing(409).make_bridge("hunt-1")


async def test_a_bridge_that_cannot_be_made_is_told() -> None:
    with pytest.raises(AriError):
        await _Refusing(500).make_bridge("hunt-1")
