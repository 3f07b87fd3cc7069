"""Tells the local network of the service by zeroconf (mDNS), as Home Assistant looks for it."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any, Final

from spotter.errors import BadInputError
from spotter.extras import want
from spotter.serving.address import Address

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

TYPE: Final = "_wyoming._tcp.local."


class Announcement:
    """One service on one address of this machine, which is the only one that is spoken on.

    Parameters
    ----------
    host : str
        An IPv4 address of this machine that others reach.

    Raises
    ------
    SpotterError
        The package zeroconf is missing.
    """

    def __init__(self, host: str) -> None:
        want("zeroconf", "zeroconf", "--zeroconf")
        self.host = host
        self._zeroconf: AsyncZeroconf | None = None
        self._info: AsyncServiceInfo | None = None

    @classmethod
    def of(cls, address: Address, wanted: str) -> Announcement:
        """Announce a service that listens on an address, at that one or, where it is all of them, at `wanted`.

        Raises
        ------
        BadInputError
            Nobody else would reach what is announced.
        """
        if address.is_loopback:
            raise BadInputError(
                f"--zeroconf would announce {address}, which no other machine reaches; give --uri with another address"
            )
        host = wanted or address.host
        if not _is_ipv4(host) or Address(host, 0).is_everywhere or Address(host, 0).is_loopback:
            raise BadInputError(
                f"--zeroconf cannot announce {host}; give one IPv4 address of this machine, "
                "such as --zeroconf 192.168.1.20"
            )
        return cls(host)

    async def begin(self, port: int) -> None:
        """Announce it; `BadInputError` where the address cannot be spoken on."""
        from zeroconf import Error
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

        name = f"spotter-{_label(socket.gethostname())}"
        self._info = AsyncServiceInfo(
            TYPE,
            f"{name}.{TYPE}",
            addresses=[socket.inet_aton(self.host)],
            port=port,
            server=f"{name}.local.",
        )
        try:
            self._zeroconf = AsyncZeroconf(interfaces=[self.host])
            await self._zeroconf.async_register_service(self._info, allow_name_change=True)
        except (OSError, Error) as error:
            raise BadInputError(
                f"{self.host} cannot be announced on ({_why(error)}); give an address of this machine that has "
                "multicast, or leave out --zeroconf"
            ) from error

    async def end(self) -> None:
        """Say that it is gone."""
        if self._zeroconf is None:
            return
        if self._info is not None:
            said = await self._zeroconf.async_unregister_service(self._info)
            await said  # else it is closed before anybody is told
        await self._zeroconf.async_close()
        self._zeroconf = None


def _is_ipv4(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return host.count(".") == 3


def _label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-")[:40] or "here"


def _why(error: Any) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
