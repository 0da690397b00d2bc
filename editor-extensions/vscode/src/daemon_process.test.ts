import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { daemonOf, endDaemon, homeOf } from "./daemon_process";

describe("a daemon's home", () => {
  it.each([
    [{ HOME: "/home/ada" }, "/home/ada/.lucastra"],
    [{ HOME: "/home/ada", LUCASTRA_HOME: "" }, "/home/ada/.lucastra"],
    [{ HOME: "/home/ada", LUCASTRA_HOME: "/srv/index" }, "/srv/index"],
    [{ HOME: "/home/ada", LUCASTRA_HOME: "~/index" }, "/home/ada/index"],
    [{ HOME: "/home/ada", LUCASTRA_HOME: "index" }, join(homedir(), "index")],
  ])("of %o is %s", (environment, home) => {
    expect(homeOf(environment)).toBe(home);
  });
});

describe("the process that owns the store", () => {
  let folder: string;
  let processes: ChildProcess[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "daemon-"));
    processes = [];
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const one of processes) {
      one.kill("SIGKILL");
    }
    await rm(folder, { recursive: true });
  });

  /** A process with such a command line, which the lock names. */
  async function owner(...words: string[]): Promise<ChildProcess> {
    const script = 'process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000); console.log("up")';
    const child = spawn(process.execPath, ["-e", script, ...words], { stdio: ["ignore", "pipe", "ignore"] });
    processes.push(child);
    await once(child.stdout as NonNullable<typeof child.stdout>, "data");
    await writeFile(join(folder, "lucastrad.lock"), `${child.pid}\n`);
    return child;
  }

  it("is found, and ended though it was stopped", async () => {
    const daemon = await owner("lucastrad", "serve");
    expect(await daemonOf({ LUCASTRA_HOME: folder })).toBe(daemon.pid);
    daemon.kill("SIGSTOP");
    const now = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => 20 * now());
    const kill = process.kill.bind(process);
    const signals: [signal: string | number | undefined, at: number][] = [];
    vi.spyOn(process, "kill").mockImplementation((pid, signal) => {
      signals.push([signal, performance.now()]);
      return kill(pid, signal);
    });
    const ended = once(daemon, "exit");
    await endDaemon(daemon.pid as number, { LUCASTRA_HOME: folder });
    expect(await ended).toEqual([null, "SIGKILL"]);
    const [term, killed] = signals;
    expect((killed?.[1] ?? 0) - (term?.[1] ?? 0)).toBeGreaterThanOrEqual(8_000);
    expect(await daemonOf({ LUCASTRA_HOME: folder })).toBeUndefined();
  });

  it("is asked to end before it is killed", async () => {
    const daemon = await owner("/opt/bin/lucastrad", "serve");
    const ended = once(daemon, "exit");
    await endDaemon(daemon.pid as number, { LUCASTRA_HOME: folder });
    expect(await ended).toEqual([0, null]);
  });

  it("is none where the id has become another process's, which is left alone", async () => {
    const other = await owner("lucastrad-notes.txt", "serve");
    expect(await daemonOf({ LUCASTRA_HOME: folder })).toBeUndefined();
    await endDaemon(other.pid as number, { LUCASTRA_HOME: folder });
    expect(other.exitCode ?? other.signalCode).toBeNull();
  });

  it("is the only one that is ended: not a daemon that the lock no longer names", async () => {
    const former = await owner("lucastrad", "serve");
    const daemon = await owner("lucastrad", "serve");
    await endDaemon(former.pid as number, { LUCASTRA_HOME: folder });
    expect([former.exitCode ?? former.signalCode, daemon.exitCode ?? daemon.signalCode]).toEqual([null, null]);
    expect(await daemonOf({ LUCASTRA_HOME: folder })).toBe(daemon.pid);
  });

  it("is none where no daemon has run, or the last one cleared its lock", async () => {
    expect(await daemonOf({ LUCASTRA_HOME: folder })).toBeUndefined();
    await writeFile(join(folder, "lucastrad.lock"), "");
    expect(await daemonOf({ LUCASTRA_HOME: folder })).toBeUndefined();
  });
});
