// What the user is told of the connection without having asked.

import { commands, type Disposable, env, type LogOutputChannel, window } from "vscode";
import type { LucAstra, State } from "./daemon";
import { endDaemon } from "./daemon_process";
import { serverEnvironment } from "./surroundings";
import { INSTALL_COMMAND, type Outdated } from "./versions";

/** Log each change of the connection, and show those that the user must act on or would wonder about. */
export function announce(lucastra: LucAstra, log: LogOutputChannel): Disposable {
  const silent = new SilentDaemon(lucastra);
  let before: State["kind"] = lucastra.state.kind;
  let lost = false;
  return lucastra.onDidChangeState((state) => {
    log.info(`connection: ${state.kind}${"message" in state ? `: ${state.message}` : ""}`);
    if (state.kind === "reconnecting" && before === "ready") {
      lost = true;
    } else if (state.kind === "ready") {
      if (lost) {
        void window.showInformationMessage("LucAstra's daemon went away; it was started again, and is connected.");
      }
      lost = false;
    } else if (state.kind === "missing") {
      void offerInstallation(state.message);
    } else if (state.kind === "incompatible") {
      void offerUpdate(state.message, state.outdated);
    } else if (state.kind === "failed") {
      lost = false;
    }
    // The user's own restart is a new question.
    if (answers(state) || state.kind === "starting") {
      silent.forget();
    }
    if ((state.kind === "reconnecting" || state.kind === "failed") && state.silent !== undefined) {
      void silent.offerToEnd(state.silent, state.message);
    }
    if (state.kind === "failed" && !silent.isAsking) {
      void offerRestart(state.message);
    }
    before = state.kind;
  });
}

/** Whether there is a daemon that answers, of whatever version. */
function answers(state: State): boolean {
  return state.kind === "ready" || state.kind === "incompatible";
}

/** A daemon that runs and does not answer: the user may know why, and is asked, once, before it is ended. */
class SilentDaemon {
  readonly #lucastra: LucAstra;
  #offered: number | undefined;
  #asking = false;

  constructor(lucastra: LucAstra) {
    this.#lucastra = lucastra;
  }

  get isAsking(): boolean {
    return this.#asking;
  }

  /** A daemon has answered; should it fall silent again, the user is asked again. */
  forget(): void {
    this.#offered = undefined;
  }

  async offerToEnd(pid: number, reason: string): Promise<void> {
    if (this.#offered === pid) {
      return;
    }
    this.#offered = pid;
    this.#asking = true;
    const end = `End Process ${pid}`;
    const logs = "Show Logs";
    let chosen: string | undefined;
    do {
      chosen = await window.showWarningMessage(
        `LucAstra's daemon, process ${pid}, runs and could not be reached: ${reason}. ` +
          "Ending it loses nothing that is indexed; a new one is started.",
        end,
        logs,
      );
      if (chosen === logs) {
        await commands.executeCommand("lucastra.showLogs");
      }
    } while (chosen === logs && this.#offered === pid);
    this.#asking = false;
    if (chosen === end && answers(this.#lucastra.state)) {
      void window.showInformationMessage("LucAstra's daemon answers again, and was left alone.");
    } else if (chosen === end) {
      await endDaemon(pid, serverEnvironment());
      await commands.executeCommand("lucastra.restart");
    }
  }
}

async function offerUpdate(message: string, outdated: Outdated): Promise<void> {
  if (outdated === "extension") {
    const show = "Show Extension";
    if ((await window.showErrorMessage(message, show)) === show) {
      await commands.executeCommand("extension.open", "lucastra.lucastra");
    }
    return;
  }
  const copy = "Copy Update Command";
  const restart = "Restart";
  switch (await window.showErrorMessage(message, copy, restart)) {
    case copy:
      await env.clipboard.writeText(`${INSTALL_COMMAND} --force`);
      break;
    case restart:
      await commands.executeCommand("lucastra.restart");
      break;
    default:
  }
}

async function offerInstallation(message: string): Promise<void> {
  const copy = "Copy Install Command";
  const choose = "Open Setting";
  const retry = "Look Again";
  switch (await window.showErrorMessage(message, copy, choose, retry)) {
    case copy:
      await env.clipboard.writeText(INSTALL_COMMAND);
      break;
    case choose:
      await commands.executeCommand("workbench.action.openSettings", "lucastra.server.path");
      break;
    case retry:
      await commands.executeCommand("lucastra.restart");
      break;
    default:
  }
}

async function offerRestart(message: string): Promise<void> {
  const restart = "Restart";
  const logs = "Show Logs";
  switch (await window.showErrorMessage(`LucAstra cannot connect to its daemon: ${message}`, restart, logs)) {
    case restart:
      await commands.executeCommand("lucastra.restart");
      break;
    case logs:
      await commands.executeCommand("lucastra.showLogs");
      break;
    default:
  }
}
