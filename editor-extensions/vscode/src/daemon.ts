// The connection to the daemon, kept for as long as the window is open.
//
// Invariant: one relay process at most; every wait, and every request under way, ends when the connection is restarted,
// lost or disposed of.

import type { CancellationToken, Disposable, Event } from "vscode";
import { EventEmitter } from "vscode";
import { backoffMs, MAX_FAILURES, SETTLED_MS, sleep } from "./backoff";
import type {
  ClientNotification,
  ClientNotifications,
  HelloResult,
  Method,
  Methods,
  Notification,
  Notifications,
} from "./protocol";
import { helloOf, mismatchOf, type Outdated } from "./versions";

/**
 * How the connection stands. `message` is a sentence for the user.
 *
 * `incompatible`: what is standard LSP goes on, and nothing else. `silent` is the process id of a daemon that runs, and
 * does not answer.
 */
export type State =
  | { kind: "starting" }
  | { kind: "ready"; server: string; version: string }
  | { kind: "incompatible"; message: string; outdated: Outdated }
  | { kind: "reconnecting"; message: string; silent?: number | undefined }
  | { kind: "missing"; message: string }
  | { kind: "failed"; message: string; silent?: number | undefined }
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
  notify(method: string, params: unknown): Promise<void>;
  onNotification(method: string, handler: (params: unknown) => void): Disposable;
  onProgress(token: string, handler: (value: unknown) => void): Disposable;
  dispose(): Promise<void>;
}

/** What the connection needs of its surroundings. */
export interface Launcher {
  /** Find the server; throws `ServerMissing` when there is none. */
  find(signal: AbortSignal): Promise<Server>;
  /**
   * Start the relay and initialize; throws when the daemon cannot be reached, `DaemonSilent` where it runs and does not
   * answer, and when `signal` is aborted.
   */
  start(server: Server, signal: AbortSignal): Promise<Session>;
  /** The process id of the daemon that owns the store; undefined where none does. */
  daemon(): Promise<number | undefined>;
}

/** There is no server; the message says how to get one. */
export class ServerMissing extends Error {
  override readonly name = "ServerMissing";
}

/** A daemon runs, and does not answer. */
export class DaemonSilent extends Error {
  override readonly name = "DaemonSilent";
}

/** A request was made while there is no connection, and none is being made. */
export class NotConnected extends Error {
  override readonly name = "NotConnected";
}

/** The connection ended before the daemon had answered. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";

  constructor() {
    super("The connection to LucAstra's daemon ended before it had answered; ask again.");
  }
}

type Listener = (params: never) => void;

/** What became of one connection. */
interface Attempt {
  reason: string;
  lastedMs: number;
  silent?: number | undefined;
}

/** The daemon, as the rest of the extension sees it. */
export class LucAstra implements Disposable {
  readonly #launcher: Launcher;
  readonly #version: string;
  readonly #stateChanged = new EventEmitter<State>();
  readonly #listeners = new Map<Notification, Set<Listener>>();
  #state: State = { kind: "stopped" };
  #session: Session | undefined;
  #run: { abort: AbortController; ended: Promise<void> } | undefined;
  #tokens = 0;
  /** How each request under way is told that its connection has ended. */
  readonly #underWay = new Set<(reason: Error) => void>();

  /** Fires after every change of `state`. */
  readonly onDidChangeState: Event<State> = this.#stateChanged.event;

  /** `version` is the extension's own. */
  constructor(launcher: Launcher, version: string) {
    this.#launcher = launcher;
    this.#version = version;
  }

  get state(): State {
    return this.#state;
  }

  /**
   * Ask the daemon; waits while a connection is being made.
   *
   * Throws `NotConnected` when there is none, `ConnectionLost` when it ends meanwhile, and the daemon's own errors,
   * which have `code` and a `message` for users.
   */
  async request<M extends Method>(
    method: M,
    params: Methods[M]["params"],
    token?: CancellationToken,
  ): Promise<Methods[M]["result"]> {
    const session = await this.#connected(token);
    return (await this.#ask(session, method, params, token)) as Methods[M]["result"];
  }

  /** Tell the daemon something; without a connection nobody is told. */
  notify<N extends ClientNotification>(method: N, params: ClientNotifications[N]): void {
    // A message that cannot be written ends the connection, which says so itself.
    this.#session?.notify(method, params).catch(() => {});
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
      const { reason: message, silent, lastedMs } = attempt;
      failures = lastedMs > SETTLED_MS ? 1 : failures + 1;
      if (failures >= MAX_FAILURES) {
        this.#enter({ kind: "failed", message, silent });
        return;
      }
      this.#enter({ kind: "reconnecting", message, silent });
      await sleep(backoffMs(failures), signal);
    }
    if (signal.aborted) {
      this.#enter({ kind: "stopped" });
    }
  }

  /** Connect, and wait for the end of it. */
  async #connectOnce(signal: AbortSignal): Promise<"missing" | Attempt> {
    let session: Session;
    let server: Server;
    try {
      server = await this.#launcher.find(signal);
      signal.throwIfAborted();
      session = await this.#launcher.start(server, signal);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof ServerMissing && !signal.aborted) {
        this.#enter({ kind: "missing", message: reason });
        return "missing";
      }
      const isSilent = error instanceof DaemonSilent && !signal.aborted;
      return { reason, lastedMs: 0, silent: isSilent ? await this.#launcher.daemon() : undefined };
    }
    const since = performance.now();
    const left = new AbortController();
    const aborted = new Promise<string>((resolve) => {
      signal.addEventListener("abort", () => resolve(""), { once: true, signal: left.signal });
    });
    const ended = Promise.race([session.closed, aborted]);
    void ended.then(() => this.#disconnect());
    try {
      signal.throwIfAborted();
      await this.#greet(session, server);
      return { reason: await ended, lastedMs: performance.now() - since };
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error), lastedMs: performance.now() - since };
    } finally {
      left.abort();
      this.#disconnect();
      await session.dispose();
    }
  }

  /** Compare versions; the connection is then the one that requests go to, if they are the same. */
  async #greet(session: Session, server: Server): Promise<void> {
    const hello = (await this.#ask(session, "lucastra/hello", helloOf(this.#version))) as HelloResult;
    const mismatch = mismatchOf(hello, this.#version);
    if (mismatch !== undefined) {
      this.#enter({ kind: "incompatible", ...mismatch });
      return;
    }
    for (const method of this.#listeners.keys()) {
      session.onNotification(method, (params) => this.#notify(method, params));
    }
    this.#session = session;
    this.#enter({ kind: "ready", server: server.path, version: server.version });
  }

  /** The reply; rejects with `ConnectionLost` once the connection has ended, whether or not anybody still answers. */
  #ask(session: Session, method: string, params: unknown, token?: CancellationToken): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject);
      session
        .request(method, params, token)
        .then(resolve, reject)
        .finally(() => this.#underWay.delete(reject));
    });
  }

  /** From now on nothing goes to the connection, and nobody waits for it. */
  #disconnect(): void {
    this.#session = undefined;
    for (const reject of this.#underWay) {
      reject(new ConnectionLost());
    }
    this.#underWay.clear();
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
      return (await this.#ask(session, method, { ...params, [field]: name }, token)) as Methods[M]["result"];
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
    case "incompatible":
      return state.message;
    case "stopped":
      return 'LucAstra is stopped; run "LucAstra: Restart Connection".';
    default:
      return "The request was cancelled before LucAstra was ready.";
  }
}
