// Written by `python -m lucastra_protocol.generate`; the source is protocol/lucastra_protocol.

/** The version of the contract that these types are of. */
export const PROTOCOL_VERSION = 1;

/** Codes that a reply's `error.code` may hold. */
export const ErrorCode = {
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  PARSE_ERROR: -32700,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  INVALID_REQUEST: -32600,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  METHOD_NOT_FOUND: -32601,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  INVALID_PARAMS: -32602,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  INTERNAL_ERROR: -32603,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  SERVER_NOT_INITIALIZED: -32002,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  REQUEST_CANCELLED: -32800,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  CONTENT_MODIFIED: -32801,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  SERVER_CANCELLED: -32802,
  /** As JSON-RPC 2.0 and LSP 3.18 define it. */
  REQUEST_FAILED: -32803,
  /** The path names no folder, or no registered workspace holds it. */
  WORKSPACE_NOT_FOUND: -33001,
  /** Another daemon owns the store. */
  INDEX_LOCKED: -33002,
  /** The store cannot be read or written (disk full, permissions). */
  STORE_UNAVAILABLE: -33003,
  /** The configuration has an error; the message names file, line and cure. */
  CONFIG_INVALID: -33004,
  /** Client and daemon do not speak the same protocol version. */
  VERSION_MISMATCH: -33005,
  /** The peer is another user, or presented no valid token. */
  NOT_AUTHORISED: -33006,
  /** No daemon answers, and none could be started. Raised by clients only. */
  DAEMON_UNREACHABLE: -33007,
  /** Vectors of different spaces (model or dimensions) were about to be mixed. */
  SPACE_MISMATCH: -33008,
  /**
   * A language-model provider did not do what was asked; the error's `data` has its `provider`, a fixed
   * `reason` and the `partialText` that had arrived.
   */
  PROVIDER_FAILED: -33009,
  /** There is no such conversation, or no such turn in it. */
  CONVERSATION_NOT_FOUND: -33010,
  /** An answer is being written in the conversation. */
  CONVERSATION_BUSY: -33011,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** What would improve retrieval, with the number that says so. */
export interface Advice {
  topic: "documentation" | "embedding" | "grammars" | "mode" | "noise" | "skipped" | "tests";
  text: string;
  /**
   * Lines for `.lucastraignore`.
   * @default []
   */
  ignore?: string[];
}

export interface AskParams {
  /**
   * And what it is about, such as a traceback: of more than 4,096 characters, the beginning and the end
   * are searched for. Limits: 1…1000000 characters.
   */
  question: string;
  /**
   * Passages to answer from; null for `vector_search.top_k` of the configuration, which is 5. Limits:
   * 1…100.
   * @default null
   */
  limit?: number | null;
  /** @default [] */
  workspaces?: string[];
  /** @default [] */
  paths?: string[];
  /** @default [] */
  languages?: string[];
  /**
   * `NAME` or `NAME/MODEL`; null for the configured one. Limits: 1…256 characters.
   * @default null
   */
  provider?: string | null;
  /**
   * What the model is to heed as well. Limits: up to 100000 characters.
   * @default ""
   */
  system?: string;
  /**
   * The answer goes here as it is written, as `$/progress` with the events of `lucastra/ask`; the result
   * still holds the whole.
   * @default null
   */
  partialResultToken?: string | number | null;
}

/** An answer with numbered citations; `answer` is null when no provider is configured. */
export interface AskResult {
  /**
   * What the answer cites; without a provider, all passages.
   * @default []
   */
  citations?: Citation[];
  /**
   * Passages that the model was given and did not cite.
   * @default []
   */
  uncited?: Citation[];
  /** @default null */
  answer?: string | null;
  /**
   * false where the answer is that the workspace does not hold one.
   * @default true
   */
  found?: boolean;
  /**
   * Who answered; null where no model did.
   * @default null
   */
  provider?: string | null;
  /** @default null */
  model?: string | null;
  /** @default "stop" */
  finish?: "filtered" | "length" | "stop";
  /** @default {} */
  usage?: TokenUsage;
  /**
   * What the user should know, such as how to configure a provider.
   * @default []
   */
  notices?: string[];
  /** @default "fresh" */
  freshness?: "fresh" | "pending" | "stale";
}

export interface AskedQuestion {
  source: "commits" | "definitions";
  question: string;
  /**
   * Files relative to the workspace; `file:line` for definitions, with the 1-based line where one
   * begins.
   */
  answers: string[];
  /**
   * At which rank a mode shows an answer; a mode that shows none among ten hits is absent.
   * @default {}
   */
  ranks?: Record<string, number>;
}

export interface Check {
  name: string;
  status: "error" | "ok" | "warning";
  detail: string;
  /** @default "" */
  cure?: string;
}

export interface Citation {
  number: number;
  hit: Hit;
}

/** One prompt for a model, without passages and without history. */
export interface CompleteParams {
  /** Limits: 1…1000000 characters. */
  prompt: string;
  /**
   * Limits: up to 100000 characters.
   * @default ""
   */
  system?: string;
  /**
   * `NAME` or `NAME/MODEL`; null for the configured one. Limits: 1…256 characters.
   * @default null
   */
  provider?: string | null;
  /**
   * Limits: 1…1000000.
   * @default null
   */
  maxTokens?: number | null;
  /**
   * Limits: 0…2.
   * @default null
   */
  temperature?: number | null;
  /** @default null */
  partialResultToken?: string | number | null;
}

export interface CompleteResult {
  text: string;
  provider: string;
  model: string;
  /** @default "stop" */
  finish?: "filtered" | "length" | "stop";
  /** @default {} */
  usage?: TokenUsage;
  /** @default [] */
  notices?: string[];
}

/** An item of `textDocument/inlineCompletion` that the user took; also the argument of its `command`. */
export interface CompletionAcceptedParams {
  /** `id` of the item's `command.arguments[0]`. Limits: 1…64 characters. */
  id: string;
  /**
   * Only the beginning was taken, such as one word of it.
   * @default false
   */
  partial?: boolean;
}

/** What became of the inline completions of one model in one language, since they were first counted. */
export interface CompletionCount {
  provider: string;
  /** As it was asked for; empty where the server decides. */
  model: string;
  /** As the editor names it. */
  language: string;
  /**
   * Sent to an editor. Each of the following counts a completion once, however often it is reported.
   * @default 0
   */
  offered?: number;
  /**
   * Reported as shown or as accepted; a client without an extension reports only what was accepted.
   * @default 0
   */
  shown?: number;
  /**
   * Accepted whole.
   * @default 0
   */
  accepted?: number;
  /**
   * Accepted in part, whether or not the rest was accepted later.
   * @default 0
   */
  partiallyAccepted?: number;
}

/** An item of `textDocument/inlineCompletion` that the user was shown. */
export interface CompletionShownParams {
  /** `id` of the item's `command.arguments[0]`. Limits: 1…64 characters. */
  id: string;
}

export interface ConfigParams {
  /**
   * A folder whose workspace config is layered in.
   * @default null
   */
  path?: string | null;
}

export interface ConfigResult {
  /** The effective configuration; secrets are masked. */
  config: Record<string, unknown>;
  /** Dotted key → where its value comes from; keys left at their default are absent. */
  origins: Record<string, string>;
  /** @default [] */
  problems?: string[];
}

/** A conversation without its turns. Times are Unix times. */
export interface Conversation {
  id: string;
  title: string;
  createdAt: number;
  updatedAt: number;
  /**
   * What the model is to heed in every answer.
   * @default ""
   */
  system?: string;
  /** @default null */
  forkedFrom?: string | null;
  /**
   * The last turn that was taken over from there.
   * @default null
   */
  forkedAt?: number | null;
  /** @default 0 */
  turns?: number;
}

/**
 * Something happened in a conversation that the session follows; several changes may come as the last
 * of them.
 */
export interface ConversationChangedParams {
  conversation: string;
  change: "deleted" | "renamed" | "turnFinished" | "turnStarted";
  /**
   * How many turns it has now.
   * @default 0
   */
  turns?: number;
}

export interface ConversationParams {
  /** Limits: 1…64 characters. */
  conversation: string;
}

/** Any number of times: the next piece of the answer. A citation never comes in two pieces. */
export interface DeltaEvent {
  kind: "delta";
  text: string;
}

export interface DoctorResult {
  /** @default [] */
  checks?: Check[];
}

/** Texts for the embedding model that searches use. */
export interface EmbedParams {
  /** Limits: 1…100 items. */
  texts: string[];
  /**
   * Models tell what is searched from what is searched for.
   * @default "passage"
   */
  kind?: "passage" | "query";
}

export interface EmbedResult {
  /** One of length 1 for each text, in their order; all zeros for a text without a word. */
  vectors: number[][];
  provider: string;
  model: string;
  dimensions: number;
}

/** No parameters, or nothing to say. */
export type Empty = Record<string, never>;

/** Measures how well a workspace's code is found, with questions made of its documentation and history. */
export interface EvaluateParams {
  /** A folder that is a workspace, or lies in one; the workspace is measured as a whole. */
  path: string;
  /**
   * At most so many, the same ones each time. Limits: 10…2000.
   * @default 300
   */
  questions?: number;
  /**
   * Progress goes here as LSP work-done progress.
   * @default null
   */
  workDoneToken?: string | number | null;
}

export interface EvaluateResult {
  root: string;
  total: QuestionGroup;
  /**
   * `definitions`: first sentences of docstrings and doc comments, which must find their definitions
   * with no documentation in the index; `commits`: messages, which must find the files that were
   * changed.
   * @default []
   */
  sources?: QuestionGroup[];
  /**
   * The most frequent first.
   * @default []
   */
  languages?: QuestionGroup[];
  /**
   * Where hybrid search does worst, of folders with five questions and more; the worst first.
   * @default []
   */
  folders?: QuestionGroup[];
  /** @default [] */
  advice?: Advice[];
  /** @default [] */
  asked?: AskedQuestion[];
  /** @default [] */
  notices?: string[];
  /** @default 0.0 */
  elapsedSeconds?: number;
}

export interface ExportParams {
  /** Limits: 1…64 characters. */
  conversation: string;
  /** @default "markdown" */
  format?: "json" | "markdown";
}

export interface ExportResult {
  text: string;
}

export interface FileStatus {
  /** A folder that was skipped as a whole ends in `/`. */
  path: string;
  status: "failed" | "indexed" | "skipped";
  /** @default "" */
  reason?: string;
  /** @default "" */
  language?: string;
  /** @default 0 */
  chunks?: number;
  /** @default 0 */
  sizeBytes?: number;
}

export interface FilesParams {
  path: string;
  /** @default false */
  skippedOnly?: boolean;
  /**
   * Limits: from 0.
   * @default 0
   */
  offset?: number;
  /**
   * Limits: 1…10000.
   * @default 1000
   */
  limit?: number;
}

export interface FilesResult {
  /** @default [] */
  files?: FileStatus[];
  /** @default 0 */
  total?: number;
}

export interface FollowParams {
  /** Limits: 1…64 characters. */
  conversation: string;
  /**
   * false ends it.
   * @default true
   */
  follow?: boolean;
}

export interface ForkParams {
  /** Limits: 1…64 characters. */
  conversation: string;
  /**
   * The last turn to take over; null for all. Limits: from 0.
   * @default null
   */
  turn?: number | null;
  /**
   * null for that of the conversation. Limits: up to 200 characters.
   * @default null
   */
  title?: string | null;
}

/** Opens a session for `lucastra/*` methods; the first message of relays and shell clients. */
export interface HelloParams {
  clientName: string;
  clientVersion: string;
  protocolVersion: number;
  /**
   * The token of the daemon's run folder; needed on TCP only.
   * @default null
   */
  token?: string | null;
}

export interface HelloResult {
  daemonVersion: string;
  protocolVersion: number;
  pid: number;
  uptimeSeconds: number;
  home: string;
}

export interface HistoryParams {
  /** Limits: 1…64 characters. */
  conversation: string;
  /**
   * Turns with higher numbers only. Limits: from 0.
   * @default 0
   */
  after?: number;
  /**
   * Limits: 1…1000.
   * @default 100
   */
  limit?: number;
}

export interface HistoryResult {
  conversation: Conversation;
  /** @default [] */
  turns?: Turn[];
}

/** One passage found. */
export interface Hit {
  uri: string;
  /** Relative to `workspace`, with forward slashes. */
  path: string;
  /** Absolute path of the workspace's root. */
  workspace: string;
  range: Range;
  content: string;
  /** Comparable within one result only; higher is better. */
  score: number;
  language: string;
  /** @default "" */
  symbol?: string;
  /** @default "" */
  kind?: string;
  /**
   * What the score is made of; filled when `explain` was set.
   * @default {}
   */
  components?: Record<string, number>;
  /**
   * The passage stands in a document that an editor has open and has not saved; `range` and `content`
   * are of that document, and the file holds another text there, or none.
   * @default false
   */
  unsaved?: boolean;
}

/** Adds a folder as a workspace (or names one that is) and brings its index up to date. */
export interface IndexParams {
  path: string;
  /**
   * Reply once everything known is searchable; else reply at once.
   * @default true
   */
  wait?: boolean;
  /**
   * Progress goes here as LSP work-done progress, with `percentage` where it is known.
   * @default null
   */
  workDoneToken?: string | number | null;
}

export interface IndexResult {
  workspace: WorkspaceStatus;
  /** @default 0 */
  indexedFiles?: number;
  /** @default 0 */
  embeddedChunks?: number;
  /** @default 0.0 */
  elapsedSeconds?: number;
}

export interface ListParams {
  /**
   * Limits: from 0.
   * @default 0
   */
  offset?: number;
  /**
   * Limits: 1…1000.
   * @default 100
   */
  limit?: number;
}

/** Conversations, the one that was used last first. */
export interface ListResult {
  /** @default [] */
  conversations?: Conversation[];
  /** @default 0 */
  total?: number;
  /** @default [] */
  notices?: string[];
}

/** How well one mode answers some questions: means from 0 to 1, with their standard errors. */
export interface ModeScore {
  mode: "hybrid" | "keyword" | "vector";
  /** MRR@10. */
  mrr: number;
  mrrError: number;
  /** NDCG@10. */
  ndcg: number;
  ndcgError: number;
  /** Share of the questions with an answer among ten hits. */
  recall: number;
  recallError: number;
  /** The same, where another passage of an answer's file counts too. */
  files: number;
}

export interface ModelInfo {
  provider: string;
  id: string;
  /**
   * Tokens of prompt and answer together, where the provider says.
   * @default null
   */
  contextTokens?: number | null;
}

export interface ModelStatus {
  provider: string;
  model: string;
  dimensions: number;
}

export interface ModelsParams {
  /**
   * Of this provider only; null for every configured one. Limits: 1…256 characters.
   * @default null
   */
  provider?: string | null;
}

export interface ModelsResult {
  /** @default [] */
  models?: ModelInfo[];
  /**
   * Why a provider's models could not be listed.
   * @default []
   */
  problems?: string[];
}

/** First, where passages were looked for: what the answer will be written from. */
export interface PassagesEvent {
  kind: "passages";
  /** @default [] */
  citations?: Citation[];
  /** @default "fresh" */
  freshness?: "fresh" | "pending" | "stale";
  /** @default [] */
  notices?: string[];
}

/** An LSP position: 0-based line and character (in the session's position encoding). */
export interface Position {
  /** Limits: from 0. */
  line: number;
  /** Limits: from 0. */
  character: number;
}

export interface ProviderCapabilities {
  /** @default false */
  embed?: boolean;
  /** @default false */
  fillInTheMiddle?: boolean;
  /**
   * Whether its own tokenizer counts.
   * @default false
   */
  countTokens?: boolean;
  /**
   * Whether it runs on this machine, so that no text leaves it.
   * @default false
   */
  local?: boolean;
}

export interface ProviderHealth {
  ok: boolean;
  detail: string;
}

export interface ProviderInfo {
  /** What `provider` of other methods takes. */
  name: string;
  kind: string;
  /**
   * Whether the configuration names it; others can be used when they are named.
   * @default false
   */
  configured?: boolean;
  /** @default false */
  default?: boolean;
  /**
   * Scheme, host and port that requests go to.
   * @default null
   */
  origin?: string | null;
  /**
   * The model of a request that names none; null where the server decides.
   * @default null
   */
  model?: string | null;
  /** @default null */
  capabilities?: ProviderCapabilities | null;
  /**
   * Filled when `check` was set.
   * @default null
   */
  health?: ProviderHealth | null;
  /**
   * Why it cannot be used, such as a key that is missing.
   * @default ""
   */
  problem?: string;
}

export interface ProvidersParams {
  /**
   * Ask each whether it would answer now; else nothing is sent anywhere.
   * @default false
   */
  check?: boolean;
}

export interface ProvidersResult {
  /** @default [] */
  providers?: ProviderInfo[];
}

/** Questions of one kind, and how each mode answers them. */
export interface QuestionGroup {
  name: string;
  questions: number;
  /** Keyword, vector, hybrid. */
  modes: ModeScore[];
  /**
   * Semantic relevance against the keyword baseline: NDCG@10 of hybrid over that of keyword search; null
   * where keyword search finds nothing.
   * @default null
   */
  relevance?: number | null;
  /**
   * Share of `answered` where hybrid search is not worse than keyword search; null where nothing is
   * answered.
   * @default null
   */
  atLeastAsGood?: number | null;
  /**
   * Questions that hybrid or keyword search finds an answer to.
   * @default 0
   */
  answered?: number;
}

/** An LSP range; `end` is exclusive, so a span of whole lines ends at column 0 of the next line. */
export interface Range {
  start: Position;
  end: Position;
}

/** Lines of a file that is indexed; of no other file. */
export interface ReadParams {
  /** An absolute path or file URI. */
  path: string;
  /**
   * The first line, 0-based. Limits: from 0.
   * @default 0
   */
  line?: number;
  /**
   * Lines at most. Limits: 1…1000000.
   * @default 1000
   */
  limit?: number;
}

/** What the file holds on disk now, decoded as it is for the index. */
export interface ReadResult {
  uri: string;
  /** Relative to `workspace`, with forward slashes. */
  path: string;
  workspace: string;
  /** Whole lines; empty where the file has none from `line` on. */
  range: Range;
  content: string;
  /** Lines of the whole file. */
  totalLines: number;
}

/** More like the passage at a place. */
export interface RelatedParams {
  /** An absolute path or file URI. */
  path: string;
  /**
   * 0-based. Limits: from 0.
   * @default 0
   */
  line?: number;
  /**
   * null for `search.limit` of the configuration, which is 10. Limits: 1…100.
   * @default null
   */
  limit?: number | null;
  /** @default [] */
  workspaces?: string[];
  /** @default [] */
  paths?: string[];
  /** @default [] */
  languages?: string[];
  /** @default false */
  explain?: boolean;
}

export interface RemoveResult {
  root: string;
}

export interface RenameParams {
  /** Limits: 1…64 characters. */
  conversation: string;
  /** Limits: 1…200 characters. */
  title: string;
}

export interface SearchParams {
  /** A question, a phrase or an identifier. Limits: 1…4096 characters. */
  query: string;
  /** @default "hybrid" */
  mode?: "hybrid" | "keyword" | "vector";
  /**
   * null for `search.limit` of the configuration, which is 10. Limits: 1…100.
   * @default null
   */
  limit?: number | null;
  /**
   * Folders (paths or file URIs) to search; empty: every workspace. A folder inside a workspace
   * restricts the search to that folder.
   * @default []
   */
  workspaces?: string[];
  /**
   * Glob patterns in gitignore syntax, relative to the workspace; `!` excludes.
   * @default []
   */
  paths?: string[];
  /** @default [] */
  languages?: string[];
  /** @default false */
  explain?: boolean;
}

export interface SearchResult {
  /** @default [] */
  hits?: Hit[];
  /**
   * `fresh`: every known change is indexed; `stale`: changes wait to be, or may have been missed;
   * `pending`: some passages have no embedding yet, so they are found by keyword only.
   * @default "fresh"
   */
  freshness?: "fresh" | "pending" | "stale";
  /** @default 0.0 */
  elapsedMs?: number;
  /** @default [] */
  notices?: string[];
}

/**
 * A question within a conversation. One is answered at a time; another meanwhile is
 * `CONVERSATION_BUSY`.
 */
export interface SendParams {
  /** Limits: 1…64 characters. */
  conversation: string;
  /** Limits: 1…1000000 characters. */
  text: string;
  /**
   * Answer from passages of the workspaces, and cite them; false asks the model alone.
   * @default true
   */
  retrieve?: boolean;
  /**
   * `NAME` or `NAME/MODEL`, for this turn; null for the configured one. Limits: 1…256 characters.
   * @default null
   */
  provider?: string | null;
  /**
   * Limits: 1…100.
   * @default null
   */
  limit?: number | null;
  /** @default [] */
  workspaces?: string[];
  /** @default [] */
  paths?: string[];
  /** @default [] */
  languages?: string[];
  /** @default null */
  partialResultToken?: string | number | null;
}

export interface SendResult {
  turn: Turn;
  /**
   * What the answer cites; without a provider, all passages.
   * @default []
   */
  citations?: Citation[];
  /**
   * Passages that the model was given and did not cite.
   * @default []
   */
  uncited?: Citation[];
  /** @default "fresh" */
  freshness?: "fresh" | "pending" | "stale";
  /** @default [] */
  notices?: string[];
}

/** A place that an answer cites, as its file had it when the answer was written. */
export interface Source {
  number: number;
  uri: string;
  /** Relative to `workspace`, with forward slashes. */
  path: string;
  workspace: string;
  range: Range;
  /** @default "" */
  language?: string;
  /** @default "" */
  symbol?: string;
  /** @default "" */
  kind?: string;
}

export interface StartParams {
  /**
   * Without one, the first question gives it. Limits: up to 200 characters.
   * @default ""
   */
  title?: string;
  /**
   * What the model is to heed in every answer. Limits: up to 100000 characters.
   * @default ""
   */
  system?: string;
}

export interface StatusResult {
  daemonVersion: string;
  pid: number;
  uptimeSeconds: number;
  home: string;
  memoryBytes: number;
  clients: number;
  embeddings: ModelStatus;
  /**
   * The language-model provider that answers `ask`; null when none is configured.
   * @default null
   */
  provider?: string | null;
  /** @default [] */
  workspaces?: WorkspaceStatus[];
  /**
   * The last counted first. Kept on this machine only, without any text.
   * @default []
   */
  completions?: CompletionCount[];
  /** @default [] */
  problems?: string[];
}

/** Tokens that a request took; null where the provider does not say. */
export interface TokenUsage {
  /** @default null */
  inputTokens?: number | null;
  /** @default null */
  outputTokens?: number | null;
}

/** A question and its answer. Times are Unix times. */
export interface Turn {
  /** From 1, without gaps. */
  number: number;
  question: string;
  startedAt: number;
  /** @default "" */
  answer?: string;
  /**
   * `running`: `answer` is what was kept of it so far, at most a quarter of a second old; `partial`: it
   * broke off, and `problem` says why.
   * @default "complete"
   */
  state?: "complete" | "partial" | "running";
  /** @default null */
  finishedAt?: number | null;
  /**
   * Whether passages were looked for.
   * @default false
   */
  retrieved?: boolean;
  /**
   * false where the answer is that the workspace does not hold one.
   * @default true
   */
  found?: boolean;
  /**
   * Who answered; null where no model did.
   * @default null
   */
  provider?: string | null;
  /** @default null */
  model?: string | null;
  /** @default null */
  finish?: "filtered" | "length" | "stop" | null;
  /** @default {} */
  usage?: TokenUsage;
  /** @default [] */
  sources?: Source[];
  /**
   * Earlier turns, oldest first, that the prompt had no room for.
   * @default 0
   */
  leftOut?: number;
  /** @default "" */
  problem?: string;
}

/** Last, where a model answered: who it was, and what it took. */
export interface UsageEvent {
  kind: "usage";
  provider: string;
  model: string;
  /** @default "stop" */
  finish?: "filtered" | "length" | "stop";
  /** @default {} */
  usage?: TokenUsage;
}

export interface WorkspaceParams {
  path: string;
}

export interface WorkspaceStatus {
  root: string;
  state: "embedding" | "failed" | "indexing" | "missing" | "ready" | "scanning";
  freshness: "fresh" | "pending" | "stale";
  /** @default 0 */
  files?: number;
  /** @default 0 */
  chunks?: number;
  /**
   * Chunks that have a vector.
   * @default 0
   */
  embedded?: number;
  /** @default 0 */
  skipped?: number;
  /**
   * Changed files that are known and not yet indexed.
   * @default 0
   */
  queued?: number;
  /**
   * Files by language.
   * @default {}
   */
  languages?: Record<string, number>;
  /** @default "off" */
  watch?: "events" | "off" | "polling";
  /**
   * Unix time of the last commit.
   * @default null
   */
  lastIndexedAt?: number | null;
  /**
   * How long the last full indexing took.
   * @default null
   */
  indexSeconds?: number | null;
  /** @default 0 */
  storeBytes?: number;
  /** @default [] */
  problems?: string[];
  /**
   * What goes on and is as it should be, such as vectors of another model that are being built.
   * @default []
   */
  notices?: string[];
}

export interface WorkspacesResult {
  /** @default [] */
  workspaces?: WorkspaceStatus[];
}

/**
 * Every request that the daemon answers. `events` is what it sends as the value of `$/progress` to the
 * request's `partialResultToken`.
 */
export interface Methods {
  /** Open a session; versions are compared first. Errors: `INVALID_PARAMS`, `NOT_AUTHORISED`. */
  "lucastra/hello": {
    params: HelloParams;
    result: HelloResult;
    events: never;
  };
  /**
   * Find passages by meaning, by keyword or both. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`,
   * `STORE_UNAVAILABLE`.
   */
  "lucastra/search": {
    params: SearchParams;
    result: SearchResult;
    events: never;
  };
  /**
   * Find passages like the one at a place. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`,
   * `STORE_UNAVAILABLE`.
   */
  "lucastra/related": {
    params: RelatedParams;
    result: SearchResult;
    events: never;
  };
  /**
   * Answer a question with citations. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`,
   * `STORE_UNAVAILABLE`, `CONFIG_INVALID`, `PROVIDER_FAILED`.
   */
  "lucastra/ask": {
    params: AskParams;
    result: AskResult;
    events: PassagesEvent | DeltaEvent | UsageEvent;
  };
  /**
   * Add a workspace, or bring one up to date. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`,
   * `STORE_UNAVAILABLE`.
   */
  "lucastra/index": {
    params: IndexParams;
    result: IndexResult;
    events: never;
  };
  /** List the workspaces. */
  "lucastra/workspaces": {
    params: Empty;
    result: WorkspacesResult;
    events: never;
  };
  /** Forget a workspace. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`, `STORE_UNAVAILABLE`. */
  "lucastra/removeWorkspace": {
    params: WorkspaceParams;
    result: RemoveResult;
    events: never;
  };
  /**
   * List files, and why some were skipped. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`,
   * `STORE_UNAVAILABLE`.
   */
  "lucastra/files": {
    params: FilesParams;
    result: FilesResult;
    events: never;
  };
  /** Read lines of an indexed file. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`, `STORE_UNAVAILABLE`. */
  "lucastra/read": {
    params: ReadParams;
    result: ReadResult;
    events: never;
  };
  /**
   * Measure how well a workspace's code is found. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`,
   * `STORE_UNAVAILABLE`, `REQUEST_FAILED`.
   */
  "lucastra/evaluate": {
    params: EvaluateParams;
    result: EvaluateResult;
    events: never;
  };
  /** The daemon's state. */
  "lucastra/status": {
    params: Empty;
    result: StatusResult;
    events: never;
  };
  /** The effective configuration and its origins. Errors: `INVALID_PARAMS`. */
  "lucastra/config": {
    params: ConfigParams;
    result: ConfigResult;
    events: never;
  };
  /** Check the installation, the store and the models. */
  "lucastra/doctor": {
    params: Empty;
    result: DoctorResult;
    events: never;
  };
  /** Stop the daemon cleanly. */
  "lucastra/stop": {
    params: Empty;
    result: Empty;
    events: never;
  };
  /** Begin a conversation. Errors: `INVALID_PARAMS`, `STORE_UNAVAILABLE`. */
  "lucastra/conversation/start": {
    params: StartParams;
    result: Conversation;
    events: never;
  };
  /**
   * Ask within a conversation. Errors: `INVALID_PARAMS`, `WORKSPACE_NOT_FOUND`, `STORE_UNAVAILABLE`,
   * `CONFIG_INVALID`, `PROVIDER_FAILED`, `CONVERSATION_NOT_FOUND`, `CONVERSATION_BUSY`.
   */
  "lucastra/conversation/send": {
    params: SendParams;
    result: SendResult;
    events: PassagesEvent | DeltaEvent | UsageEvent;
  };
  /** A conversation's turns. Errors: `INVALID_PARAMS`, `STORE_UNAVAILABLE`, `CONVERSATION_NOT_FOUND`. */
  "lucastra/conversation/history": {
    params: HistoryParams;
    result: HistoryResult;
    events: never;
  };
  /** List the conversations. Errors: `INVALID_PARAMS`, `STORE_UNAVAILABLE`. */
  "lucastra/conversation/list": {
    params: ListParams;
    result: ListResult;
    events: never;
  };
  /**
   * Give a conversation another title. Errors: `INVALID_PARAMS`, `STORE_UNAVAILABLE`,
   * `CONVERSATION_NOT_FOUND`.
   */
  "lucastra/conversation/rename": {
    params: RenameParams;
    result: Conversation;
    events: never;
  };
  /**
   * Delete a conversation. Errors: `INVALID_PARAMS`, `STORE_UNAVAILABLE`, `CONVERSATION_NOT_FOUND`,
   * `CONVERSATION_BUSY`.
   */
  "lucastra/conversation/delete": {
    params: ConversationParams;
    result: Empty;
    events: never;
  };
  /**
   * Go on from a turn in a new conversation. Errors: `INVALID_PARAMS`, `STORE_UNAVAILABLE`,
   * `CONVERSATION_NOT_FOUND`.
   */
  "lucastra/conversation/fork": {
    params: ForkParams;
    result: Conversation;
    events: never;
  };
  /**
   * A whole conversation as Markdown or JSON. Errors: `INVALID_PARAMS`, `STORE_UNAVAILABLE`,
   * `CONVERSATION_NOT_FOUND`.
   */
  "lucastra/conversation/export": {
    params: ExportParams;
    result: ExportResult;
    events: never;
  };
  /**
   * Be told of a conversation's changes, or no longer. Errors: `INVALID_PARAMS`, `STORE_UNAVAILABLE`,
   * `CONVERSATION_NOT_FOUND`.
   */
  "lucastra/conversation/follow": {
    params: FollowParams;
    result: Empty;
    events: never;
  };
  /** One prompt to a model. Errors: `INVALID_PARAMS`, `CONFIG_INVALID`, `PROVIDER_FAILED`. */
  "lucastra/complete": {
    params: CompleteParams;
    result: CompleteResult;
    events: DeltaEvent | UsageEvent;
  };
  /** Vectors of texts. Errors: `INVALID_PARAMS`, `PROVIDER_FAILED`, `SPACE_MISMATCH`, `REQUEST_FAILED`. */
  "lucastra/embed": {
    params: EmbedParams;
    result: EmbedResult;
    events: never;
  };
  /** List the models of the providers. Errors: `INVALID_PARAMS`, `CONFIG_INVALID`, `PROVIDER_FAILED`. */
  "lucastra/models": {
    params: ModelsParams;
    result: ModelsResult;
    events: never;
  };
  /** List the providers, and ask how they are. Errors: `INVALID_PARAMS`. */
  "lucastra/providers": {
    params: ProvidersParams;
    result: ProvidersResult;
    events: never;
  };
}
export type Method = keyof Methods;

/** Every notification that the daemon sends unasked, and its params. */
export interface Notifications {
  /** News of a conversation that the session follows. */
  "lucastra/conversationChanged": ConversationChangedParams;
}
export type Notification = keyof Notifications;

/** Every notification that the daemon takes, and its params. */
export interface ClientNotifications {
  /** An inline completion was shown to the user. */
  "lucastra/completion/didShow": CompletionShownParams;
  /** An inline completion was accepted; in place of the item's `command`, or beside it. */
  "lucastra/completion/accepted": CompletionAcceptedParams;
}
export type ClientNotification = keyof ClientNotifications;
