// The client's part of a transcript, said by the extension's client; what that gives to its callers is compared.

import { isDeepStrictEqual } from "node:util";
import { CancellationTokenSource } from "vscode-jsonrpc/node";
import { LucAstra } from "../src/daemon";
import { type ClientNotification, type Method, PROTOCOL_VERSION } from "../src/protocol";
import { DaemonPart } from "./daemon_part";
import { eventsOf, type Id, type Line, type Said, tokenOf } from "./transcripts";

const NEWS = "lucastra/conversationChanged";

/** The extension's client, whose relay leads to `daemon`. */
export function clientOf(daemon: DaemonPart): LucAstra {
  const launcher = {
    find: async () => ({ path: "/bin/lucastrad", version: "1.0.0" }),
    start: async () => daemon.session,
    daemon: async () => undefined,
  };
  return new LucAstra(launcher, "1.0.0");
}

/** As `webview/cancellation` has it, by what stands beneath the language client: it does not know the mock's tokens. */
export function tokenOfSignal(signal: AbortSignal): CancellationTokenSource["token"] {
  const { token, cancel } = cancelling();
  signal.addEventListener("abort", cancel, { once: true });
  return token;
}

/** Plays a transcript; throws where the client says, or makes of what it hears, anything but what stands in `lines`. */
export async function replay(lines: readonly Line[], daemonLines = lines): Promise<void> {
  const daemon = new DaemonPart(daemonLines);
  const client = new ClientPart(lines, daemon);
  const outcome = await client.play().catch((error: Error) => error);
  await client.leave();
  if (daemon.failure !== undefined || outcome instanceof Error) {
    throw daemon.failure ?? outcome;
  }
}

interface Outcome {
  result?: unknown;
  error?: { code: number; message: string };
}

/** A request that was made, and what came of it so far. */
interface Asked {
  request: Said;
  events: unknown[];
  /** Resolves once all events have come that come in the transcript. */
  heard: Promise<void>;
  cancel(): void;
  ended: Promise<Outcome>;
}

class ClientPart {
  private readonly lucastra: LucAstra;
  private readonly asked = new Map<Id, Asked>();
  private readonly unasked: unknown[] = [];
  private isConnected = false;

  constructor(
    private readonly lines: readonly Line[],
    private readonly daemon: DaemonPart,
  ) {
    this.lucastra = clientOf(daemon);
    this.lucastra.onNotification(NEWS, (params) => this.unasked.push({ method: NEWS, params }));
    daemon.connection.onNotification((method, params) => {
      this.unasked.push({ method, params });
    });
    // Of work that the daemon has begun itself.
    daemon.connection.onUnhandledProgress((params) => this.unasked.push({ method: "$/progress", params }));
    daemon.connection.onRequest((method, params) => {
      this.unasked.push({ method, params });
      const { id } = lines.find(({ from, message }) => from === "daemon" && message?.method === method)?.message ?? {};
      return lines.find(({ from, message }) => from === "client" && message?.id === id)?.message?.result;
    });
  }

  async play(): Promise<void> {
    // Before it a session speaks as relays and editors do; from it on, as the extension does.
    const own = this.lines.findLastIndex(
      ({ message }) => message?.method === "lucastra/hello" && message.params.protocolVersion === PROTOCOL_VERSION,
    );
    for (const [place, { from, message }] of this.lines.entries()) {
      if (from === "client" && place === own) {
        await Promise.race([this.lucastra.restart(), this.daemon.session.closed]);
        this.isConnected = this.lucastra.state.kind === "ready";
        same("state", "ready", this.lucastra.state.kind);
      } else if (from === "client" && message?.method !== undefined) {
        await this.say(message, message.method);
      } else if (from === "client") {
        const before = this.lines.slice(0, place + 1).filter((line) => line.from === "client");
        await turnsUntil(() => this.daemon.heard === before.length); // the editor's own answer to the daemon
      } else if (from === "daemon" && message === undefined) {
        await this.daemon.session.closed;
      } else if (from === "daemon" && message?.method === undefined) {
        await this.hear(message);
      }
    }
    const unasked = this.lines
      .filter(({ from, message }) => from === "daemon" && message?.method !== undefined && !this.isAsked(message))
      .map(({ message }) => ({ method: message?.method, params: message?.params }));
    await turnsUntil(() => this.unasked.length >= unasked.length);
    same("what was not asked for", unasked, this.unasked);
    this.daemon.end();
  }

  async leave(): Promise<void> {
    await this.lucastra.stop();
    await this.daemon.session.dispose();
  }

  /** Whether it is progress of a request. */
  private isAsked({ method, params }: Said): boolean {
    return method === "$/progress" && this.lines.some(({ message }) => tokenOf(message?.params) === params.token);
  }

  private async say({ id, method: _, ...said }: Said, method: string): Promise<void> {
    const running = method === "$/cancelRequest" ? this.asked.get(said.params.id) : undefined;
    if (id !== undefined) {
      this.asked.set(id, this.ask({ id, method, ...said }));
    } else if (running !== undefined) {
      await Promise.race([running.heard, running.ended]);
      running.cancel();
    } else if (this.isConnected && method.startsWith("lucastra/")) {
      this.lucastra.notify(method as ClientNotification, said.params);
    } else {
      const { connection } = this.daemon;
      await (said.params === undefined
        ? connection.sendNotification(method)
        : connection.sendNotification(method, said.params));
    }
  }

  private ask(request: Said): Asked {
    const { method = "", params } = request;
    const { token, cancel } = cancelling();
    const expected = eventsOf(this.lines, tokenOf(params)).length;
    const events: unknown[] = [];
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    const onEvent = (event: unknown): void => {
      if (events.push(event) === expected) {
        resolve();
      }
    };
    const asking =
      this.isConnected && method.startsWith("lucastra/")
        ? this.askAsExtension(method as Method, params ?? {}, onEvent, token)
        : this.askAsEditor(method, params, onEvent);
    const ended = asking.then(
      (result): Outcome => ({ result }),
      ({ code, message }): Outcome => ({ error: { code, message } }),
    );
    return { request, events, heard, cancel, ended };
  }

  private askAsExtension(
    method: Method,
    { partialResultToken, workDoneToken, ...params }: Record<string, unknown>,
    onEvent: (event: unknown) => void,
    token: CancellationTokenSource["token"],
  ): Promise<unknown> {
    if (partialResultToken !== undefined) {
      return this.lucastra.stream(method, params as never, onEvent, token);
    }
    return workDoneToken === undefined
      ? this.lucastra.request(method, params as never, token)
      : this.lucastra.requestWithProgress(method, params as never, onEvent, token);
  }

  private askAsEditor(method: string, params: Said["params"], onEvent: (event: unknown) => void): Promise<unknown> {
    const token = tokenOf(params);
    if (token !== undefined) {
      this.daemon.session.onProgress(token as string, onEvent);
    }
    // As a language client does; without params there is no list of them either.
    return params === undefined
      ? this.daemon.connection.sendRequest(method)
      : this.daemon.session.request(method, params);
  }

  /** Compare a reply, and what came before it. */
  private async hear(reply: Said | undefined): Promise<void> {
    const asked = this.asked.get(reply?.id ?? "");
    if (reply !== undefined && asked !== undefined) {
      const { method, params } = asked.request;
      const { error } = reply;
      const expected =
        error === undefined ? { result: reply.result } : { error: { code: error.code, message: error.message } };
      same(`what ${method} ends with`, expected, await asked.ended);
      same(`the events of ${method}`, eventsOf(this.lines, tokenOf(params)), asked.events);
    }
  }
}

/** Let everything that is under way in this process happen, until it has, or nothing more can be. */
async function turnsUntil(condition: () => boolean): Promise<void> {
  for (let turns = 0; turns < 100 && !condition(); turns++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function cancelling(): { token: CancellationTokenSource["token"]; cancel(): void } {
  const source = new CancellationTokenSource();
  return { token: source.token, cancel: () => source.cancel() };
}

function same(what: string, expected: unknown, came: unknown): void {
  if (!isDeepStrictEqual(expected, came)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, came ${JSON.stringify(came)}`);
  }
}
