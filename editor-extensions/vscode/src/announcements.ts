// What the user is told of the connection without having asked.

import { commands, type Disposable, env, type LogOutputChannel, window } from "vscode";
import type { LucAstra, State } from "./daemon";
import { INSTALL_COMMAND } from "./server";

/** Log each change of the connection, and show those that the user must act on or would wonder about. */
export function announce(lucastra: LucAstra, log: LogOutputChannel): Disposable {
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
    } else if (state.kind === "failed") {
      lost = false;
      void offerRestart(state.message);
    }
    before = state.kind;
  });
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
