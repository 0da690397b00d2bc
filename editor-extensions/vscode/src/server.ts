// Finds `lucastrad`: the setting, the selected Python environment, the workspace's own when trusted, PATH.
//
// Invariant: nothing inside a workspace is run unless the workspace is trusted.

import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { type Server, ServerMissing } from "./daemon";
import { INSTALL_COMMAND } from "./versions";

/** Loading Python takes a second on a slow disk, and many on a machine that swaps; longer than this, it hangs. */
const VERSION_TIMEOUT_MS = 30_000;

/** What the search for the server depends on. */
export interface Surroundings {
  /** `lucastra.server.path`; empty when it is not set. */
  configured: string;
  /** Folders of the window, absolute. */
  folders: readonly string[];
  trusted: boolean;
  environment: NodeJS.ProcessEnv;
  /** The interpreter that the Python extension has selected, if any. */
  python: string | undefined;
}

/**
 * The first program that says it is `lucastrad`.
 *
 * Throws `ServerMissing` with a message for users: what was tried, and how to install it.
 */
export async function findServer(surroundings: Surroundings, signal: AbortSignal): Promise<Server> {
  if (surroundings.configured !== "") {
    return configuredServer(surroundings, signal);
  }
  const broken: string[] = [];
  for (const path of candidates(surroundings)) {
    if (!(await isExecutable(path))) {
      continue;
    }
    try {
      return { path, version: await askVersion(path, surroundings.environment, signal) };
    } catch (error) {
      broken.push(`${path} does not run: ${reasonOf(error)}`);
    }
  }
  const tried = broken.length > 0 ? ` (${broken.join("; ")})` : "";
  throw new ServerMissing(
    `LucAstra's server, lucastrad, was not found${tried}. Run ${INSTALL_COMMAND} in a clone of LucAstra, ` +
      "or set lucastra.server.path.",
  );
}

async function configuredServer(surroundings: Surroundings, signal: AbortSignal): Promise<Server> {
  const path = expand(surroundings.configured, surroundings);
  try {
    return { path, version: await askVersion(path, surroundings.environment, signal) };
  } catch (error) {
    throw new ServerMissing(
      `lucastra.server.path is ${path}, which does not run: ${reasonOf(error)}. ` +
        "Correct the setting, or empty it so that lucastrad is looked for.",
    );
  }
}

/** Where the program may be, in the order in which it is looked for; without repetitions. */
export function candidates(surroundings: Surroundings): string[] {
  const folders: string[] = [];
  if (surroundings.python !== undefined && mayRun(surroundings.python, surroundings)) {
    folders.push(dirname(surroundings.python));
  }
  if (surroundings.trusted) {
    for (const folder of surroundings.folders) {
      folders.push(join(folder, ".venv", "bin"), join(folder, "venv", "bin"));
    }
  }
  for (const folder of (surroundings.environment["PATH"] ?? "").split(delimiter)) {
    // A relative entry of PATH is one of whatever folder the editor stands in.
    if (isAbsolute(folder) && mayRun(folder, surroundings)) {
      folders.push(folder);
    }
  }
  // Where pipx and uv put programs: an editor that was not started from a shell has another PATH.
  folders.push(join(surroundings.environment["HOME"] ?? homedir(), ".local", "bin"));
  return [...new Set(folders.map((folder) => join(folder, "lucastrad")))];
}

/** `path` with `~` and `${workspaceFolder}` expanded; a relative one is one of the first folder. */
export function expand(path: string, surroundings: Pick<Surroundings, "folders" | "environment">): string {
  const home = surroundings.environment["HOME"] ?? homedir();
  const folder = surroundings.folders[0];
  let expanded = path === "~" || path.startsWith("~/") ? home + path.slice(1) : path;
  if (folder !== undefined) {
    expanded = expanded.replaceAll("${workspaceFolder}", folder);
    if (expanded.includes("/") && !isAbsolute(expanded)) {
      expanded = join(folder, expanded);
    }
  }
  return expanded;
}

function mayRun(path: string, { trusted, folders }: Surroundings): boolean {
  return trusted || !folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What `lucastrad --version` says; throws with the reason when it is something else. */
async function askVersion(path: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const output = await new Promise<string>((resolve, reject) => {
    execFile(path, ["--version"], { env, signal, timeout: VERSION_TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
      } else {
        const said = stderr.trim().split("\n").at(-1);
        reject(said ? new Error(said) : error);
      }
    });
  });
  const version = /^lucastrad (\d+\.\S+)\s*$/.exec(output)?.[1];
  if (version === undefined) {
    throw new Error("it does not say that it is lucastrad when it is asked with --version");
  }
  return version;
}

function reasonOf(error: unknown): string {
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT"
      ? "there is no such program"
      : code === "EACCES"
        ? "it may not be executed"
        : error.message;
  }
  return String(error);
}
