"""The LucAstra client library: an async face on Trio and a blocking one over it.

    async with open_client() as client:
        result = await client.search("where are requests retried")
        async for event in client.ask_stream("why are they retried"): ...

    with BlockingClient() as client:
        result = client.search("where are requests retried")

Names load on first use, so that importing the package (as the shell command does) loads neither
Trio nor msgspec.
"""

from typing import TYPE_CHECKING, Any

from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.version import __version__

if TYPE_CHECKING:
    from lucastra_client.blocking import BlockingClient
    from lucastra_client.client import Client, open_client

__all__ = ["BlockingClient", "Client", "ErrorCode", "LucAstraError", "__version__", "open_client"]


def __getattr__(name: str) -> Any:
    if name == "BlockingClient":
        from lucastra_client.blocking import BlockingClient

        return BlockingClient
    if name in ("Client", "open_client"):
        from lucastra_client import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
