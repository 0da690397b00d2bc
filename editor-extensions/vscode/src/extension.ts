// Where the extension begins: the only place that builds its parts.

import { type ExtensionContext, window } from "vscode";
import { announce } from "./announcements";
import { registerChat } from "./chat";
import { registerCommands } from "./commands";
import { Completion } from "./completion";
import { LucAstra } from "./daemon";
import { registerMcpServer } from "./mcp";
import { RelayLauncher } from "./relay";
import { registerSearch } from "./search";
import { StatusItem } from "./status/item";
import { StatusMonitor } from "./status/monitor";
import { restartWhenNeeded } from "./surroundings";
import { registerSearchTool } from "./tool";

let lucastra: LucAstra | undefined;

/** Connect in the background, and register what the window shows. */
export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel("LucAstra", { log: true });
  const completion = new Completion((method, params) => lucastra?.notify(method, params));
  const { version } = context.extension.packageJSON as { version: string };
  lucastra = new LucAstra(new RelayLauncher(log, completion.middleware), version);
  const monitor = new StatusMonitor(lucastra, log);
  context.subscriptions.push(
    log,
    lucastra,
    completion,
    monitor,
    new StatusItem(lucastra, monitor, completion),
    announce(lucastra, log),
    restartWhenNeeded(lucastra),
    registerCommands(lucastra, monitor, completion, log),
    registerSearchTool(lucastra),
    registerMcpServer(lucastra),
  );
  registerSearch(context, lucastra, monitor);
  registerChat(context, lucastra);
  void lucastra.restart();
}

/** Say goodbye to the daemon; VS Code waits some seconds for this, and not for what is disposed of. */
export async function deactivate(): Promise<void> {
  await lucastra?.stop();
}
