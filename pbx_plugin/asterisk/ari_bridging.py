"""What ringing phones and bridging calls ourselves needs of Asterisk's REST interface, beside :mod:`ari`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pbx_plugin.asterisk.ari import AriClient, AriError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A phone as Asterisk sees it: whether it can be reached, and whether it is on any call."""

    online: bool
    in_use: bool


class BridgingClient(AriClient):
    """Requests of an application that carries calls. Each raises AriError or AriUnreachableError as others do."""

    async def endpoint(self, device: str) -> Endpoint:
        """Return the state of ``PJSIP/101``; one that Asterisk does not know is not online."""
        technology, _, name = device.partition("/")
        found = await self._or_none(["endpoints", technology, name])
        if found is None:
            return Endpoint(online=False, in_use=False)
        # "unknown" is what a phone without registration is called whose address is written down.
        return Endpoint(online=found.get("state") != "offline", in_use=bool(found.get("channel_ids")))

    async def create_channel(
        self, channel: str, device: str, app: str, originator: str, variables: Mapping[str, str]
    ) -> None:
        """Make a channel to a phone, in our application, with the originator's linkedid and codecs; it rings later."""
        query = {"endpoint": device, "app": app, "channelId": channel, "originator": originator}
        await self.request("POST", ["channels", "create"], query, {"variables": dict(variables)})

    async def dial(self, channel: str, caller: str, seconds: int) -> None:
        """Ring a channel that was created. It inherits the caller's number and inherited variables here."""
        await self.request("POST", ["channels", channel, "dial"], {"caller": caller, "timeout": str(seconds)})

    async def end_channel(self, channel: str, *, elsewhere: bool = False) -> None:
        """Hang up; with ``elsewhere`` the phone is told that another one answered. One that is gone is fine."""
        query = {"reason": "answered_elsewhere" if elsewhere else "normal"}
        await self._unless_gone("DELETE", ["channels", channel], query)

    async def answer(self, channel: str) -> None:
        """Answer a caller; one that is answered already is fine."""
        await self.request("POST", ["channels", channel, "answer"])

    async def ring(self, channel: str, *, on: bool = True) -> None:
        """Let a caller hear ringing, or no longer."""
        await self.request("POST" if on else "DELETE", ["channels", channel, "ring"])

    async def music(self, channel: str, *, on: bool = True) -> None:
        """Let a caller hear music, or no longer."""
        await self.request("POST" if on else "DELETE", ["channels", channel, "moh"])

    async def go_on(self, channel: str) -> None:
        """Let a caller go on in the dialplan, behind the line that brought it to us."""
        await self.request("POST", ["channels", channel, "continue"])

    async def press(self, channel: str, digits: str, duration_ms: int) -> None:
        """Let a channel hear digits as pressed keys."""
        query = {"dtmf": digits, "duration": str(duration_ms), "between": "60"}
        await self.request("POST", ["channels", channel, "dtmf"], query)

    async def user_event_of(self, name: str, channel: str, app: str) -> None:
        """Send another application a user event that shows a channel. AriError 404 when nobody is connected as it."""
        query = {"application": app, "source": f"channel:{channel}"}
        await self.request("POST", ["events", "user", name], query)

    # -- bridges

    async def make_bridge(self, bridge: str) -> None:
        """Make a mixing bridge that reports keys; one of that id that is there already is taken as it is."""
        # Without dtmf_events Asterisk would join two phones directly and no key would ever be reported.
        try:
            await self.request("POST", ["bridges", bridge], {"type": "mixing,dtmf_events", "name": bridge})
        except AriError as error:
            if error.status != 409:
                raise

    async def add_to_bridge(self, bridge: str, channel: str, *, absorb_keys: bool) -> None:
        """Put a channel into a bridge; with ``absorb_keys`` the others do not hear its keys."""
        query = {"channel": channel, "absorbDTMF": "true" if absorb_keys else "false"}
        await self.request("POST", ["bridges", bridge, "addChannel"], query)

    async def channels_in_bridge(self, bridge: str) -> list[str]:
        """Return who is in a bridge, nobody when it is gone."""
        found = await self._or_none(["bridges", bridge])
        return [str(channel) for channel in found["channels"]] if found else []

    async def end_bridge(self, bridge: str) -> None:
        """Destroy a bridge; its channels stay with us. One that is gone is fine."""
        await self._unless_gone("DELETE", ["bridges", bridge])

    async def is_there(self, channel: str) -> bool:
        """Tell whether a channel has not ended."""
        return await self._or_none(["channels", channel]) is not None

    async def _unless_gone(self, method: str, path: list[str], query: Mapping[str, str] | None = None) -> None:
        try:
            await self.request(method, path, query)
        except AriError as error:
            if error.status != 404:
                raise
