// The chat view's state: one conversation, and the answer that is being written. Pure; the webview mirrors it.

import type { Citation, Conversation, PassagesEvent, SendResult, Source, Turn, UsageEvent } from "../protocol";
import type { Failure } from "../webview/failure";
import type { Attachment } from "./attachments";

/** Where a turn stands. `elsewhere`: another window or a shell asked, and is being answered. */
export type Phase = "retrieving" | "writing" | "elsewhere" | "complete" | "partial";

export interface ChatTurn {
  /** Ours, and never used twice; the daemon's number comes with its reply. */
  key: number;
  number: number | null;
  question: string;
  answer: string;
  phase: Phase;
  /** What the answer is written from; of a turn of an earlier session, what it cites. */
  passages: Source[];
  freshness: "fresh" | "pending" | "stale";
  notices: string[];
  /** `PROVIDER/MODEL`; empty where no model answered. */
  answeredBy: string;
  tokens: number | null;
  failure: Failure | null;
}

export interface ChatState {
  conversation: { id: string; title: string } | null;
  turns: ChatTurn[];
  attachments: Attachment[];
  /** What the next question is asked of: `PROVIDER/MODEL`, or null for the configured one. */
  choice: string | null;
  /** What answers where nothing is chosen; null where nothing is configured. */
  configured: string | null;
  /** Whether the workspace's passages are looked for. */
  retrieve: boolean;
  failure: Failure | null;
}

export type ChatAction =
  | { type: "opened"; conversation: Conversation | null; turns: Turn[]; firstKey: number }
  | { type: "started"; conversation: Conversation }
  | { type: "renamed"; title: string }
  | { type: "asked"; key: number; question: string; retrieve: boolean }
  | { type: "passages"; key: number; event: PassagesEvent }
  | { type: "delta"; key: number; text: string }
  | { type: "usage"; key: number; event: UsageEvent }
  | { type: "answered"; key: number; result: SendResult }
  | { type: "broke"; key: number; failure: Failure; partialText: string }
  | { type: "attached"; attachment: Attachment }
  | { type: "detached"; place: number }
  | { type: "chose"; choice: string | null }
  | { type: "configured"; configured: string | null }
  | { type: "retrieving"; retrieve: boolean }
  | { type: "failed"; failure: Failure | null };

export function emptyChat(choice: string | null = null): ChatState {
  return { conversation: null, turns: [], attachments: [], choice, configured: null, retrieve: true, failure: null };
}

/** Whether a question of this window is being answered. */
export function isAnswering(state: ChatState): boolean {
  const phase = state.turns.at(-1)?.phase;
  return phase === "retrieving" || phase === "writing";
}

/** The highest number of a turn that the daemon is known to have. */
export function lastNumber(state: ChatState): number {
  return Math.max(0, ...state.turns.map((turn) => turn.number ?? 0));
}

export function reduceChat(state: ChatState, action: ChatAction): ChatState {
  switch (action.type) {
    case "opened":
      return opened(state, action);
    case "started":
      return { ...state, conversation: named(action.conversation), failure: null };
    case "renamed":
      return state.conversation === null
        ? state
        : { ...state, conversation: { ...state.conversation, title: action.title } };
    case "asked": {
      const turn = asked(action.key, action.question, action.retrieve ? "retrieving" : "writing");
      return { ...state, turns: [...state.turns, turn], attachments: [], failure: null };
    }
    case "attached":
      return { ...state, attachments: [...state.attachments, action.attachment] };
    case "detached":
      return { ...state, attachments: state.attachments.filter((_, place) => place !== action.place) };
    case "chose":
      return { ...state, choice: action.choice };
    case "configured":
      return { ...state, configured: action.configured };
    case "retrieving":
      return { ...state, retrieve: action.retrieve };
    case "failed":
      return { ...state, failure: action.failure };
    default: {
      const number = lastNumber(state) + 1;
      const turns = state.turns.map((turn) => (turn.key === action.key ? told(turn, action, number) : turn));
      return { ...state, turns };
    }
  }
}

/** A turn, once its daemon has said something; `next` is the number of a turn that broke off before it was told its own. */
function told(
  turn: ChatTurn,
  action: Extract<ChatAction, { type: "passages" | "delta" | "usage" | "answered" | "broke" }>,
  next: number,
): ChatTurn {
  switch (action.type) {
    case "passages": {
      const { citations = [], freshness = "fresh", notices = [] } = action.event;
      return { ...turn, phase: "writing", passages: citations.map(sourceOf), freshness, notices };
    }
    case "delta":
      return { ...turn, phase: "writing", answer: turn.answer + action.text };
    case "usage": {
      const { provider, model, usage } = action.event;
      return { ...turn, answeredBy: `${provider}/${model}`, tokens: usage?.outputTokens ?? null };
    }
    case "answered":
      return answered(turn, action.result);
    case "broke": {
      const answer = turn.answer === "" ? action.partialText : turn.answer;
      return { ...turn, phase: "partial", number: turn.number ?? next, answer, failure: action.failure };
    }
  }
}

function answered(turn: ChatTurn, result: SendResult): ChatTurn {
  const all = [...(result.citations ?? []), ...(result.uncited ?? [])].map(sourceOf);
  const whole = ofWire(result.turn, turn.key);
  return {
    ...whole,
    question: turn.question,
    passages: all.length > 0 ? all.sort((one, other) => one.number - other.number) : turn.passages,
    freshness: result.freshness ?? turn.freshness,
    notices: result.notices ?? [],
  };
}

/** Another conversation, or this one as the daemon has it now; turns that the window knows more about stay as they are. */
function opened(state: ChatState, action: Extract<ChatAction, { type: "opened" }>): ChatState {
  const same = action.conversation !== null && action.conversation.id === state.conversation?.id;
  const known = new Map(same ? state.turns.filter((turn) => isSettled(turn)).map((turn) => [turn.number, turn]) : []);
  return {
    ...state,
    conversation: action.conversation === null ? null : named(action.conversation),
    turns: action.turns.map((turn, place) => known.get(turn.number) ?? ofWire(turn, action.firstKey + place)),
    attachments: same ? state.attachments : [],
    failure: null,
  };
}

function isSettled(turn: ChatTurn): boolean {
  return turn.phase === "complete" || turn.phase === "partial";
}

function named(conversation: Conversation): { id: string; title: string } {
  return { id: conversation.id, title: conversation.title };
}

function asked(key: number, question: string, phase: Phase): ChatTurn {
  return {
    key,
    number: null,
    question,
    answer: "",
    phase,
    passages: [],
    freshness: "fresh",
    notices: [],
    answeredBy: "",
    tokens: null,
    failure: null,
  };
}

function ofWire(turn: Turn, key: number): ChatTurn {
  const phases = { complete: "complete", partial: "partial", running: "elsewhere" } as const;
  const phase = phases[turn.state ?? "complete"];
  const left = turn.leftOut ?? 0;
  const leftOut = left > 0 ? [`the prompt had no room for the ${left} oldest ${left === 1 ? "turn" : "turns"}`] : [];
  const cut = turn.finish === "length" ? ["the answer ends where the model's tokens were used up"] : [];
  return {
    ...asked(key, turn.question, phase),
    number: turn.number,
    answer: turn.answer ?? "",
    passages: turn.sources ?? [],
    notices: [...leftOut, ...cut],
    answeredBy: turn.provider ? `${turn.provider}/${turn.model ?? ""}` : "",
    tokens: turn.usage?.outputTokens ?? null,
    failure: phase === "partial" ? { message: turn.problem || "The answer broke off.", cures: ["retry"] } : null,
  };
}

function sourceOf({ number, hit }: Citation): Source {
  const { uri, path, workspace, range, language, symbol = "", kind = "" } = hit;
  return { number, uri, path, workspace, range, language, symbol, kind };
}
