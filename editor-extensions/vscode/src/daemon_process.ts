// The process of the daemon: which it is, and how it is ended where it does not answer.
//
// Invariant: no process is ended that does not say of itself that it is `lucastrad serve`.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir, platform } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

/** A daemon that is asked to end by a signal closes its files within 5 s. */
const TERM_MS = 8_000;
const POLL_MS = 50;

/** The process that owns the store of `environment`; undefined where none does. */
export async function daemonOf(environment: NodeJS.ProcessEnv): Promise<number | undefined> {
  let owner: number;
  try {
    owner = Number.parseInt(await readFile(join(homeOf(environment), "lucastrad.lock"), "utf8"), 10);
  } catch {
    return undefined;
  }
  return owner > 1 && (await isDaemon(owner)) ? owner : undefined;
}

/**
 * End a daemon, if it still owns the store of `environment`: by SIGTERM, else, as a stopped one or one that hangs heeds
 * none, by SIGKILL.
 */
export async function endDaemon(pid: number, environment: NodeJS.ProcessEnv): Promise<void> {
  if ((await daemonOf(environment)) !== pid) {
    return;
  }
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!(await isDaemon(pid))) {
      return;
    }
    try {
      process.kill(pid, signal);
    } catch {
      return; // it has just ended
    }
    for (const deadline = performance.now() + TERM_MS; performance.now() < deadline && (await isDaemon(pid)); ) {
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }
}

/** As the contract has it: `LUCASTRA_HOME`, else `.lucastra` of the user's folder. */
export function homeOf(environment: NodeJS.ProcessEnv): string {
  const home = environment["HOME"] || homedir();
  const set = environment["LUCASTRA_HOME"] ?? "";
  if (set === "") {
    return join(home, ".lucastra");
  }
  // Relays are started in the user's folder.
  return set === "~" || set.startsWith("~/") ? join(home, set.slice(1)) : resolve(homedir(), set);
}

/** Whether the process runs, and is a daemon: the ids of processes are used again. */
async function isDaemon(pid: number): Promise<boolean> {
  const words = await commandOf(pid);
  return words.some((word) => /(^|\/)lucastrad$/.test(word)) && words.includes("serve");
}

/** The command line of a process; empty for one that has ended. */
async function commandOf(pid: number): Promise<string[]> {
  try {
    return platform() === "linux"
      ? (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0")
      : (await promisify(execFile)("ps", ["-o", "command=", "-p", String(pid)])).stdout.trim().split(/\s+/);
  } catch {
    return [];
  }
}
