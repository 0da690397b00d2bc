import { h } from "preact";
import { render } from "preact-render-to-string";
import { describe, expect, it } from "vitest";
import { citations } from "../webview/samples";
import { type ChatAction, type ChatState, emptyChat, reduceChat } from "./state";
import { ChatView } from "./view";

const nothing = (): void => {};
const ASKED: ChatAction = { type: "asked", key: 1, question: "why?", retrieve: true };

function told(...actions: ChatAction[]): ChatState {
  return actions.reduce(reduceChat, emptyChat());
}

function shown(state: ChatState): string {
  return render(
    h(ChatView, {
      state,
      draft: "",
      onDraft: nothing,
      onAsk: nothing,
      onStop: nothing,
      onRetry: nothing,
      onOpen: nothing,
      onCopy: nothing,
      onInsert: nothing,
      onAttach: nothing,
      onDetach: nothing,
      onChoose: nothing,
      onRetrieve: nothing,
      onCure: nothing,
    }),
  );
}

describe("the chat view", () => {
  it("says how to get answers where no model is configured", () => {
    expect(shown(emptyChat())).toContain("No language model is configured");
    expect(shown(told({ type: "configured", configured: "ollama/llama3.2" }))).not.toContain("No language model");
  });

  it("shows the passages before the first word, and a stop button", () => {
    const html = shown(
      told(ASKED, { type: "passages", key: 1, event: { kind: "passages", citations: citations("src/a.py") } }),
    );
    expect(html).toContain("1 passage");
    expect(html).toContain("a.py:1–3");
    expect(html).toContain("Writing…");
    expect(html).toContain("Stop (Escape)");
    expect(html).not.toContain("Ask again");
  });

  it("names the folders of passages of several", () => {
    const [one, other] = citations("src/a.py", "src/b.py");
    const moved = other && { ...other, hit: { ...other.hit, workspace: "/srv/web" } };
    const event = { kind: "passages" as const, citations: one && moved ? [one, moved] : [] };
    expect(shown(told(ASKED, { type: "passages", key: 1, event }))).toMatch(/>w · src<.*>web · src</u);
  });

  it("says that the index has not caught up, also where nothing was found", () => {
    const html = shown(told(ASKED, { type: "passages", key: 1, event: { kind: "passages", freshness: "stale" } }));
    expect(html).toContain("No passages");
    expect(html).toContain("Indexing changes");
  });

  it("keeps the text of an answer that broke off, with what may cure it", () => {
    const failure = { message: "The key was refused.", cures: ["retry" as const, "configure" as const] };
    const html = shown(
      told(ASKED, { type: "delta", key: 1, text: "It r" }, { type: "broke", key: 1, failure, partialText: "" }),
    );
    expect(html).toContain("<p>It r</p>");
    expect(html).toContain("The key was refused.");
    expect(html).toContain("Try Again");
    expect(html).toContain("Open Configuration");
    expect(html).toContain("Ask (Enter)");
  });

  it("offers cures for the last turn only", () => {
    const failure = { message: "Stopped.", cures: ["retry" as const] };
    const html = shown(told(ASKED, { type: "broke", key: 1, failure, partialText: "" }, { ...ASKED, key: 2 }));
    expect(html).toContain("Stopped.");
    expect(html).not.toContain("Try Again");
  });

  it("names who answered", () => {
    const usage: ChatAction = {
      type: "usage",
      key: 1,
      event: { kind: "usage", provider: "llm", model: "qwen", usage: { outputTokens: 7 } },
    };
    const result = {
      turn: { number: 1, question: "why?", startedAt: 1, answer: "So.", provider: "llm", model: "qwen" },
    };
    expect(shown(told(ASKED, usage, { type: "answered", key: 1, result }))).toContain("llm/qwen");
  });

  it("shows what is attached to the next question, and the model that it is asked of", () => {
    const attachment = { label: "a.py:3", language: "python", text: "<b>" };
    const html = shown(told({ type: "attached", attachment }, { type: "chose", choice: "local/qwen" }));
    expect(html).toContain("a.py:3");
    expect(html).toContain("local/qwen");
  });
});
