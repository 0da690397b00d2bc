"""The contract between the LucAstra daemon, its clients and its editors.

Invariant: imports nothing from `lucastrad` or `lucastra_client`; both import this.
"""

from lucastra_protocol.version import PROTOCOL_VERSION, __version__

__all__ = ["PROTOCOL_VERSION", "__version__"]
