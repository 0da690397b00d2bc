"""`lucastrad mcp`: coding agents search through the daemon, over the Model Context Protocol on standard streams.

It is a client of the shared daemon like any other, so it lives among the clients; `lucastrad mcp` starts it as
`python -m lucastra_client.mcp_server`. The SDK (the extra `mcp`) is imported by `serving` only.
"""
