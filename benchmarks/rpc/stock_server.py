"""pygls as it comes, over TCP, with one handler that does nothing.

python stock_server.py PORT
"""

import sys

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

server = LanguageServer("stock", "1")


@server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION)
def nothing(params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
    """Offer nothing."""
    return lsp.InlineCompletionList(items=[])


if __name__ == "__main__":
    server.start_tcp("127.0.0.1", int(sys.argv[1]))
