"""Questions about where things are done in well-known packages, each with the files that answer it.

Written by reading the code, before any of them was asked. The ten about Django were looked at while ranking was tuned;
the others were not.
"""

from benchmarks.corpora import DJANGO, Sdist
from benchmarks.retrieval.packages import HTTPX, JINJA2, NETWORKX, RICH, SQLALCHEMY, TORNADO, TRIO

DJANGO_QUESTIONS: dict[str, frozenset[str]] = {
    "where is the CSRF token compared with the cookie": frozenset({"django/middleware/csrf.py"}),
    "how does the ORM build the SQL WHERE clause": frozenset(
        {"django/db/models/sql/where.py", "django/db/models/sql/query.py", "django/db/models/sql/compiler.py"}
    ),
    "where are migrations loaded from disk and the graph built": frozenset({"django/db/migrations/loader.py"}),
    "which code hashes user passwords": frozenset({"django/contrib/auth/hashers.py"}),
    "where is the session expiry date computed": frozenset({"django/contrib/sessions/backends/base.py"}),
    "how are template tags parsed into nodes": frozenset({"django/template/base.py"}),
    "where does the autoreloader restart the process when a file changes": frozenset({"django/utils/autoreload.py"}),
    "how is the request URL matched to a view": frozenset({"django/urls/resolvers.py"}),
    "where are uploaded files kept in memory or written to a temporary file": frozenset(
        {"django/core/files/uploadhandler.py", "django/core/files/uploadedfile.py"}
    ),
    "how is an email message encoded and sent over SMTP": frozenset(
        {"django/core/mail/backends/smtp.py", "django/core/mail/message.py"}
    ),
}

NETWORKX_QUESTIONS: dict[str, frozenset[str]] = {
    "where are nodes placed by repelling forces between them": frozenset({"networkx/drawing/layout.py"}),
    "how does it tell whether a graph can be drawn without crossing edges": frozenset(
        {"networkx/algorithms/planarity.py"}
    ),
    "where is a call handed over to another backend and the graph converted": frozenset({"networkx/utils/backends.py"}),
    "which code searches the shortest path from both ends at once": frozenset(
        {"networkx/algorithms/shortest_paths/weighted.py", "networkx/algorithms/simple_paths.py"}
    ),
    "where are communities found by moving nodes to raise modularity": frozenset(
        {"networkx/algorithms/community/louvain.py"}
    ),
    "how are the vertices coloured so that neighbours differ": frozenset(
        {"networkx/algorithms/coloring/greedy_coloring.py"}
    ),
    "where is a graph printed as a tree of text lines": frozenset({"networkx/readwrite/text.py"}),
}
TORNADO_QUESTIONS: dict[str, frozenset[str]] = {
    "where is the cookie's signature checked and its age": frozenset({"tornado/web.py"}),
    "how are multipart form uploads taken apart": frozenset({"tornado/httputil.py"}),
    "which code starts the server again when a module changes": frozenset({"tornado/autoreload.py"}),
    "where is a chunked request body read from the connection": frozenset({"tornado/http1connection.py"}),
    "how does the client race IPv6 against IPv4 addresses": frozenset({"tornado/tcpclient.py"}),
    "where are the payload bytes of websocket frames masked": frozenset({"tornado/websocket.py", "tornado/util.py"}),
    "how are worker processes forked and restarted when they die": frozenset({"tornado/process.py"}),
    "where is it decided whether the HTTP client follows a redirect": frozenset({"tornado/simple_httpclient.py"}),
    "where are template blocks compiled to Python code": frozenset({"tornado/template.py"}),
}
SQLALCHEMY_QUESTIONS: dict[str, frozenset[str]] = {
    "where is a connection taken from the pool and overflow counted": frozenset(
        {"lib/sqlalchemy/pool/impl.py", "lib/sqlalchemy/pool/base.py"}
    ),
    "how is the database URL string parsed into user, password and host": frozenset({"lib/sqlalchemy/engine/url.py"}),
    "where are pending objects ordered by their dependencies when a session is flushed": frozenset(
        {"lib/sqlalchemy/orm/unitofwork.py", "lib/sqlalchemy/util/topological.py"}
    ),
    "which code loads a relationship when the attribute is first touched": frozenset(
        {"lib/sqlalchemy/orm/strategies.py"}
    ),
    "how is a key computed so that compiled statements can be reused": frozenset({"lib/sqlalchemy/sql/cache_key.py"}),
    "where does a stale version number of a row raise an error on update": frozenset(
        {"lib/sqlalchemy/orm/persistence.py"}
    ),
    "how are names made for constraints by convention": frozenset({"lib/sqlalchemy/sql/naming.py"}),
    "where do changes inside a JSON value mark the parent as modified": frozenset({"lib/sqlalchemy/ext/mutable.py"}),
    "how can blocking code await inside a greenlet": frozenset({"lib/sqlalchemy/util/_concurrency_py3k.py"}),
}
RICH_QUESTIONS: dict[str, frozenset[str]] = {
    "where is terminal colour support detected from environment variables": frozenset({"rich/console.py"}),
    "how are the widths of table columns worked out": frozenset({"rich/table.py", "rich/_ratio.py"}),
    "which code turns escape sequences of another program into styled text": frozenset({"rich/ansi.py"}),
    "where is the number of cells of wide characters measured": frozenset({"rich/cells.py"}),
    "how is square bracket markup turned into spans": frozenset({"rich/markup.py"}),
    "where is the remaining time of a task estimated": frozenset({"rich/progress.py"}),
    "how are nested containers laid out over several lines": frozenset({"rich/pretty.py"}),
}
JINJA2_QUESTIONS: dict[str, frozenset[str]] = {
    "where is access to unsafe attributes forbidden to untrusted templates": frozenset({"src/jinja2/sandbox.py"}),
    "how are compiled templates kept on disk between runs": frozenset({"src/jinja2/bccache.py"}),
    "where do tracebacks get the template's own line numbers": frozenset({"src/jinja2/debug.py"}),
    "how is the source of a template cut into tokens": frozenset({"src/jinja2/lexer.py"}),
    "which code provides index and first and last inside a for loop": frozenset({"src/jinja2/runtime.py"}),
    "where are constant expressions evaluated before the template runs": frozenset({"src/jinja2/optimizer.py"}),
}
HTTPX_QUESTIONS: dict[str, frozenset[str]] = {
    "where are credentials dropped when a redirect leads to another host": frozenset({"httpx/_client.py"}),
    "how does it answer a server's digest challenge": frozenset({"httpx/_auth.py"}),
    "where is a response decompressed": frozenset({"httpx/_decoders.py"}),
    "which code chooses the proxy for a URL from environment variables": frozenset(
        {"httpx/_utils.py", "httpx/_client.py"}
    ),
    "how can an application be called without a network in tests": frozenset(
        {"httpx/_transports/asgi.py", "httpx/_transports/wsgi.py", "httpx/_transports/mock.py"}
    ),
    "where are certificates and verification of TLS set up": frozenset({"httpx/_config.py"}),
}
TRIO_QUESTIONS: dict[str, frozenset[str]] = {
    "where are several addresses tried at once when connecting": frozenset({"src/trio/_highlevel_open_tcp_stream.py"}),
    "how is Ctrl-C held back from internal code": frozenset({"src/trio/_core/_ki.py"}),
    "which code limits how many threads run at a time": frozenset({"src/trio/_sync.py", "src/trio/_threads.py"}),
    "where are idle worker threads kept for reuse": frozenset({"src/trio/_core/_thread_cache.py"}),
    "how does a test's clock jump ahead when all tasks sleep": frozenset({"src/trio/_core/_mock_clock.py"}),
    "where does another thread wake the event loop up": frozenset(
        {"src/trio/_core/_entry_queue.py", "src/trio/_core/_wakeup_socketpair.py"}
    ),
    "how are async generators finalized at the end of a run": frozenset({"src/trio/_core/_asyncgens.py"}),
    "where are the bytes of TLS records pumped through the transport": frozenset({"src/trio/_ssl.py"}),
}
DJANGO_SET = {DJANGO: DJANGO_QUESTIONS}
HELD_OUT_SETS: dict[Sdist, dict[str, frozenset[str]]] = {
    NETWORKX: NETWORKX_QUESTIONS,
    TORNADO: TORNADO_QUESTIONS,
    SQLALCHEMY: SQLALCHEMY_QUESTIONS,
    RICH: RICH_QUESTIONS,
    JINJA2: JINJA2_QUESTIONS,
    HTTPX: HTTPX_QUESTIONS,
    TRIO: TRIO_QUESTIONS,
}
