import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MAX_FAILURES } from "./backoff";
import {
  ConnectionLost,
  DaemonSilent,
  type Launcher,
  LucAstra,
  NotConnected,
  type Server,
  ServerMissing,
  type Session,
} from "./daemon";
import { PROTOCOL_VERSION } from "./protocol";

const SERVER: Server = { path: "/bin/lucastrad", version: "1.1.0" };

/** A relay that answers with its method's name, until the test closes it or its daemon hangs. */
class FakeSession implements Session {
  close!: (reason: string) => void;
  readonly closed = new Promise<string>((resolve) => {
    this.close = resolve;
  });
  readonly requests: [string, unknown][] = [];
  readonly notified = new Map<string, (params: unknown) => void>();
  readonly progress = new Map<string, (value: unknown) => void>();
  readonly told: [string, unknown][] = [];
  disposed = false;
  hangs = false;

  constructor(private readonly protocolVersion: number) {}

  async request(method: string, params: unknown): Promise<unknown> {
    if (method === "lucastra/hello") {
      const { protocolVersion } = this;
      return { daemonVersion: "1.1.0", protocolVersion, pid: 7, uptimeSeconds: 1, home: "/home/ada/.lucastra" };
    }
    this.requests.push([method, params]);
    if (this.hangs) {
      return new Promise(() => {});
    }
    for (const handler of this.progress.values()) {
      handler({ kind: "delta", text: "…" });
    }
    return { method };
  }

  async notify(method: string, params: unknown): Promise<void> {
    this.told.push([method, params]);
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
  running: number | undefined;
  protocolVersion: number = PROTOCOL_VERSION;
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
    const session = new FakeSession(this.protocolVersion);
    this.sessions.push(session);
    return session;
  }

  async daemon(): Promise<number | undefined> {
    return this.running;
  }
}

let launcher: FakeLauncher;
let lucastra: LucAstra;
let states: string[];

beforeEach(() => {
  vi.useFakeTimers();
  launcher = new FakeLauncher();
  lucastra = new LucAstra(launcher, "1.1.0");
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

test.each(["the user restarts it", "the relay goes"])(
  "a request that a daemon leaves unanswered ends when %s",
  async (end) => {
    await lucastra.restart();
    const [session] = launcher.sessions;
    Object.assign(session ?? {}, { hangs: true });
    const answers = [
      lucastra.request("lucastra/status", {}),
      lucastra.stream("lucastra/ask", { question: "why?" }, () => {}),
      lucastra.requestWithProgress("lucastra/index", { path: "/w" }, () => {}),
    ].map((answer) => expect(answer).rejects.toThrow(ConnectionLost));
    await vi.advanceTimersByTimeAsync(0);
    expect(session?.requests).toHaveLength(3);
    if (end === "the relay goes") {
      session?.close("the daemon closed the connection");
    } else {
      await lucastra.restart();
    }
    await Promise.all(answers);
    await vi.advanceTimersByTimeAsync(250);
    expect(lucastra.state.kind).toBe("ready");
    expect(await lucastra.request("lucastra/status", {})).toEqual({ method: "lucastra/status" });
  },
);

test("names the process of a daemon that runs and does not answer", async () => {
  launcher.failure = new DaemonSilent("the daemon said nothing for 10 s");
  launcher.running = 4711;
  void lucastra.restart();
  await vi.advanceTimersByTimeAsync(0);
  const message = "the daemon said nothing for 10 s";
  expect(lucastra.state).toEqual({ kind: "reconnecting", message, silent: 4711 });
  launcher.failure = undefined;
  await vi.advanceTimersByTimeAsync(250);
  expect(lucastra.state.kind).toBe("ready");
});

test("names no process where it is not the daemon's silence that keeps it from connecting", async () => {
  launcher.failure = new Error("the daemon speaks another version");
  launcher.running = 4711;
  void lucastra.restart();
  await vi.advanceTimersByTimeAsync(0);
  expect(lucastra.state).toEqual({ kind: "reconnecting", message: "the daemon speaks another version" });
});

test.each([
  { protocolVersion: PROTOCOL_VERSION + 1, outdated: "extension", cure: /Update the extension, and reload the window/ },
  { protocolVersion: PROTOCOL_VERSION - 1, outdated: "server", cure: /pipx install .* --force .* "LucAstra: Restart/ },
])("a daemon of protocol $protocolVersion is asked for nothing, and the $outdated is to be updated", async (peer) => {
  launcher.protocolVersion = peer.protocolVersion;
  await lucastra.restart();
  expect(lucastra.state).toMatchObject({ kind: "incompatible", outdated: peer.outdated });
  await expect(lucastra.request("lucastra/status", {})).rejects.toThrow(peer.cure);
  const [session] = launcher.sessions;
  expect(session?.requests).toEqual([]);
  expect(session?.disposed).toBe(false); // what is standard LSP goes on
  launcher.protocolVersion = PROTOCOL_VERSION;
  await lucastra.restart();
  expect(lucastra.state.kind).toBe("ready");
});

test("tells the daemon what it is told, and nobody without a connection", async () => {
  lucastra.notify("lucastra/completion/didShow", { id: "a" });
  await lucastra.restart();
  lucastra.notify("lucastra/completion/didShow", { id: "b" });
  expect(launcher.sessions[0]?.told).toEqual([["lucastra/completion/didShow", { id: "b" }]]);
});
