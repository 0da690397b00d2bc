// The connection to the daemon, kept for as long as the window is open.
//
// Invariant: one relay process at most; every wait ends when the connection is restarted or disposed of.

import type { CancellationToken, Disposable, Event } from "vscode";
import { EventEmitter } from "vscode";
import { backoffMs, MAX_FAILURES, SETTLED_MS, sleep } from "./backoff";
import type { Method, Methods, Notification, Notifications } from "./protocol";

/** How the connection stands. `message` is a sentence for the user. */
export type State =
  | { kind: "starting" }
  | { kind: "ready"; server: string; version: string }
  | { kind: "reconnecting"; message: string }
  | { kind: "missing"; message: string }
  | { kind: "failed"; message: string }
  | { kind: "stopped" };

/** A program that is a LucAstra server, and what it calls its version. */
export interface Server {
  path: string;
  version: string;
}

/** One relay process and the language client on it. */
export interface Session {
  /** Resolves, with what is known of the reason, once the relay is gone. Never rejects. */
  readonly closed: Promise<string>;
  request(method: string, params: unknown, token?: CancellationToken): Promise<unknown>;
  onNotification(method: string, handler: (params: unknown) => void): Disposable;
  onProgress(token: string, handler: (value: unknown) => void): Disposable;
  dispose(): Promise<void>;
}

/** What the connection needs of its surroundings. */
export interface Launcher {
  /** Find the server; throws `ServerMissing` when there is none. */
  find(signal: AbortSignal): Promise<Server>;
  /** Start the relay and initialize; throws when it cannot be reached. */
  start(server: Server): Promise<Session>;
}

/** There is no server; the message says how to get one. */
export class ServerMissing extends Error {
  override readonly name = "ServerMissing";
}

/** A request was made while there is no connection, and none is being made. */
export class NotConnected extends Error {
  override readonly name = "NotConnected";
}

type Listener = (params: never) => void;

/** The daemon, as the rest of the extension sees it. */
export class LucAstra implements Disposable {
  readonly #launcher: Launcher;
  readonly #stateChanged = new EventEmitter<State>();
  readonly #listeners = new Map<Notification, Set<Listener>>();
  #state: State = { kind: "stopped" };
  #session: Session | undefined;
  #run: { abort: AbortController; ended: Promise<void> } | undefined;
  #tokens = 0;

  /** Fires after every change of `state`. */
  readonly onDidChangeState: Event<State> = this.#stateChanged.event;

  constructor(launcher: Launcher) {
    this.#launcher = launcher;
  }

  get state(): State {
    return this.#state;
  }

  /**
   * Ask the daemon; waits while a connection is being made.
   *
   * Throws `NotConnected` when there is none, and the daemon's own errors, which have `code` and a `message` for users.
   */
  async request<M extends Method>(
    method: M,
    params: Methods[M]["params"],
    token?: CancellationToken,
  ): Promise<Methods[M]["result"]> {
    const session = await this.#connected(token);
    return (await session.request(method, params, token)) as Methods[M]["result"];
  }

  /** As `request`, with what the daemon says on the way: `params` gets the `partialResultToken`. */
  async stream<M extends Method>(
    method: M,
    params: Methods[M]["params"],
    onEvent: (event: Methods[M]["events"]) => void,
    token?: CancellationToken,
  ): Promise<Methods[M]["result"]> {
    return this.#withToken(
      "partialResultToken",
      method,
      params,
      (value) => onEvent(value as Methods[M]["events"]),
      token,
    );
  }

  /** As `request`, for methods with a `workDoneToken`. */
  async requestWithProgress<M extends Method>(
    method: M,
    params: Methods[M]["params"],
    onProgress: (progress: WorkDone) => void,
    token?: CancellationToken,
  ): Promise<Methods[M]["result"]> {
    return this.#withToken("workDoneToken", method, params, (value) => onProgress(value as WorkDone), token);
  }

  /** Be told of a notification, over all restarts, until the result is disposed of. */
  onNotification<N extends Notification>(method: N, handler: (params: Notifications[N]) => void): Disposable {
    const listener = handler as Listener;
    const listeners = this.#listeners.get(method) ?? new Set<Listener>();
    this.#listeners.set(method, listeners.add(listener));
    this.#session?.onNotification(method, (params) => this.#notify(method, params));
    return { dispose: () => listeners.delete(listener) };
  }

  /** End the connection, if any, look for the server anew, and connect. Resolves once it is ready or has failed. */
  async restart(): Promise<void> {
    await this.stop();
    if (this.#run === undefined) {
      const abort = new AbortController();
      this.#run = { abort, ended: this.#keepConnected(abort.signal) };
    }
    // Else a restart that was asked for at the same time has begun it.
    await this.#settled(this.#run.abort.signal);
  }

  /** End the connection; the daemon itself goes on, as it serves others. */
  async stop(): Promise<void> {
    const run = this.#run;
    if (run !== undefined) {
      run.abort.abort();
      await run.ended;
      if (this.#run === run) {
        this.#run = undefined;
      }
    }
  }

  dispose(): Promise<void> {
    return this.stop();
  }

  async #keepConnected(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      if (failures === 0) {
        this.#enter({ kind: "starting" });
      }
      const attempt = await this.#connectOnce(signal);
      if (signal.aborted || attempt === "missing") {
        break;
      }
      failures = attempt.lastedMs > SETTLED_MS ? 1 : failures + 1;
      if (failures >= MAX_FAILURES) {
        this.#enter({ kind: "failed", message: attempt.reason });
        return;
      }
      this.#enter({ kind: "reconnecting", message: attempt.reason });
      await sleep(backoffMs(failures), signal);
    }
    if (signal.aborted) {
      this.#enter({ kind: "stopped" });
    }
  }

  /** Connect, and wait for the end of it. */
  async #connectOnce(signal: AbortSignal): Promise<"missing" | { reason: string; lastedMs: number }> {
    let session: Session;
    let server: Server;
    try {
      server = await this.#launcher.find(signal);
      if (signal.aborted) {
        return { reason: "", lastedMs: 0 };
      }
      session = await this.#launcher.start(server);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof ServerMissing && !signal.aborted) {
        this.#enter({ kind: "missing", message });
        return "missing";
      }
      return { reason: message, lastedMs: 0 };
    }
    const since = performance.now();
    this.#session = session;
    const aborted = new Promise<string>((resolve) =>
      signal.addEventListener("abort", () => resolve(""), { once: true }),
    );
    try {
      if (!signal.aborted) {
        for (const method of this.#listeners.keys()) {
          session.onNotification(method, (params) => this.#notify(method, params));
        }
        this.#enter({ kind: "ready", server: server.path, version: server.version });
        const reason = await Promise.race([session.closed, aborted]);
        return { reason, lastedMs: performance.now() - since };
      }
      return { reason: "", lastedMs: 0 };
    } finally {
      this.#session = undefined;
      await session.dispose();
    }
  }

  async #connected(token?: CancellationToken): Promise<Session> {
    if (this.#session === undefined && isPassing(this.#state)) {
      await new Promise<void>((resolve) => {
        const subscriptions = [
          this.onDidChangeState(done),
          ...(token === undefined ? [] : [token.onCancellationRequested(done)]),
        ];
        const state = () => this.#state;
        function done(): void {
          if (token?.isCancellationRequested || !isPassing(state())) {
            for (const subscription of subscriptions) {
              subscription.dispose();
            }
            resolve();
          }
        }
      });
    }
    if (this.#session === undefined) {
      throw new NotConnected(explain(this.#state));
    }
    return this.#session;
  }

  async #withToken<M extends Method>(
    field: "partialResultToken" | "workDoneToken",
    method: M,
    params: Methods[M]["params"],
    handler: (value: unknown) => void,
    token?: CancellationToken,
  ): Promise<Methods[M]["result"]> {
    const session = await this.#connected(token);
    this.#tokens += 1;
    const name = `lucastra-${this.#tokens}`;
    const subscription = session.onProgress(name, handler);
    try {
      return (await session.request(method, { ...params, [field]: name }, token)) as Methods[M]["result"];
    } finally {
      subscription.dispose();
    }
  }

  async #settled(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && isPassing(this.#state)) {
      await new Promise<void>((resolve) => {
        const subscription = this.onDidChangeState(() => {
          subscription.dispose();
          resolve();
        });
      });
    }
  }

  #notify(method: Notification, params: unknown): void {
    for (const listener of this.#listeners.get(method) ?? []) {
      listener(params as never);
    }
  }

  #enter(state: State): void {
    this.#state = state;
    this.#stateChanged.fire(state);
  }
}

/** LSP's work-done progress; `percentage` is 0 to 100. */
export interface WorkDone {
  kind: "begin" | "report" | "end";
  title?: string;
  message?: string;
  percentage?: number;
}

function isPassing(state: State): boolean {
  return state.kind === "starting" || state.kind === "reconnecting";
}

/** A sentence for users that says why there is no answer, and what would help. */
function explain(state: State): string {
  switch (state.kind) {
    case "missing":
    case "failed":
      return state.message;
    case "stopped":
      return 'LucAstra is stopped; run "LucAstra: Restart Connection".';
    default:
      return "The request was cancelled before LucAstra was ready.";
  }
}
