"""One exchange per method, as the documentation shows it, and the errors each method answers with.

Built from the Structs themselves, so that no example can fall behind the contract.
"""

from collections.abc import Mapping

from lucastra_protocol import types
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.types import Range, Wire
from lucastra_protocol.version import PROTOCOL_VERSION, __version__

_ROOT = "/home/ada/src/django"

_HIT = types.Hit(
    uri=f"file://{_ROOT}/django/core/cache/__init__.py",
    path="django/core/cache/__init__.py",
    workspace=_ROOT,
    range=Range.of_lines(31, 51),
    content='class CacheHandler(BaseConnectionHandler):\n    settings_name = "CACHES"\n    …',
    score=0.87,
    language="python",
    symbol="CacheHandler",
    kind="class",
)

_WORKSPACE = types.WorkspaceStatus(
    root=_ROOT,
    state="ready",
    freshness="fresh",
    files=2790,
    chunks=31_204,
    embedded=31_204,
    skipped=3812,
    languages={"python": 2766, "javascript": 24},
    watch="events",
    last_indexed_at=1_767_225_600.0,
    index_seconds=12.5,
    store_bytes=88_080_384,
)

EXAMPLES: Mapping[str, tuple[Wire, Wire]] = {
    types.HELLO.name: (
        types.HelloParams(client_name="lucastra-client", client_version=__version__, protocol_version=PROTOCOL_VERSION),
        types.HelloResult(
            daemon_version=__version__,
            protocol_version=PROTOCOL_VERSION,
            pid=4711,
            uptime_seconds=3.25,
            home="/home/ada/.lucastra",
        ),
    ),
    types.SEARCH.name: (
        types.SearchParams(
            query="where is the cache backend chosen", limit=1, workspaces=[_ROOT], paths=["*.py", "!tests/"]
        ),
        types.SearchResult(hits=[_HIT], elapsed_ms=3.8),
    ),
    types.RELATED.name: (
        types.RelatedParams(path=f"{_ROOT}/django/core/cache/__init__.py", line=34, limit=1),
        types.SearchResult(hits=[_HIT], elapsed_ms=2.9),
    ),
    types.ASK.name: (
        types.AskParams(question="Where is the cache backend chosen?", workspaces=[_ROOT]),
        types.AskResult(
            citations=[types.Citation(number=1, hit=_HIT)],
            notices=["No language model is configured; these are the passages that answer best."],
        ),
    ),
    types.INDEX.name: (
        types.IndexParams(path=_ROOT, work_done_token="index-1"),  # noqa: S106
        types.IndexResult(workspace=_WORKSPACE, indexed_files=2790, embedded_chunks=31_204, elapsed_seconds=12.5),
    ),
    types.WORKSPACES.name: (types.Empty(), types.WorkspacesResult(workspaces=[_WORKSPACE])),
    types.REMOVE.name: (types.WorkspaceParams(path=_ROOT), types.RemoveResult(root=_ROOT)),
    types.FILES.name: (
        types.FilesParams(path=_ROOT, skipped_only=True, limit=1),
        types.FilesResult(
            files=[
                types.FileStatus(
                    path="django/contrib/admin/static/admin/js/vendor/",
                    status="skipped",
                    reason="vendored dependencies",
                )
            ],
            total=3812,
        ),
    ),
    types.STATUS.name: (
        types.Empty(),
        types.StatusResult(
            daemon_version=__version__,
            pid=4711,
            uptime_seconds=86.5,
            home="/home/ada/.lucastra",
            memory_bytes=157_286_400,
            clients=2,
            embeddings=types.ModelStatus(provider="local", model="wordllama-256", dimensions=256),
            workspaces=[_WORKSPACE],
        ),
    ),
    types.CONFIG.name: (
        types.ConfigParams(path=_ROOT),
        types.ConfigResult(
            config={"llm": {"provider": "openai", "api_key": "set (from ${OPENAI_API_KEY})"}},
            origins={
                "llm.provider": "LUCASTRA_LLM__PROVIDER",
                "llm.api_key": "/home/ada/.lucastra/config.json:3",
            },
        ),
    ),
    types.DOCTOR.name: (
        types.Empty(),
        types.DoctorResult(checks=[types.Check(name="store", status="ok", detail="readable, and passes its check")]),
    ),
    types.STOP.name: (types.Empty(), types.Empty()),
}

_FOLDER = (ErrorCode.INVALID_PARAMS, ErrorCode.WORKSPACE_NOT_FOUND)
_STORE = (ErrorCode.STORE_UNAVAILABLE,)

ERRORS: Mapping[str, tuple[ErrorCode, ...]] = {
    types.HELLO.name: (ErrorCode.INVALID_PARAMS, ErrorCode.NOT_AUTHORISED),
    types.SEARCH.name: (*_FOLDER, *_STORE),
    types.RELATED.name: (*_FOLDER, *_STORE),
    types.ASK.name: (*_FOLDER, *_STORE),
    types.INDEX.name: (*_FOLDER, *_STORE),
    types.WORKSPACES.name: (),
    types.REMOVE.name: (*_FOLDER, *_STORE),
    types.FILES.name: (*_FOLDER, *_STORE),
    types.STATUS.name: (),
    types.CONFIG.name: (ErrorCode.INVALID_PARAMS,),
    types.DOCTOR.name: (),
    types.STOP.name: (),
}
"""What a method answers with beyond the errors that every method may: session, cancellation, internal."""
