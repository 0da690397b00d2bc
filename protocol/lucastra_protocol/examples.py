"""One exchange per method, as the documentation shows it, and the errors each method answers with.

Built from the Structs themselves, so that no example can fall behind the contract.
"""

from collections.abc import Mapping

from lucastra_protocol import answers, types
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

_MEASURED = types.QuestionGroup(
    name="all",
    questions=300,
    modes=[
        types.ModeScore(
            mode="keyword",
            mrr=0.48,
            mrr_error=0.025,
            ndcg=0.52,
            ndcg_error=0.024,
            recall=0.65,
            recall_error=0.028,
            files=0.84,
        ),
        types.ModeScore(
            mode="vector",
            mrr=0.5,
            mrr_error=0.025,
            ndcg=0.54,
            ndcg_error=0.024,
            recall=0.68,
            recall_error=0.027,
            files=0.86,
        ),
        types.ModeScore(
            mode="hybrid",
            mrr=0.58,
            mrr_error=0.025,
            ndcg=0.62,
            ndcg_error=0.023,
            recall=0.77,
            recall_error=0.024,
            files=0.91,
        ),
    ],
    relevance=1.19,
    at_least_as_good=0.91,
    answered=246,
)

_TURN = answers.Turn(
    number=1,
    question="Where is the cache backend chosen?",
    started_at=1_767_225_600.0,
    answer="`CacheHandler` reads it from the setting `CACHES` [1].",
    finished_at=1_767_225_602.5,
    retrieved=True,
    provider="llm",
    model="qwen2.5-coder:7b",
    finish="stop",
    usage=types.TokenUsage(input_tokens=812, output_tokens=19),
    sources=[
        answers.Source(
            number=1,
            uri=_HIT.uri,
            path=_HIT.path,
            workspace=_ROOT,
            range=_HIT.range,
            language="python",
            symbol="CacheHandler",
            kind="class",
        )
    ],
)
_ID = "5f0c1a9be27d"
_CONVERSATION = answers.Conversation(
    id=_ID, title="Caching", created_at=1_767_225_600.0, updated_at=1_767_225_602.5, turns=1
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
            answer=_TURN.answer,
            provider="llm",
            model="qwen2.5-coder:7b",
            usage=types.TokenUsage(input_tokens=812, output_tokens=19),
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
    types.READ.name: (
        types.ReadParams(path=f"{_ROOT}/{_HIT.path}", line=_HIT.range.start.line, limit=2),
        types.ReadResult(
            uri=_HIT.uri,
            path=_HIT.path,
            workspace=_ROOT,
            range=types.Range.of_lines(_HIT.range.start.line + 1, _HIT.range.start.line + 2),
            content='class CacheHandler(BaseConnectionHandler):\n    settings_name = "CACHES"\n',
            total_lines=65,
        ),
    ),
    types.EVALUATE.name: (
        types.EvaluateParams(path=_ROOT, work_done_token="evaluate-1"),  # noqa: S106
        types.EvaluateResult(
            root=_ROOT,
            total=_MEASURED,
            advice=[
                types.Advice(
                    topic="noise",
                    text="django/contrib/gis/third_party/ takes the first place of 21 of 300 questions (7 %) that it"
                    " does not answer; if it is nothing to search in, leave it out",
                    ignore=["/django/contrib/gis/third_party/"],
                )
            ],
            asked=[
                types.AskedQuestion(
                    source="definitions",
                    question="Close all of the connections in the current thread.",
                    answers=["django/core/cache/__init__.py:60"],
                    ranks={"keyword": 4, "hybrid": 1},
                )
            ],
            elapsed_seconds=21.5,
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
            embeddings=types.ModelStatus(provider="local", model="lucastra-static-r1", dimensions=256),
            workspaces=[_WORKSPACE],
            completions=[
                types.CompletionCount(
                    provider="llm",
                    model="qwen2.5-coder:1.5b",
                    language="python",
                    offered=412,
                    shown=305,
                    accepted=97,
                    partially_accepted=8,
                )
            ],
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
    answers.START.name: (
        answers.StartParams(title="Caching"),
        answers.Conversation(id=_ID, title="Caching", created_at=1_767_225_600.0, updated_at=1_767_225_600.0),
    ),
    answers.SEND.name: (
        answers.SendParams(
            conversation=_ID,
            text=_TURN.question,
            workspaces=[_ROOT],
            partial_result_token="send-1",  # noqa: S106
        ),
        answers.SendResult(turn=_TURN, citations=[types.Citation(number=1, hit=_HIT)]),
    ),
    answers.HISTORY.name: (
        answers.HistoryParams(conversation=_ID),
        answers.HistoryResult(conversation=_CONVERSATION, turns=[_TURN]),
    ),
    answers.LIST.name: (answers.ListParams(), answers.ListResult(conversations=[_CONVERSATION], total=1)),
    answers.RENAME.name: (answers.RenameParams(conversation=_ID, title="Caching"), _CONVERSATION),
    answers.DELETE.name: (answers.ConversationParams(conversation=_ID), types.Empty()),
    answers.FORK.name: (
        answers.ForkParams(conversation=_ID, turn=1),
        answers.Conversation(
            id="c3d27e81aa40",
            title="Caching",
            created_at=1_767_225_700.0,
            updated_at=1_767_225_700.0,
            forked_from=_ID,
            forked_at=1,
            turns=1,
        ),
    ),
    answers.EXPORT.name: (
        answers.ExportParams(conversation=_ID),
        answers.ExportResult(text="# Caching\n\n## 1. Where is the cache backend chosen?\n…"),
    ),
    answers.FOLLOW.name: (answers.FollowParams(conversation=_ID), types.Empty()),
    answers.COMPLETE.name: (
        answers.CompleteParams(prompt="Say hello in French.", provider="ollama/llama3.2"),
        answers.CompleteResult(
            text="Bonjour.",
            provider="ollama",
            model="llama3.2",
            usage=types.TokenUsage(input_tokens=12, output_tokens=4),
        ),
    ),
    answers.EMBED.name: (
        answers.EmbedParams(texts=["where is the cache chosen?"], kind="query"),
        answers.EmbedResult(
            vectors=[[0.12, -0.05, 0.31, 0.94]], provider="openai", model="text-embedding-3-small", dimensions=4
        ),
    ),
    answers.MODELS.name: (
        answers.ModelsParams(provider="ollama"),
        answers.ModelsResult(models=[answers.ModelInfo(provider="ollama", id="llama3.2:latest")]),
    ),
    answers.PROVIDERS.name: (
        answers.ProvidersParams(check=True),
        answers.ProvidersResult(
            providers=[
                answers.ProviderInfo(
                    name="llm",
                    kind="ollama",
                    configured=True,
                    default=True,
                    origin="http://127.0.0.1:11434",
                    model="llama3.2",
                    capabilities=answers.ProviderCapabilities(embed=True, fill_in_the_middle=True, local=True),
                    health=answers.ProviderHealth(ok=True, detail="Ollama answers with 3 models"),
                )
            ]
        ),
    ),
}

_FOLDER = (ErrorCode.INVALID_PARAMS, ErrorCode.WORKSPACE_NOT_FOUND)
_STORE = (ErrorCode.STORE_UNAVAILABLE,)
_PARAMS = (ErrorCode.INVALID_PARAMS,)
_MODEL = (ErrorCode.CONFIG_INVALID, ErrorCode.PROVIDER_FAILED)
_CONVERSATIONS = (ErrorCode.CONVERSATION_NOT_FOUND, ErrorCode.CONVERSATION_BUSY)

ERRORS: Mapping[str, tuple[ErrorCode, ...]] = {
    types.HELLO.name: (ErrorCode.INVALID_PARAMS, ErrorCode.NOT_AUTHORISED),
    types.SEARCH.name: (*_FOLDER, *_STORE),
    types.RELATED.name: (*_FOLDER, *_STORE),
    types.ASK.name: (*_FOLDER, *_STORE, *_MODEL),
    types.INDEX.name: (*_FOLDER, *_STORE),
    types.WORKSPACES.name: (),
    types.REMOVE.name: (*_FOLDER, *_STORE),
    types.FILES.name: (*_FOLDER, *_STORE),
    types.READ.name: (*_FOLDER, *_STORE),
    types.EVALUATE.name: (*_FOLDER, *_STORE, ErrorCode.REQUEST_FAILED),
    types.STATUS.name: (),
    types.CONFIG.name: (ErrorCode.INVALID_PARAMS,),
    types.DOCTOR.name: (),
    types.STOP.name: (),
    answers.START.name: (*_PARAMS, *_STORE),
    answers.SEND.name: (*_FOLDER, *_STORE, *_MODEL, *_CONVERSATIONS),
    answers.HISTORY.name: (*_PARAMS, *_STORE, ErrorCode.CONVERSATION_NOT_FOUND),
    answers.LIST.name: (*_PARAMS, *_STORE),
    answers.RENAME.name: (*_PARAMS, *_STORE, ErrorCode.CONVERSATION_NOT_FOUND),
    answers.DELETE.name: (*_PARAMS, *_STORE, *_CONVERSATIONS),
    answers.FORK.name: (*_PARAMS, *_STORE, ErrorCode.CONVERSATION_NOT_FOUND),
    answers.EXPORT.name: (*_PARAMS, *_STORE, ErrorCode.CONVERSATION_NOT_FOUND),
    answers.FOLLOW.name: (*_PARAMS, *_STORE, ErrorCode.CONVERSATION_NOT_FOUND),
    answers.COMPLETE.name: (*_PARAMS, *_MODEL),
    answers.EMBED.name: (*_PARAMS, ErrorCode.PROVIDER_FAILED, ErrorCode.SPACE_MISMATCH, ErrorCode.REQUEST_FAILED),
    answers.MODELS.name: (*_PARAMS, *_MODEL),
    answers.PROVIDERS.name: (*_PARAMS,),
}
"""What a method answers with beyond the errors that every method may: session, cancellation, internal."""
