// The extension's views play their part of the golden transcripts: what they send must be the transcript's next line,
// and what they then show is what the daemon says there.

import { afterEach, describe, expect, it } from "vitest";
import { clientOf, tokenOfSignal } from "../test/client_part";
import { DaemonPart } from "../test/daemon_part";
import { type Said, type Transcript, transcript } from "../test/transcripts";
import { ChatSession } from "./chat/session";
import type { LucAstra } from "./daemon";
import { reportOf } from "./doctor";
import type { RelatedParams, SearchParams } from "./protocol";
import { SearchSession } from "./search/session";
import type { Filters, Subject } from "./search/state";
import { describe as describeStatus } from "./status/describe";
import { mismatchOf } from "./versions";
import { failureOf } from "./webview/failure";

let daemon: DaemonPart;
let lucastra: LucAstra;

afterEach(async () => {
  await lucastra.stop();
});

/** A client that has said hello to the daemon of `lines`. */
async function connect(lines: Transcript["lines"]): Promise<void> {
  daemon = new DaemonPart(lines);
  lucastra = clientOf(daemon);
  await lucastra.restart();
}

interface Exchange {
  request: Said;
  reply: Said;
  /** The hello of the transcript, and this exchange alone. */
  lines: Transcript["lines"];
}

/** The view says how many it wants, where a transcript leaves that to the configuration. */
function withLimit({ request, reply, lines }: Exchange): Exchange {
  const whole = { ...request, params: { limit: 20, ...request.params } };
  return {
    request: whole,
    reply,
    lines: lines.map((line) => (line.message === request ? { ...line, message: whole } : line)),
  };
}

/** The requests of these methods, each with its reply. */
function exchangesOf(name: string, ...methods: string[]): Exchange[] {
  const { lines } = transcript(name);
  return lines
    .filter(({ from, message }) => from === "client" && methods.includes(message?.method ?? ""))
    .map(({ message }) => {
      const own = lines.filter((line) => line.message?.id === message?.id);
      return { request: message as Said, reply: own.at(-1)?.message as Said, lines: [...lines.slice(0, 2), ...own] };
    });
}

describe("the search view", () => {
  const exchanges = [...exchangesOf("search", "lucastra/search"), ...exchangesOf("related", "lucastra/related")];
  // The view explains nothing, and so asks for no explanation.
  const shown = exchanges.filter(({ request }) => request.params.explain !== true).map(withLimit);

  it.each(shown)("asks $request.params and shows what is found", async ({ request, reply, lines }) => {
    await connect(lines);
    const params = request.params as SearchParams & RelatedParams;
    const search = new SearchSession(
      {
        ask: (method, asked, signal) => lucastra.request(method, asked, tokenOfSignal(signal)),
        folders: () => params.workspaces ?? [],
        remember: () => {},
      },
      { mode: "hybrid", languages: "", paths: "" },
    );
    const filters: Filters = {
      mode: params.mode ?? "hybrid",
      languages: (params.languages ?? []).join(", "),
      paths: (params.paths ?? []).join(" "),
    };
    const subject: Subject =
      params.query === undefined
        ? { kind: "similar", uri: params.path, line: params.line ?? 0, label: "" }
        : { kind: "words", query: params.query };
    await search.search(subject, filters, params.limit as number);
    daemon.end();
    const { results, failure } = search.replica.state;
    if (reply.error === undefined) {
      const { hits = [], notices = [], freshness = "fresh", elapsedMs } = reply.result;
      expect(results).toMatchObject({ hits, notices, freshness, elapsedMs });
    } else {
      expect(failure).toEqual(failureOf(Object.assign(new Error(reply.error.message), reply.error)));
    }
    search.dispose();
  });

  it("has something to show in both transcripts", () => {
    expect(new Set(shown.map(({ request }) => request.method)).size).toBe(2);
  });
});

describe("the chat view", () => {
  it("begins a conversation, shows its answer, leaves it and opens it again", async () => {
    const { lines } = transcript("chat");
    await connect(lines);
    const sent = lines.find(({ message }) => message?.method === "lucastra/conversation/send")?.message as Said;
    const answered = lines.find(({ from, message }) => from === "daemon" && message?.id === sent.id)?.message as Said;
    const kept = lines.at(-1)?.message?.result;
    const chat = new ChatSession(
      {
        request: (method, params) => lucastra.request(method, params),
        stream: (method, params, onEvent, signal) => lucastra.stream(method, params, onEvent, tokenOfSignal(signal)),
        folders: () => sent.params.workspaces,
        remember: () => {},
      },
      null,
    );
    lucastra.onNotification("lucastra/conversationChanged", (params) => void chat.changed(params));

    await chat.ask(sent.params.text);
    const { answer, sources, provider, model, usage } = answered.result.turn;
    const passages = [...answered.result.citations, ...(answered.result.uncited ?? [])];
    const turn = {
      question: sent.params.text,
      answer,
      phase: "complete",
      answeredBy: `${provider}/${model}`,
      tokens: usage.outputTokens,
    };
    const shown = passages.map(({ number, hit }) => ({ number, path: hit.path, range: hit.range }));
    expect(chat.state.turns).toMatchObject([{ ...turn, passages: shown }]);
    expect(chat.state.conversation).toEqual({ id: kept.conversation.id, title: kept.conversation.title });

    chat.clear();
    expect(chat.state).toMatchObject({ conversation: null, turns: [] });
    await chat.open(kept.conversation.id);
    daemon.end();
    expect(chat.state.turns).toMatchObject([{ ...turn, number: 1, passages: sources }]);
  });
});

describe("the reports", () => {
  it("say what the daemon finds of itself, with the cures", async () => {
    const [{ reply, lines } = { reply: {}, lines: [] }] = exchangesOf("doctor", "lucastra/doctor");
    await connect(lines);
    const report = reportOf(await lucastra.request("lucastra/doctor", {}), undefined);
    for (const check of reply.result.checks) {
      expect(report).toContain(check.detail);
      expect(report).toContain(check.cure);
    }
  });

  it("say how many files are indexed", async () => {
    const [{ reply, lines } = { reply: {}, lines: [] }] = exchangesOf("status", "lucastra/status");
    await connect(lines);
    const status = await lucastra.request("lucastra/status", {});
    const [workspace] = reply.result.workspaces;
    const { lines: said } = describeStatus({
      state: lucastra.state,
      status,
      silent: false,
      folders: [workspace.root],
      completion: { enabled: true, snoozedUntil: undefined, problem: "" },
    });
    expect(said[0]).toBe(`sample: ${workspace.files} files, ${workspace.chunks} passages, up to date`);
  });
});

it("a daemon that the other protocol's client meets is understood to be of another version", () => {
  const { lines } = transcript("version-mismatch");
  const hello = lines[1]?.message?.result;
  const refusal = lines.find(({ message }) => message?.error !== undefined)?.message?.error;
  expect(mismatchOf(hello, "1.0.0")).toBeUndefined();
  expect(mismatchOf({ ...hello, protocolVersion: lines[0]?.message?.params.protocolVersion }, "1.0.0")).toMatchObject({
    outdated: "extension",
  });
  expect(failureOf(Object.assign(new Error(refusal?.message), refusal)).cures).toEqual(["restart", "logs"]);
});
