-- Written by `python -m lucastra_protocol.generate`; the source is protocol/lucastra_protocol.

--- What would improve retrieval, with the number that says so.
---@class lucastra.Advice
---@field topic "documentation"|"embedding"|"grammars"|"mode"|"noise"|"skipped"|"tests"
---@field text string
---@field ignore? string[] Lines for `.lucastraignore`. Default: `[]`.

---@class lucastra.AskParams
---@field question string And what it is about, such as a traceback: of more than 4,096 characters, the beginning and the end are searched for. Limits: 1…1000000 characters.
---@field limit? integer Passages to answer from; null for `vector_search.top_k` of the configuration, which is 5. Limits: 1…100.
---@field workspaces? string[] Default: `[]`.
---@field paths? string[] Default: `[]`.
---@field languages? string[] Default: `[]`.
---@field provider? string `NAME` or `NAME/MODEL`; null for the configured one. Limits: 1…256 characters.
---@field system? string What the model is to heed as well. Limits: up to 100000 characters. Default: `""`.
---@field partialResultToken? string|integer The answer goes here as it is written, as `$/progress` with the events of `lucastra/ask`; the result still holds the whole.

--- An answer with numbered citations; `answer` is null when no provider is configured.
---@class lucastra.AskResult
---@field citations? lucastra.Citation[] What the answer cites; without a provider, all passages. Default: `[]`.
---@field uncited? lucastra.Citation[] Passages that the model was given and did not cite. Default: `[]`.
---@field answer? string
---@field found? boolean false where the answer is that the workspace does not hold one. Default: `true`.
---@field provider? string Who answered; null where no model did.
---@field model? string
---@field finish? "filtered"|"length"|"stop" Default: `"stop"`.
---@field usage? lucastra.TokenUsage Default: `{}`.
---@field notices? string[] What the user should know, such as how to configure a provider. Default: `[]`.
---@field freshness? "fresh"|"pending"|"stale" Default: `"fresh"`.

---@class lucastra.AskedQuestion
---@field source "commits"|"definitions"
---@field question string
---@field answers string[] Files relative to the workspace; `file:line` for definitions, with the 1-based line where one begins.
---@field ranks? table<string, integer> At which rank a mode shows an answer; a mode that shows none among ten hits is absent. Default: `{}`.

---@class lucastra.Check
---@field name string
---@field status "error"|"ok"|"warning"
---@field detail string
---@field cure? string Default: `""`.

---@class lucastra.Citation
---@field number integer
---@field hit lucastra.Hit

--- One prompt for a model, without passages and without history.
---@class lucastra.CompleteParams
---@field prompt string Limits: 1…1000000 characters.
---@field system? string Limits: up to 100000 characters. Default: `""`.
---@field provider? string `NAME` or `NAME/MODEL`; null for the configured one. Limits: 1…256 characters.
---@field maxTokens? integer Limits: 1…1000000.
---@field temperature? number Limits: 0…2.
---@field partialResultToken? string|integer

---@class lucastra.CompleteResult
---@field text string
---@field provider string
---@field model string
---@field finish? "filtered"|"length"|"stop" Default: `"stop"`.
---@field usage? lucastra.TokenUsage Default: `{}`.
---@field notices? string[] Default: `[]`.

--- An item of `textDocument/inlineCompletion` that the user took; also the argument of its `command`.
---@class lucastra.CompletionAcceptedParams
---@field id string `id` of the item's `command.arguments[0]`. Limits: 1…64 characters.
---@field partial? boolean Only the beginning was taken, such as one word of it. Default: `false`.

--- What became of the inline completions of one model in one language, since they were first counted.
---@class lucastra.CompletionCount
---@field provider string
---@field model string As it was asked for; empty where the server decides.
---@field language string As the editor names it.
---@field offered? integer Sent to an editor. Each of the following counts a completion once, however often it is reported. Default: `0`.
---@field shown? integer Reported as shown or as accepted; a client without an extension reports only what was accepted. Default: `0`.
---@field accepted? integer Accepted whole. Default: `0`.
---@field partiallyAccepted? integer Accepted in part, whether or not the rest was accepted later. Default: `0`.

--- An item of `textDocument/inlineCompletion` that the user was shown.
---@class lucastra.CompletionShownParams
---@field id string `id` of the item's `command.arguments[0]`. Limits: 1…64 characters.

---@class lucastra.ConfigParams
---@field path? string A folder whose workspace config is layered in.

---@class lucastra.ConfigResult
---@field config table<string, any> The effective configuration; secrets are masked.
---@field origins table<string, string> Dotted key → where its value comes from; keys left at their default are absent.
---@field problems? string[] Default: `[]`.

--- A conversation without its turns. Times are Unix times.
---@class lucastra.Conversation
---@field id string
---@field title string
---@field createdAt number
---@field updatedAt number
---@field system? string What the model is to heed in every answer. Default: `""`.
---@field forkedFrom? string
---@field forkedAt? integer The last turn that was taken over from there.
---@field turns? integer Default: `0`.

--- Something happened in a conversation that the session follows; several changes may come as the last of them.
---@class lucastra.ConversationChangedParams
---@field conversation string
---@field change "deleted"|"renamed"|"turnFinished"|"turnStarted"
---@field turns? integer How many turns it has now. Default: `0`.

---@class lucastra.ConversationParams
---@field conversation string Limits: 1…64 characters.

--- Any number of times: the next piece of the answer. A citation never comes in two pieces.
---@class lucastra.DeltaEvent
---@field kind "delta"
---@field text string

---@class lucastra.DoctorResult
---@field checks? lucastra.Check[] Default: `[]`.

--- Texts for the embedding model that searches use.
---@class lucastra.EmbedParams
---@field texts string[] Limits: 1…100 items.
---@field kind? "passage"|"query" Models tell what is searched from what is searched for. Default: `"passage"`.

---@class lucastra.EmbedResult
---@field vectors number[][] One of length 1 for each text, in their order; all zeros for a text without a word.
---@field provider string
---@field model string
---@field dimensions integer

--- No parameters, or nothing to say.
---@class lucastra.Empty

--- Measures how well a workspace's code is found, with questions made of its documentation and history.
---@class lucastra.EvaluateParams
---@field path string A folder that is a workspace, or lies in one; the workspace is measured as a whole.
---@field questions? integer At most so many, the same ones each time. Limits: 10…2000. Default: `300`.
---@field workDoneToken? string|integer Progress goes here as LSP work-done progress.

---@class lucastra.EvaluateResult
---@field root string
---@field total lucastra.QuestionGroup
---@field sources? lucastra.QuestionGroup[] `definitions`: first sentences of docstrings and doc comments, which must find their definitions with no documentation in the index; `commits`: messages, which must find the files that were changed. Default: `[]`.
---@field languages? lucastra.QuestionGroup[] The most frequent first. Default: `[]`.
---@field folders? lucastra.QuestionGroup[] Where hybrid search does worst, of folders with five questions and more; the worst first. Default: `[]`.
---@field advice? lucastra.Advice[] Default: `[]`.
---@field asked? lucastra.AskedQuestion[] Default: `[]`.
---@field notices? string[] Default: `[]`.
---@field elapsedSeconds? number Default: `0.0`.

---@class lucastra.ExportParams
---@field conversation string Limits: 1…64 characters.
---@field format? "json"|"markdown" Default: `"markdown"`.

---@class lucastra.ExportResult
---@field text string

---@class lucastra.FileStatus
---@field path string A folder that was skipped as a whole ends in `/`.
---@field status "failed"|"indexed"|"skipped"
---@field reason? string Default: `""`.
---@field language? string Default: `""`.
---@field chunks? integer Default: `0`.
---@field sizeBytes? integer Default: `0`.

---@class lucastra.FilesParams
---@field path string
---@field skippedOnly? boolean Default: `false`.
---@field offset? integer Limits: from 0. Default: `0`.
---@field limit? integer Limits: 1…10000. Default: `1000`.

---@class lucastra.FilesResult
---@field files? lucastra.FileStatus[] Default: `[]`.
---@field total? integer Default: `0`.

---@class lucastra.FollowParams
---@field conversation string Limits: 1…64 characters.
---@field follow? boolean false ends it. Default: `true`.

---@class lucastra.ForkParams
---@field conversation string Limits: 1…64 characters.
---@field turn? integer The last turn to take over; null for all. Limits: from 0.
---@field title? string null for that of the conversation. Limits: up to 200 characters.

--- Opens a session for `lucastra/*` methods; the first message of relays and shell clients.
---@class lucastra.HelloParams
---@field clientName string
---@field clientVersion string
---@field protocolVersion integer
---@field token? string The token of the daemon's run folder; needed on TCP only.

---@class lucastra.HelloResult
---@field daemonVersion string
---@field protocolVersion integer
---@field pid integer
---@field uptimeSeconds number
---@field home string

---@class lucastra.HistoryParams
---@field conversation string Limits: 1…64 characters.
---@field after? integer Turns with higher numbers only. Limits: from 0. Default: `0`.
---@field limit? integer Limits: 1…1000. Default: `100`.

---@class lucastra.HistoryResult
---@field conversation lucastra.Conversation
---@field turns? lucastra.Turn[] Default: `[]`.

--- One passage found.
---@class lucastra.Hit
---@field uri string
---@field path string Relative to `workspace`, with forward slashes.
---@field workspace string Absolute path of the workspace's root.
---@field range lucastra.Range
---@field content string
---@field score number Comparable within one result only; higher is better.
---@field language string
---@field symbol? string Default: `""`.
---@field kind? string Default: `""`.
---@field components? table<string, number> What the score is made of; filled when `explain` was set. Default: `{}`.
---@field unsaved? boolean The passage stands in a document that an editor has open and has not saved; `range` and `content` are of that document, and the file holds another text there, or none. Default: `false`.

--- Adds a folder as a workspace (or names one that is) and brings its index up to date.
---@class lucastra.IndexParams
---@field path string
---@field wait? boolean Reply once everything known is searchable; else reply at once. Default: `true`.
---@field workDoneToken? string|integer Progress goes here as LSP work-done progress, with `percentage` where it is known.

---@class lucastra.IndexResult
---@field workspace lucastra.WorkspaceStatus
---@field indexedFiles? integer Default: `0`.
---@field embeddedChunks? integer Default: `0`.
---@field elapsedSeconds? number Default: `0.0`.

---@class lucastra.ListParams
---@field offset? integer Limits: from 0. Default: `0`.
---@field limit? integer Limits: 1…1000. Default: `100`.

--- Conversations, the one that was used last first.
---@class lucastra.ListResult
---@field conversations? lucastra.Conversation[] Default: `[]`.
---@field total? integer Default: `0`.
---@field notices? string[] Default: `[]`.

--- How well one mode answers some questions: means from 0 to 1, with their standard errors.
---@class lucastra.ModeScore
---@field mode "hybrid"|"keyword"|"vector"
---@field mrr number MRR@10.
---@field mrrError number
---@field ndcg number NDCG@10.
---@field ndcgError number
---@field recall number Share of the questions with an answer among ten hits.
---@field recallError number
---@field files number The same, where another passage of an answer's file counts too.

---@class lucastra.ModelInfo
---@field provider string
---@field id string
---@field contextTokens? integer Tokens of prompt and answer together, where the provider says.

---@class lucastra.ModelStatus
---@field provider string
---@field model string
---@field dimensions integer

---@class lucastra.ModelsParams
---@field provider? string Of this provider only; null for every configured one. Limits: 1…256 characters.

---@class lucastra.ModelsResult
---@field models? lucastra.ModelInfo[] Default: `[]`.
---@field problems? string[] Why a provider's models could not be listed. Default: `[]`.

--- First, where passages were looked for: what the answer will be written from.
---@class lucastra.PassagesEvent
---@field kind "passages"
---@field citations? lucastra.Citation[] Default: `[]`.
---@field freshness? "fresh"|"pending"|"stale" Default: `"fresh"`.
---@field notices? string[] Default: `[]`.

--- An LSP position: 0-based line and character (in the session's position encoding).
---@class lucastra.Position
---@field line integer Limits: from 0.
---@field character integer Limits: from 0.

---@class lucastra.ProviderCapabilities
---@field embed? boolean Default: `false`.
---@field fillInTheMiddle? boolean Default: `false`.
---@field countTokens? boolean Whether its own tokenizer counts. Default: `false`.
---@field local? boolean Whether it runs on this machine, so that no text leaves it. Default: `false`.

---@class lucastra.ProviderHealth
---@field ok boolean
---@field detail string

---@class lucastra.ProviderInfo
---@field name string What `provider` of other methods takes.
---@field kind string
---@field configured? boolean Whether the configuration names it; others can be used when they are named. Default: `false`.
---@field default? boolean Default: `false`.
---@field origin? string Scheme, host and port that requests go to.
---@field model? string The model of a request that names none; null where the server decides.
---@field capabilities? lucastra.ProviderCapabilities
---@field health? lucastra.ProviderHealth Filled when `check` was set.
---@field problem? string Why it cannot be used, such as a key that is missing. Default: `""`.

---@class lucastra.ProvidersParams
---@field check? boolean Ask each whether it would answer now; else nothing is sent anywhere. Default: `false`.

---@class lucastra.ProvidersResult
---@field providers? lucastra.ProviderInfo[] Default: `[]`.

--- Questions of one kind, and how each mode answers them.
---@class lucastra.QuestionGroup
---@field name string
---@field questions integer
---@field modes lucastra.ModeScore[] Keyword, vector, hybrid.
---@field relevance? number Semantic relevance against the keyword baseline: NDCG@10 of hybrid over that of keyword search; null where keyword search finds nothing.
---@field atLeastAsGood? number Share of `answered` where hybrid search is not worse than keyword search; null where nothing is answered.
---@field answered? integer Questions that hybrid or keyword search finds an answer to. Default: `0`.

--- An LSP range; `end` is exclusive, so a span of whole lines ends at column 0 of the next line.
---@class lucastra.Range
---@field start lucastra.Position
---@field end lucastra.Position

--- Lines of a file that is indexed; of no other file.
---@class lucastra.ReadParams
---@field path string An absolute path or file URI.
---@field line? integer The first line, 0-based. Limits: from 0. Default: `0`.
---@field limit? integer Lines at most. Limits: 1…1000000. Default: `1000`.

--- What the file holds on disk now, decoded as it is for the index.
---@class lucastra.ReadResult
---@field uri string
---@field path string Relative to `workspace`, with forward slashes.
---@field workspace string
---@field range lucastra.Range Whole lines; empty where the file has none from `line` on.
---@field content string
---@field totalLines integer Lines of the whole file.

--- More like the passage at a place.
---@class lucastra.RelatedParams
---@field path string An absolute path or file URI.
---@field line? integer 0-based. Limits: from 0. Default: `0`.
---@field limit? integer null for `search.limit` of the configuration, which is 10. Limits: 1…100.
---@field workspaces? string[] Default: `[]`.
---@field paths? string[] Default: `[]`.
---@field languages? string[] Default: `[]`.
---@field explain? boolean Default: `false`.

---@class lucastra.RemoveResult
---@field root string

---@class lucastra.RenameParams
---@field conversation string Limits: 1…64 characters.
---@field title string Limits: 1…200 characters.

---@class lucastra.SearchParams
---@field query string A question, a phrase or an identifier. Limits: 1…4096 characters.
---@field mode? "hybrid"|"keyword"|"vector" Default: `"hybrid"`.
---@field limit? integer null for `search.limit` of the configuration, which is 10. Limits: 1…100.
---@field workspaces? string[] Folders (paths or file URIs) to search; empty: every workspace. A folder inside a workspace restricts the search to that folder. Default: `[]`.
---@field paths? string[] Glob patterns in gitignore syntax, relative to the workspace; `!` excludes. Default: `[]`.
---@field languages? string[] Default: `[]`.
---@field explain? boolean Default: `false`.

---@class lucastra.SearchResult
---@field hits? lucastra.Hit[] Default: `[]`.
---@field freshness? "fresh"|"pending"|"stale" `fresh`: every known change is indexed; `stale`: changes wait to be, or may have been missed; `pending`: some passages have no embedding yet, so they are found by keyword only. Default: `"fresh"`.
---@field elapsedMs? number Default: `0.0`.
---@field notices? string[] Default: `[]`.

--- A question within a conversation. One is answered at a time; another meanwhile is `CONVERSATION_BUSY`.
---@class lucastra.SendParams
---@field conversation string Limits: 1…64 characters.
---@field text string Limits: 1…1000000 characters.
---@field retrieve? boolean Answer from passages of the workspaces, and cite them; false asks the model alone. Default: `true`.
---@field provider? string `NAME` or `NAME/MODEL`, for this turn; null for the configured one. Limits: 1…256 characters.
---@field limit? integer Limits: 1…100.
---@field workspaces? string[] Default: `[]`.
---@field paths? string[] Default: `[]`.
---@field languages? string[] Default: `[]`.
---@field partialResultToken? string|integer

---@class lucastra.SendResult
---@field turn lucastra.Turn
---@field citations? lucastra.Citation[] What the answer cites; without a provider, all passages. Default: `[]`.
---@field uncited? lucastra.Citation[] Passages that the model was given and did not cite. Default: `[]`.
---@field freshness? "fresh"|"pending"|"stale" Default: `"fresh"`.
---@field notices? string[] Default: `[]`.

--- A place that an answer cites, as its file had it when the answer was written.
---@class lucastra.Source
---@field number integer
---@field uri string
---@field path string Relative to `workspace`, with forward slashes.
---@field workspace string
---@field range lucastra.Range
---@field language? string Default: `""`.
---@field symbol? string Default: `""`.
---@field kind? string Default: `""`.

---@class lucastra.StartParams
---@field title? string Without one, the first question gives it. Limits: up to 200 characters. Default: `""`.
---@field system? string What the model is to heed in every answer. Limits: up to 100000 characters. Default: `""`.

---@class lucastra.StatusResult
---@field daemonVersion string
---@field pid integer
---@field uptimeSeconds number
---@field home string
---@field memoryBytes integer
---@field clients integer
---@field embeddings lucastra.ModelStatus
---@field provider? string The language-model provider that answers `ask`; null when none is configured.
---@field workspaces? lucastra.WorkspaceStatus[] Default: `[]`.
---@field completions? lucastra.CompletionCount[] The last counted first. Kept on this machine only, without any text. Default: `[]`.
---@field problems? string[] Default: `[]`.

--- Tokens that a request took; null where the provider does not say.
---@class lucastra.TokenUsage
---@field inputTokens? integer
---@field outputTokens? integer

--- A question and its answer. Times are Unix times.
---@class lucastra.Turn
---@field number integer From 1, without gaps.
---@field question string
---@field startedAt number
---@field answer? string Default: `""`.
---@field state? "complete"|"partial"|"running" `running`: `answer` is what was kept of it so far, at most a quarter of a second old; `partial`: it broke off, and `problem` says why. Default: `"complete"`.
---@field finishedAt? number
---@field retrieved? boolean Whether passages were looked for. Default: `false`.
---@field found? boolean false where the answer is that the workspace does not hold one. Default: `true`.
---@field provider? string Who answered; null where no model did.
---@field model? string
---@field finish? "filtered"|"length"|"stop"
---@field usage? lucastra.TokenUsage Default: `{}`.
---@field sources? lucastra.Source[] Default: `[]`.
---@field leftOut? integer Earlier turns, oldest first, that the prompt had no room for. Default: `0`.
---@field problem? string Default: `""`.

--- Last, where a model answered: who it was, and what it took.
---@class lucastra.UsageEvent
---@field kind "usage"
---@field provider string
---@field model string
---@field finish? "filtered"|"length"|"stop" Default: `"stop"`.
---@field usage? lucastra.TokenUsage Default: `{}`.

---@class lucastra.WorkspaceParams
---@field path string

---@class lucastra.WorkspaceStatus
---@field root string
---@field state "embedding"|"failed"|"indexing"|"missing"|"ready"|"scanning"
---@field freshness "fresh"|"pending"|"stale"
---@field files? integer Default: `0`.
---@field chunks? integer Default: `0`.
---@field embedded? integer Chunks that have a vector. Default: `0`.
---@field skipped? integer Default: `0`.
---@field queued? integer Changed files that are known and not yet indexed. Default: `0`.
---@field languages? table<string, integer> Files by language. Default: `{}`.
---@field watch? "events"|"off"|"polling" Default: `"off"`.
---@field lastIndexedAt? number Unix time of the last commit.
---@field indexSeconds? number How long the last full indexing took.
---@field storeBytes? integer Default: `0`.
---@field problems? string[] Default: `[]`.
---@field notices? string[] What goes on and is as it should be, such as vectors of another model that are being built. Default: `[]`.

---@class lucastra.WorkspacesResult
---@field workspaces? lucastra.WorkspaceStatus[] Default: `[]`.

--- What `lucastra/ask` sends to its `partialResultToken`.
---@alias lucastra.AskEvent lucastra.PassagesEvent|lucastra.DeltaEvent|lucastra.UsageEvent

--- What `lucastra/conversation/send` sends to its `partialResultToken`.
---@alias lucastra.ConversationSendEvent lucastra.PassagesEvent|lucastra.DeltaEvent|lucastra.UsageEvent

--- What `lucastra/complete` sends to its `partialResultToken`.
---@alias lucastra.CompleteEvent lucastra.DeltaEvent|lucastra.UsageEvent

local M = {}

--- The version of the contract that these types are of.
M.version = 1

--- Names of the requests that the daemon answers.
M.methods = {
  --- Open a session; versions are compared first.
  --- Params: `lucastra.HelloParams`; result: `lucastra.HelloResult`; errors: INVALID_PARAMS, NOT_AUTHORISED.
  hello = "lucastra/hello",
  --- Find passages by meaning, by keyword or both.
  --- Params: `lucastra.SearchParams`; result: `lucastra.SearchResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE.
  search = "lucastra/search",
  --- Find passages like the one at a place.
  --- Params: `lucastra.RelatedParams`; result: `lucastra.SearchResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE.
  related = "lucastra/related",
  --- Answer a question with citations.
  --- Params: `lucastra.AskParams`; result: `lucastra.AskResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE, CONFIG_INVALID, PROVIDER_FAILED.
  ask = "lucastra/ask",
  --- Add a workspace, or bring one up to date.
  --- Params: `lucastra.IndexParams`; result: `lucastra.IndexResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE.
  index = "lucastra/index",
  --- List the workspaces.
  --- Params: `lucastra.Empty`; result: `lucastra.WorkspacesResult`.
  workspaces = "lucastra/workspaces",
  --- Forget a workspace.
  --- Params: `lucastra.WorkspaceParams`; result: `lucastra.RemoveResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE.
  remove_workspace = "lucastra/removeWorkspace",
  --- List files, and why some were skipped.
  --- Params: `lucastra.FilesParams`; result: `lucastra.FilesResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE.
  files = "lucastra/files",
  --- Read lines of an indexed file.
  --- Params: `lucastra.ReadParams`; result: `lucastra.ReadResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE.
  read = "lucastra/read",
  --- Measure how well a workspace's code is found.
  --- Params: `lucastra.EvaluateParams`; result: `lucastra.EvaluateResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE, REQUEST_FAILED.
  evaluate = "lucastra/evaluate",
  --- The daemon's state.
  --- Params: `lucastra.Empty`; result: `lucastra.StatusResult`.
  status = "lucastra/status",
  --- The effective configuration and its origins.
  --- Params: `lucastra.ConfigParams`; result: `lucastra.ConfigResult`; errors: INVALID_PARAMS.
  config = "lucastra/config",
  --- Check the installation, the store and the models.
  --- Params: `lucastra.Empty`; result: `lucastra.DoctorResult`.
  doctor = "lucastra/doctor",
  --- Stop the daemon cleanly.
  --- Params: `lucastra.Empty`; result: `lucastra.Empty`.
  stop = "lucastra/stop",
  --- Begin a conversation.
  --- Params: `lucastra.StartParams`; result: `lucastra.Conversation`; errors: INVALID_PARAMS, STORE_UNAVAILABLE.
  conversation_start = "lucastra/conversation/start",
  --- Ask within a conversation.
  --- Params: `lucastra.SendParams`; result: `lucastra.SendResult`; errors: INVALID_PARAMS, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE, CONFIG_INVALID, PROVIDER_FAILED, CONVERSATION_NOT_FOUND, CONVERSATION_BUSY.
  conversation_send = "lucastra/conversation/send",
  --- A conversation's turns.
  --- Params: `lucastra.HistoryParams`; result: `lucastra.HistoryResult`; errors: INVALID_PARAMS, STORE_UNAVAILABLE, CONVERSATION_NOT_FOUND.
  conversation_history = "lucastra/conversation/history",
  --- List the conversations.
  --- Params: `lucastra.ListParams`; result: `lucastra.ListResult`; errors: INVALID_PARAMS, STORE_UNAVAILABLE.
  conversation_list = "lucastra/conversation/list",
  --- Give a conversation another title.
  --- Params: `lucastra.RenameParams`; result: `lucastra.Conversation`; errors: INVALID_PARAMS, STORE_UNAVAILABLE, CONVERSATION_NOT_FOUND.
  conversation_rename = "lucastra/conversation/rename",
  --- Delete a conversation.
  --- Params: `lucastra.ConversationParams`; result: `lucastra.Empty`; errors: INVALID_PARAMS, STORE_UNAVAILABLE, CONVERSATION_NOT_FOUND, CONVERSATION_BUSY.
  conversation_delete = "lucastra/conversation/delete",
  --- Go on from a turn in a new conversation.
  --- Params: `lucastra.ForkParams`; result: `lucastra.Conversation`; errors: INVALID_PARAMS, STORE_UNAVAILABLE, CONVERSATION_NOT_FOUND.
  conversation_fork = "lucastra/conversation/fork",
  --- A whole conversation as Markdown or JSON.
  --- Params: `lucastra.ExportParams`; result: `lucastra.ExportResult`; errors: INVALID_PARAMS, STORE_UNAVAILABLE, CONVERSATION_NOT_FOUND.
  conversation_export = "lucastra/conversation/export",
  --- Be told of a conversation's changes, or no longer.
  --- Params: `lucastra.FollowParams`; result: `lucastra.Empty`; errors: INVALID_PARAMS, STORE_UNAVAILABLE, CONVERSATION_NOT_FOUND.
  conversation_follow = "lucastra/conversation/follow",
  --- One prompt to a model.
  --- Params: `lucastra.CompleteParams`; result: `lucastra.CompleteResult`; errors: INVALID_PARAMS, CONFIG_INVALID, PROVIDER_FAILED.
  complete = "lucastra/complete",
  --- Vectors of texts.
  --- Params: `lucastra.EmbedParams`; result: `lucastra.EmbedResult`; errors: INVALID_PARAMS, PROVIDER_FAILED, SPACE_MISMATCH, REQUEST_FAILED.
  embed = "lucastra/embed",
  --- List the models of the providers.
  --- Params: `lucastra.ModelsParams`; result: `lucastra.ModelsResult`; errors: INVALID_PARAMS, CONFIG_INVALID, PROVIDER_FAILED.
  models = "lucastra/models",
  --- List the providers, and ask how they are.
  --- Params: `lucastra.ProvidersParams`; result: `lucastra.ProvidersResult`; errors: INVALID_PARAMS.
  providers = "lucastra/providers",
}

--- Names of what the daemon sends unasked.
M.notifications = {
  --- News of a conversation that the session follows. Params: `lucastra.ConversationChangedParams`.
  conversation_changed = "lucastra/conversationChanged",
}

--- Names of the notifications that the daemon takes.
M.client_notifications = {
  --- An inline completion was shown to the user. Params: `lucastra.CompletionShownParams`.
  completion_did_show = "lucastra/completion/didShow",
  --- An inline completion was accepted; in place of the item's `command`, or beside it. Params: `lucastra.CompletionAcceptedParams`.
  completion_accepted = "lucastra/completion/accepted",
}

--- Codes that a reply's `error.code` may hold.
M.errors = {
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  PARSE_ERROR = -32700,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  INVALID_REQUEST = -32600,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  METHOD_NOT_FOUND = -32601,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  INVALID_PARAMS = -32602,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  INTERNAL_ERROR = -32603,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  SERVER_NOT_INITIALIZED = -32002,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  REQUEST_CANCELLED = -32800,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  CONTENT_MODIFIED = -32801,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  SERVER_CANCELLED = -32802,
  --- As JSON-RPC 2.0 and LSP 3.18 define it.
  REQUEST_FAILED = -32803,
  --- The path names no folder, or no registered workspace holds it.
  WORKSPACE_NOT_FOUND = -33001,
  --- Another daemon owns the store.
  INDEX_LOCKED = -33002,
  --- The store cannot be read or written (disk full, permissions).
  STORE_UNAVAILABLE = -33003,
  --- The configuration has an error; the message names file, line and cure.
  CONFIG_INVALID = -33004,
  --- Client and daemon do not speak the same protocol version.
  VERSION_MISMATCH = -33005,
  --- The peer is another user, or presented no valid token.
  NOT_AUTHORISED = -33006,
  --- No daemon answers, and none could be started. Raised by clients only.
  DAEMON_UNREACHABLE = -33007,
  --- Vectors of different spaces (model or dimensions) were about to be mixed.
  SPACE_MISMATCH = -33008,
  --- A language-model provider did not do what was asked; the error's `data` has its `provider`, a fixed `reason` and the `partialText` that had arrived.
  PROVIDER_FAILED = -33009,
  --- There is no such conversation, or no such turn in it.
  CONVERSATION_NOT_FOUND = -33010,
  --- An answer is being written in the conversation.
  CONVERSATION_BUSY = -33011,
}

return M
