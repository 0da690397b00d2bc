import { describe, expect, it, vi } from "vitest";
import type { Conversation, Methods, Turn } from "../protocol";
import { citations } from "../webview/samples";
import { ChatSession, STOPPED } from "./session";

type Event = Methods["lucastra/conversation/send"]["events"];

const CONVERSATION: Conversation = { id: "c1", title: "", createdAt: 1, updatedAt: 1 };
const turn = (number: number, change: Partial<Turn> = {}): Turn => ({
  number,
  question: "why?",
  startedAt: 1,
  ...change,
});

/** A daemon that is told what it answers with. */
class ScriptedDaemon {
  readonly requests: [method: string, params: Record<string, unknown>][] = [];
  readonly answers: Record<string, unknown> = {
    "lucastra/conversation/start": CONVERSATION,
    "lucastra/conversation/follow": {},
    "lucastra/conversation/history": { conversation: { ...CONVERSATION, title: "Why" }, turns: [] },
  };
  readonly remembered = vi.fn();
  emit: (event: Event) => void = () => {};
  reply: (result: Methods["lucastra/conversation/send"]["result"]) => void = () => {};
  refuse: (error: Error) => void = () => {};

  async request(method: string, params: unknown): Promise<never> {
    this.requests.push([method, params as Record<string, unknown>]);
    const answer = this.answers[method];
    if (answer instanceof Error) {
      throw answer;
    }
    return answer as never;
  }

  stream(method: string, params: unknown, onEvent: (event: never) => void, signal: AbortSignal): Promise<never> {
    this.requests.push([method, params as Record<string, unknown>]);
    this.emit = onEvent as never;
    return new Promise((resolve, reject) => {
      this.reply = resolve as never;
      this.refuse = reject;
      signal.addEventListener("abort", () => reject(coded("cancelled", -32800)));
    });
  }

  sent(): Record<string, unknown>[] {
    return this.requests.filter(([method]) => method === "lucastra/conversation/send").map(([, params]) => params);
  }
}

function coded(message: string, code: number, data?: unknown): Error {
  return Object.assign(new Error(message), { code, data });
}

function chat(): { daemon: ScriptedDaemon; session: ChatSession } {
  const daemon = new ScriptedDaemon();
  const session = new ChatSession(
    {
      request: daemon.request.bind(daemon),
      stream: daemon.stream.bind(daemon) as never,
      folders: () => ["/w"],
      remember: daemon.remembered,
    },
    null,
  );
  return { daemon, session };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** A chat whose first question has been asked. */
async function asked(
  question = "why?",
): Promise<{ daemon: ScriptedDaemon; session: ChatSession; ending: Promise<void> }> {
  const { daemon, session } = chat();
  const ending = session.ask(question);
  await settled();
  return { daemon, session, ending };
}

describe("a question", () => {
  it("begins a conversation, follows it, and is sent to it", async () => {
    const { daemon, session } = await asked();
    expect(daemon.requests.map(([method]) => method)).toEqual([
      "lucastra/conversation/start",
      "lucastra/conversation/follow",
      "lucastra/conversation/send",
    ]);
    expect(daemon.sent()[0]).toMatchObject({
      conversation: "c1",
      text: "why?",
      retrieve: true,
      provider: null,
      workspaces: ["/w"],
    });
    expect(session.state.turns).toMatchObject([{ question: "why?", phase: "retrieving", answer: "" }]);
    expect(daemon.remembered).toHaveBeenCalledWith("c1", null);
  });

  it("shows its passages before the first word, then the words as they come", async () => {
    const { daemon, session, ending } = await asked();
    daemon.emit({ kind: "passages", citations: citations("a.py", "b.py"), freshness: "stale" });
    expect(session.state.turns[0]).toMatchObject({ phase: "writing", answer: "", freshness: "stale" });
    expect(session.state.turns[0]?.passages.map((one) => one.path)).toEqual(["a.py", "b.py"]);
    daemon.emit({ kind: "delta", text: "It " });
    daemon.emit({ kind: "delta", text: "runs [1]." });
    expect(session.state.turns[0]?.answer).toBe("It runs [1].");
    const [first, second] = citations("a.py", "b.py");
    daemon.reply({
      turn: turn(1, { answer: "It runs [1].", provider: "llm", model: "m", usage: { outputTokens: 9 } }),
      citations: first ? [first] : [],
      uncited: second ? [second] : [],
    });
    await ending;
    expect(session.state.turns).toMatchObject([{ number: 1, phase: "complete", answeredBy: "llm/m", tokens: 9 }]);
    expect(session.passage(session.state.turns[0]?.key ?? 0, 2)?.path).toBe("b.py");
    expect(session.state.conversation?.title).toBe("Why");
  });

  it("shows the passages, and says why, where no model is configured", async () => {
    const { daemon, session, ending } = await asked();
    daemon.reply({ turn: turn(1), citations: citations("a.py"), notices: ["no language model is configured"] });
    await ending;
    expect(session.state.turns).toMatchObject([
      {
        phase: "complete",
        answer: "",
        answeredBy: "",
        notices: ["no language model is configured"],
        passages: [{ path: "a.py" }],
      },
    ]);
  });

  it("is asked of the model that is chosen, with what is attached, once", async () => {
    const { daemon, session } = chat();
    session.choose("local/qwen");
    session.retrieve(false);
    session.attach({ label: "a.py:1", language: "python", text: "x = 1" });
    void session.ask("what is it?");
    await settled();
    void session.ask("and while that runs?");
    await settled();
    expect(daemon.sent()).toMatchObject([
      { provider: "local/qwen", retrieve: false, text: "what is it?\n\n`a.py:1`:\n\n```python\nx = 1\n```" },
    ]);
    expect(session.state.attachments).toEqual([]);
  });
});

describe("an answer that does not end well", () => {
  it("keeps what had arrived when it is stopped", async () => {
    const { daemon, session, ending } = await asked();
    daemon.emit({ kind: "delta", text: "It" });
    session.stop();
    await ending;
    expect(session.state.turns).toMatchObject([
      { phase: "partial", answer: "It", failure: { message: STOPPED, cures: ["retry"] } },
    ]);
  });

  it("keeps what had arrived when the provider fails, with the cure", async () => {
    const { daemon, session, ending } = await asked();
    daemon.refuse(coded("llm: the key was refused; set llm.api_key", -33009, { partialText: "It" }));
    await ending;
    expect(session.state.turns).toMatchObject([
      {
        phase: "partial",
        answer: "It",
        failure: { message: "Llm: the key was refused; set llm.api_key", cures: ["retry", "configure"] },
      },
    ]);
  });

  it("can be asked for again, as a new turn", async () => {
    const { daemon, session, ending } = await asked();
    daemon.refuse(coded("busy", -33009));
    await ending;
    void session.retry(session.state.turns[0]?.key ?? 0);
    await settled();
    expect(daemon.sent().map((params) => params["text"])).toEqual(["why?", "why?"]);
    expect(session.state.turns.map((one) => one.phase)).toEqual(["partial", "retrieving"]);
  });
});

describe("a conversation", () => {
  it("is opened with its turns; one that broke off is marked", async () => {
    const { daemon, session } = chat();
    const turns = [turn(1, { answer: "So." }), turn(2, { answer: "It", state: "partial", problem: "cancelled" })];
    daemon.answers["lucastra/conversation/history"] = { conversation: { ...CONVERSATION, title: "Why" }, turns };
    await session.open("c1");
    expect(session.state.conversation).toEqual({ id: "c1", title: "Why" });
    expect(session.state.turns).toMatchObject([
      { answer: "So.", phase: "complete", failure: null },
      { answer: "It", phase: "partial", failure: { message: "cancelled" } },
    ]);
  });

  it("that another is opened in place of takes nothing more in", async () => {
    const { daemon, session, ending } = await asked();
    session.clear();
    daemon.emit({ kind: "delta", text: "late" });
    await ending;
    expect(session.state).toMatchObject({ conversation: null, turns: [] });
  });

  it("that is left while an answer is written in it stops that answer at once, also where the next cannot be read", async () => {
    const { daemon, session, ending } = await asked();
    daemon.emit({ kind: "delta", text: "It" });
    daemon.answers["lucastra/conversation/history"] = coded("the disk cannot be read", -33003);
    const opening = session.open("c2");
    expect(session.state.turns).toMatchObject([{ answer: "It", phase: "partial", failure: { message: STOPPED } }]);
    daemon.emit({ kind: "delta", text: " runs" });
    await Promise.all([opening, ending]);
    expect(session.state.turns).toMatchObject([{ answer: "It", phase: "partial" }]);
    expect(session.state.failure?.message).toBe("The disk cannot be read");
  });

  it("that is being opened gets the question that is asked meanwhile, and the one before it nothing", async () => {
    const { daemon, session, ending } = await asked();
    daemon.answers["lucastra/conversation/history"] = { conversation: { ...CONVERSATION, id: "c2" }, turns: [turn(1)] };
    void session.open("c2");
    void session.ask("and here?");
    await ending;
    await settled();
    expect(daemon.sent()).toMatchObject([
      { conversation: "c1", text: "why?" },
      { conversation: "c2", text: "and here?" },
    ]);
    expect(session.state.turns.map((one) => one.question)).toEqual(["why?", "and here?"]);
    daemon.emit({ kind: "delta", text: "Here." });
    expect(session.state.turns[1]).toMatchObject({ answer: "Here.", phase: "writing" });
  });

  it.each(["ask", "retry"] as const)(
    "that is opened last gets what it is told to %s while two are opened",
    async (how) => {
      const { daemon, session } = chat();
      const turns = [turn(1, { state: "partial" })];
      daemon.answers["lucastra/conversation/history"] = { conversation: CONVERSATION, turns };
      await session.open("c1");
      const openLater = (id: string): (() => void) => {
        let show = (): void => {};
        daemon.answers["lucastra/conversation/history"] = new Promise((resolve) => {
          show = () => resolve({ conversation: { ...CONVERSATION, id }, turns });
        });
        void session.open(id);
        return show;
      };
      const showFirst = openLater("c2");
      await settled();
      void (how === "ask" ? session.ask("and here?") : session.retry(2));
      const showSecond = openLater("c3");
      await settled();
      showFirst();
      await settled();
      expect(daemon.sent()).toEqual([]);
      showSecond();
      await settled();
      expect(daemon.sent()).toMatchObject([{ conversation: "c3", text: how === "ask" ? "and here?" : "why?" }]);
    },
  );

  it("that could not be shown keeps no later question waiting", async () => {
    const { daemon, session } = chat();
    daemon.remembered.mockImplementationOnce(() => {
      throw new Error("the window's storage is closed");
    });
    daemon.answers["lucastra/conversation/history"] = coded("there is no such conversation", -33010);
    const opening = session.open("c2");
    const asking = session.ask("why?");
    await expect(opening).rejects.toThrow("storage is closed");
    await settled();
    expect(daemon.sent()).toMatchObject([{ conversation: "c1", text: "why?" }]);
    session.stop();
    await asking;
  });

  it("that was begun for a question, and left before it was asked, is not kept", async () => {
    const { daemon, session } = chat();
    const ending = session.ask("why?");
    session.clear();
    await ending;
    expect(daemon.requests.map(([method]) => method)).toEqual([
      "lucastra/conversation/start",
      "lucastra/conversation/delete",
    ]);
  });

  it("is the only one that is followed, however many were opened before it", async () => {
    const { daemon, session } = chat();
    for (let count = 0; count < 300; count++) {
      const conversation = { ...CONVERSATION, id: `c${count}` };
      daemon.answers["lucastra/conversation/history"] = { conversation, turns: [] };
      await session.open(conversation.id);
    }
    const followed = new Set<unknown>();
    for (const [method, params] of daemon.requests) {
      if (method.endsWith("follow") && params["follow"] === false) {
        followed.delete(params["conversation"]);
      } else if (method.endsWith("follow")) {
        followed.add(params["conversation"]);
        expect(followed.size).toBe(1);
      }
    }
    expect([...followed]).toEqual(["c299"]);
  });

  it("that is gone gives way to a new one", async () => {
    const { daemon, session } = chat();
    daemon.answers["lucastra/conversation/history"] = coded("there is no such conversation", -33010);
    await session.open("c1");
    expect(session.state).toMatchObject({ conversation: null, failure: null });
    expect(daemon.remembered).toHaveBeenCalledWith(undefined, null);
  });

  it("is read again when another window has asked in it, and keeps what this window knows", async () => {
    const { daemon, session, ending } = await asked();
    daemon.reply({ turn: turn(1, { answer: "So." }), uncited: citations("a.py") });
    await ending;
    await session.changed({ conversation: "c1", change: "turnFinished", turns: 1 });
    expect(daemon.requests.filter(([method]) => method.endsWith("history"))).toHaveLength(1);
    const turns = [turn(1, { answer: "So." }), turn(2, { state: "running" })];
    daemon.answers["lucastra/conversation/history"] = { conversation: CONVERSATION, turns };
    await session.changed({ conversation: "c1", change: "turnStarted", turns: 2 });
    expect(session.state.turns).toMatchObject([{ passages: [{ path: "a.py" }] }, { phase: "elsewhere" }]);
  });

  it("is left when it was deleted elsewhere", async () => {
    const { session, ending, daemon } = await asked();
    daemon.reply({ turn: turn(1) });
    await ending;
    await session.changed({ conversation: "c1", change: "deleted" });
    expect(session.state).toMatchObject({ conversation: null, turns: [] });
  });
});
