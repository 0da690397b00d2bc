// The commands of the palette and of the status item's menu.

import {
  commands,
  Disposable,
  EventEmitter,
  type LogOutputChannel,
  ProgressLocation,
  type QuickPickItem,
  Uri,
  window,
  workspace,
} from "vscode";
import type { Completion } from "./completion";
import { openConfiguration } from "./configuration_file";
import type { LucAstra } from "./daemon";
import { reportOf } from "./doctor";
import { ErrorCode } from "./protocol";
import type { StatusMonitor } from "./status/monitor";
import { folderPaths } from "./surroundings";

const DOCTOR_URI = Uri.parse("lucastra-doctor:/LucAstra Doctor.md");
const WALKTHROUGH = "lucastra.lucastra#lucastra.start";

/** Register all of them. */
export function registerCommands(
  lucastra: LucAstra,
  monitor: StatusMonitor,
  completion: Completion,
  log: LogOutputChannel,
): Disposable {
  const doctor = new DoctorDocument();
  const handlers: Record<string, () => unknown> = {
    "lucastra.restart": () => lucastra.restart(),
    "lucastra.reindex": () => reindex(lucastra, monitor),
    "lucastra.doctor": () => doctor.examine(lucastra),
    "lucastra.showLogs": () => log.show(),
    "lucastra.openConfig": () => openConfiguration(monitor.current?.home),
    "lucastra.openWalkthrough": () => commands.executeCommand("workbench.action.openWalkthrough", WALKTHROUGH),
    "lucastra.showMenu": () => showMenu(completion),
    "lucastra.completion.snooze": () => completion.snooze(snoozeMinutes()),
    "lucastra.completion.resume": () => completion.resume(),
  };
  return Disposable.from(
    doctor,
    ...Object.entries(handlers).map(([name, handler]) => commands.registerCommand(name, () => tellFailure(handler))),
  );
}

/** Bring the window's folders up to date, with progress that can be cancelled. */
async function reindex(lucastra: LucAstra, monitor: StatusMonitor): Promise<void> {
  const folders = folderPaths();
  if (folders.length === 0) {
    throw new Error("Open a folder first; LucAstra indexes folders.");
  }
  for (const path of folders) {
    const options = { location: ProgressLocation.Notification, title: `LucAstra: indexing ${path}`, cancellable: true };
    await window.withProgress(options, async (progress, token) => {
      let shown = 0;
      monitor.refresh();
      const result = await lucastra.requestWithProgress(
        "lucastra/index",
        { path, wait: true },
        ({ message, percentage }) => {
          const increment = percentage === undefined ? 0 : Math.max(0, percentage - shown);
          shown += increment;
          progress.report({ increment, ...(message === undefined ? {} : { message }) });
        },
        token,
      );
      const { files = 0 } = result.workspace;
      window.setStatusBarMessage(`LucAstra: ${files.toLocaleString("en")} files are indexed`, 5_000);
    });
  }
  monitor.refresh();
}

/** What the daemon finds of itself, as a read-only document. */
class DoctorDocument implements Disposable {
  readonly #changed = new EventEmitter<Uri>();
  readonly #registration: Disposable;
  #text = "";

  constructor() {
    this.#registration = workspace.registerTextDocumentContentProvider(DOCTOR_URI.scheme, {
      onDidChange: this.#changed.event,
      provideTextDocumentContent: () => this.#text,
    });
  }

  async examine(lucastra: LucAstra): Promise<void> {
    const options = { location: ProgressLocation.Notification, title: "LucAstra: examining…", cancellable: true };
    const { state } = lucastra;
    const result = await window.withProgress(options, (_, token) => lucastra.request("lucastra/doctor", {}, token));
    this.#text = reportOf(result, state.kind === "ready" ? state : undefined);
    this.#changed.fire(DOCTOR_URI);
    await window.showTextDocument(DOCTOR_URI, { preview: true });
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }
}

async function showMenu(completion: Completion): Promise<void> {
  const snoozed = completion.snoozedUntil !== undefined;
  const entries: (QuickPickItem & { command: string })[] = [
    snoozed
      ? { label: "$(bell) Resume inline completion", command: "lucastra.completion.resume" }
      : {
          label: `$(bell-slash) Snooze inline completion for ${snoozeMinutes()} minutes`,
          command: "lucastra.completion.snooze",
        },
    { label: "$(refresh) Reindex workspace", command: "lucastra.reindex" },
    { label: "$(pulse) Check installation", command: "lucastra.doctor" },
    { label: "$(gear) Open configuration", command: "lucastra.openConfig" },
    { label: "$(output) Show logs", command: "lucastra.showLogs" },
    { label: "$(debug-restart) Restart connection", command: "lucastra.restart" },
    { label: "$(book) Get started", command: "lucastra.openWalkthrough" },
  ];
  const chosen = await window.showQuickPick(entries, { title: "LucAstra" });
  if (chosen !== undefined) {
    await commands.executeCommand(chosen.command);
  }
}

function snoozeMinutes(): number {
  return workspace.getConfiguration("lucastra").get<number>("completion.snoozeMinutes", 15);
}

/** Run a command, and show the user why it failed: the daemon's messages are made for that. */
async function tellFailure(handler: () => unknown): Promise<void> {
  try {
    await handler();
  } catch (error) {
    if (!isCancelled(error)) {
      void window.showErrorMessage(`LucAstra: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function isCancelled(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === ErrorCode.REQUEST_CANCELLED;
}
