// What the chat view's two sides tell each other. Pure.

import type { Cure } from "../webview/failure";
import type { Update } from "../webview/replica";
import type { ChatAction, ChatState } from "./state";

/** From the extension; `focus` moves the keyboard to the question. */
export type ToView = Update<ChatState, ChatAction> | { type: "focus" };

/** From the webview. It names passages by their turn and number, so it can open nothing else. */
export type FromView =
  | { type: "ready" }
  | { type: "ask"; text: string }
  | { type: "stop" }
  | { type: "retry"; key: number }
  | { type: "open"; key: number; number: number; preserveFocus: boolean }
  | { type: "copy"; text: string }
  | { type: "insert"; text: string }
  | { type: "attach" }
  | { type: "detach"; place: number }
  | { type: "choose" }
  | { type: "retrieve"; retrieve: boolean }
  | { type: "cure"; cure: Cure; key: number | null };
