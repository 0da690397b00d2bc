// Starts `lucastrad --stdio`, and speaks LSP and LucAstra's own methods with it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";
import type { LogOutputChannel } from "vscode";
import {
  CloseAction,
  CodeActionRequest,
  type DynamicFeature,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  RevealOutputChannelOn,
  type StaticFeature,
} from "vscode-languageclient/node";
import { DaemonSilent, type Launcher, type Server, type Session } from "./daemon";
import { daemonOf } from "./daemon_process";
import { findServer } from "./server";
import { sessionOn } from "./session";
import { serverEnvironment, surroundings } from "./surroundings";

const STDERR_LINES = 3;

/** The relay's exit status where a daemon runs and does not answer. */
const EXIT_SILENT = 69;

/** A daemon that has not answered a goodbye by then does not answer; less than the client itself would wait. */
const GOODBYE_MS = 1_500;

/** The daemon offers these to editors without an extension; this one has commands and menus of its own, of the same names. */
const LEFT_OUT: readonly string[] = [ExecuteCommandRequest.method, CodeActionRequest.method];

class Client extends LanguageClient {
  // biome-ignore lint/suspicious/noExplicitAny: the base class's own type
  override registerFeature(feature: StaticFeature | DynamicFeature<any>): void {
    if (!("registrationType" in feature && LEFT_OUT.includes(feature.registrationType.method))) {
      super.registerFeature(feature);
    }
  }
}

/** Starts relays with what the settings and the window say at that time. */
export class RelayLauncher implements Launcher {
  readonly #log: LogOutputChannel;
  readonly #middleware: Middleware;

  constructor(log: LogOutputChannel, middleware: Middleware) {
    this.#log = log;
    this.#middleware = middleware;
  }

  async find(signal: AbortSignal): Promise<Server> {
    const server = await findServer(await surroundings(), signal);
    this.#log.info(`server: ${server.path}, version ${server.version}`);
    return server;
  }

  daemon(): Promise<number | undefined> {
    return daemonOf(serverEnvironment());
  }

  async start(server: Server, signal: AbortSignal): Promise<Session> {
    const relay = spawn(server.path, ["--stdio"], { env: serverEnvironment(), cwd: homedir(), stdio: "pipe" });
    const said = lastLines(relay);
    // Not `exit`: what the relay wrote last would still be on its way.
    const closed = once(relay, "close").then(
      () => said() || "the connection to the daemon was lost",
      (error: Error) => error.message,
    );
    const starting = new AbortController();
    const client = new Client("lucastra", "LucAstra", async () => relay, this.#options());
    try {
      await Promise.race([
        client.start(),
        closed.then((reason) => {
          throw new Error(reason);
        }),
        once(signal, "abort", { signal: starting.signal }).then(() => {
          throw new Error("it was given up");
        }),
      ]);
    } catch (error) {
      await end(client, relay, closed);
      if (relay.exitCode === EXIT_SILENT) {
        throw new DaemonSilent(said());
      }
      throw said() === "" ? error : new Error(said());
    } finally {
      starting.abort();
    }
    return sessionOn(client, closed, () => end(client, relay, closed));
  }

  #options(): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: "file" }, { scheme: "untitled" }],
      outputChannel: this.#log,
      traceOutputChannel: this.#log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      middleware: this.#middleware,
      initializationFailedHandler: () => false,
      // `LucAstra` decides when to start again, and tells the user.
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
      },
    };
  }
}

/** Say goodbye where somebody still listens; the relay is gone when this resolves. */
async function end(client: LanguageClient, relay: ChildProcess, closed: Promise<string>): Promise<void> {
  // While the client still says goodbye: it then ends the editor's own requests too, which it else forgets.
  const killing = setTimeout(() => relay.kill("SIGKILL"), GOODBYE_MS);
  try {
    await client.dispose();
  } catch {
    // The relay went first, and with it whoever could answer `shutdown`.
  }
  relay.stdin?.end();
  await closed;
  clearTimeout(killing);
}

/** A function that returns the last lines that the process wrote to standard error. */
function lastLines(process: ChildProcess): () => string {
  let tail = "";
  process.stderr?.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-4096);
  });
  return () =>
    tail
      .trim()
      .split("\n")
      .slice(-STDERR_LINES)
      .map((line) => line.replace(/^lucastrad: /, ""))
      .join(" ");
}
