// The chat view in its webview: keeps the draft and the scroll position, and draws.

import { h, render } from "preact";
import { mirror } from "../webview/replica";
import type { FromView, ToView } from "./messages";
import { type ChatState, emptyChat, isAnswering, reduceChat } from "./state";
import { ChatView } from "./view";

interface Kept {
  draft: string;
}

declare function acquireVsCodeApi(): {
  postMessage(message: FromView): void;
  getState(): Kept | undefined;
  setState(kept: Kept): void;
};

/** Nearer to the end than this, in pixels, and the view follows the answer. */
const NEAR_END = 40;

const editor = acquireVsCodeApi();
const root = document.getElementById("root") as HTMLElement;
let state: ChatState | undefined;
let kept: Kept = editor.getState() ?? { draft: "" };
let followsEnd = true;
let isDrawing = false;

function keepDraft(draft: string): void {
  kept = { draft };
  editor.setState(kept);
  draw();
}

function ask(): void {
  if (kept.draft.trim() !== "" && state !== undefined && !isAnswering(state)) {
    editor.postMessage({ type: "ask", text: kept.draft });
    followsEnd = true;
    keepDraft("");
  }
}

/** Draw before the next frame, however many pieces of an answer arrive until then. */
function draw(): void {
  if (!isDrawing) {
    isDrawing = true;
    requestAnimationFrame(drawNow);
  }
}

function drawNow(): void {
  isDrawing = false;
  render(
    h(ChatView, {
      state: state ?? emptyChat(),
      draft: kept.draft,
      onDraft: keepDraft,
      onAsk: ask,
      onStop: () => editor.postMessage({ type: "stop" }),
      onRetry: (key) => editor.postMessage({ type: "retry", key }),
      onOpen: (key, number, preserveFocus) => editor.postMessage({ type: "open", key, number, preserveFocus }),
      onCopy: (text) => editor.postMessage({ type: "copy", text }),
      onInsert: (text) => editor.postMessage({ type: "insert", text }),
      onAttach: () => editor.postMessage({ type: "attach" }),
      onDetach: (place) => editor.postMessage({ type: "detach", place }),
      onChoose: () => editor.postMessage({ type: "choose" }),
      onRetrieve: (retrieve) => editor.postMessage({ type: "retrieve", retrieve }),
      onCure: (cure, key) => editor.postMessage({ type: "cure", cure, key }),
    }),
    root,
  );
  const turns = root.querySelector(".turns");
  if (turns !== null && followsEnd) {
    turns.scrollTop = turns.scrollHeight;
  }
}

// Captured: a scroll event of an element does not bubble.
document.addEventListener(
  "scroll",
  (event) => {
    if (event.target instanceof HTMLElement && event.target.classList.contains("turns")) {
      const { scrollHeight, scrollTop, clientHeight } = event.target;
      followsEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    }
  },
  { capture: true },
);

// The editor has moved the keyboard into the view, without saying where.
window.addEventListener("focus", () => {
  if (document.activeElement === document.body) {
    document.getElementById("question")?.focus();
  }
});

window.addEventListener("message", (event: MessageEvent<ToView>) => {
  if (event.data.type === "focus") {
    document.getElementById("question")?.focus();
    return;
  }
  state = mirror(reduceChat, state, event.data);
  draw();
});

drawNow();
editor.postMessage({ type: "ready" });
