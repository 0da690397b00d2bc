import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MAX_FAILURES } from "./backoff";
import { type Launcher, LucAstra, NotConnected, type Server, ServerMissing, type Session } from "./daemon";

const SERVER: Server = { path: "/bin/lucastrad", version: "1.1.0" };

/** A relay that answers with its method's name, until the test closes it. */
class FakeSession implements Session {
  close!: (reason: string) => void;
  readonly closed = new Promise<string>((resolve) => {
    this.close = resolve;
  });
  readonly requests: [string, unknown][] = [];
  readonly notified = new Map<string, (params: unknown) => void>();
  readonly progress = new Map<string, (value: unknown) => void>();
  disposed = false;

  async request(method: string, params: unknown): Promise<unknown> {
    this.requests.push([method, params]);
    for (const handler of this.progress.values()) {
      handler({ kind: "delta", text: "…" });
    }
    return { method };
  }

  onNotification(method: string, handler: (params: unknown) => void): { dispose(): void } {
    this.notified.set(method, handler);
    return { dispose: () => this.notified.delete(method) };
  }

  onProgress(token: string, handler: (value: unknown) => void): { dispose(): void } {
    this.progress.set(token, handler);
    return { dispose: () => this.progress.delete(token) };
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    this.close("disposed");
  }
}

class FakeLauncher implements Launcher {
  readonly sessions: FakeSession[] = [];
  failure: Error | undefined;
  starts = 0;

  async find(): Promise<Server> {
    if (this.failure instanceof ServerMissing) {
      throw this.failure;
    }
    return SERVER;
  }

  async start(): Promise<Session> {
    this.starts += 1;
    if (this.failure !== undefined) {
      throw this.failure;
    }
    const session = new FakeSession();
    this.sessions.push(session);
    return session;
  }
}

let launcher: FakeLauncher;
let lucastra: LucAstra;
let states: string[];

beforeEach(() => {
  vi.useFakeTimers();
  launcher = new FakeLauncher();
  lucastra = new LucAstra(launcher);
  states = [];
  lucastra.onDidChangeState(({ kind }) => states.push(kind));
});
afterEach(async () => {
  await lucastra.stop();
  vi.useRealTimers();
});

test("is ready once the relay has been initialized", async () => {
  await lucastra.restart();
  expect(states).toEqual(["starting", "ready"]);
  expect(await lucastra.request("lucastra/status", {})).toEqual({ method: "lucastra/status" });
});

test("connects again after the relay has gone, and keeps subscriptions", async () => {
  const changes: unknown[] = [];
  lucastra.onNotification("lucastra/conversationChanged", (params) => changes.push(params));
  await lucastra.restart();
  launcher.sessions[0]?.close("the daemon closed the connection");
  await vi.advanceTimersByTimeAsync(250);
  expect(states).toEqual(["starting", "ready", "reconnecting", "ready"]);
  expect(launcher.sessions[0]?.disposed).toBe(true);
  const news = { conversation: "5f0c1a9be27d", change: "renamed" };
  launcher.sessions[1]?.notified.get("lucastra/conversationChanged")?.(news);
  expect(changes).toEqual([news]);
});

test("a request that is made while it reconnects is answered by the next connection", async () => {
  await lucastra.restart();
  launcher.sessions[0]?.close("gone");
  await vi.advanceTimersByTimeAsync(0);
  const answer = lucastra.request("lucastra/status", {});
  await vi.advanceTimersByTimeAsync(250);
  expect(await answer).toEqual({ method: "lucastra/status" });
  expect(launcher.sessions[1]?.requests).toHaveLength(1);
});

test("gives up after some failures, and says why", async () => {
  launcher.failure = new Error("no space left on device");
  const settled = lucastra.restart();
  await vi.advanceTimersByTimeAsync(120_000);
  await settled;
  expect(launcher.starts).toBe(MAX_FAILURES);
  expect(lucastra.state).toEqual({ kind: "failed", message: "no space left on device" });
  await expect(lucastra.request("lucastra/status", {})).rejects.toThrow(new NotConnected("no space left on device"));
});

test("a missing server is not looked for again by itself", async () => {
  launcher.failure = new ServerMissing("install it");
  await lucastra.restart();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(launcher.starts).toBe(0);
  expect(states).toEqual(["starting", "missing"]);
  launcher.failure = undefined;
  await lucastra.restart();
  expect(lucastra.state.kind).toBe("ready");
});

test("a restart ends the former relay before another is started", async () => {
  await lucastra.restart();
  await lucastra.restart();
  expect(launcher.sessions.map(({ disposed }) => disposed)).toEqual([true, false]);
});

test("restarts at the same time leave one relay", async () => {
  await Promise.all([lucastra.restart(), lucastra.restart(), lucastra.restart()]);
  expect(launcher.sessions.filter(({ disposed }) => !disposed)).toHaveLength(1);
});

test("stopping while it waits to reconnect ends the waiting", async () => {
  await lucastra.restart();
  launcher.sessions[0]?.close("gone");
  await vi.advanceTimersByTimeAsync(0);
  await lucastra.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(launcher.sessions).toHaveLength(1);
  expect(lucastra.state.kind).toBe("stopped");
});

test("a streamed answer's events reach its own handler, until the reply", async () => {
  await lucastra.restart();
  const events: unknown[] = [];
  await lucastra.stream("lucastra/ask", { question: "why?" }, (event) => events.push(event));
  expect(events).toEqual([{ kind: "delta", text: "…" }]);
  const [session] = launcher.sessions;
  expect(session?.requests).toEqual([["lucastra/ask", { question: "why?", partialResultToken: "lucastra-1" }]]);
  expect(session?.progress.size).toBe(0);
});
