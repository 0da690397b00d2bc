// What the status item says. Pure: values in, words out.

import type { State } from "../daemon";
import type { StatusResult, WorkspaceStatus } from "../protocol";

/** All that the status item depends on. */
export interface Snapshot {
  state: State;
  /** What the daemon said last; undefined before it has said anything. */
  status: StatusResult | undefined;
  /** Whether the daemon is connected and does not answer. */
  silent: boolean;
  /** The window's folders, absolute. */
  folders: readonly string[];
  completion: { enabled: boolean; snoozedUntil: Date | undefined; problem: string };
}

export interface Appearance {
  /** May hold `$(icon)`. */
  text: string;
  severity: "normal" | "warning" | "error";
  /** Plain text, one line each. */
  lines: string[];
}

export function describe(snapshot: Snapshot): Appearance {
  const { state, status } = snapshot;
  switch (state.kind) {
    case "starting":
      return { text: "$(sync~spin) LucAstra", severity: "normal", lines: ["Connecting to the daemon…"] };
    case "reconnecting":
      return {
        text: "$(sync~spin) LucAstra: reconnecting",
        severity: "warning",
        lines: [`Reconnecting: ${state.message}`],
      };
    case "missing":
      return { text: "$(error) LucAstra: not installed", severity: "error", lines: [state.message] };
    case "incompatible":
      return { text: "$(error) LucAstra: update needed", severity: "error", lines: [state.message] };
    case "failed":
      return { text: "$(error) LucAstra: not connected", severity: "error", lines: [state.message] };
    case "stopped":
      return { text: "$(circle-slash) LucAstra", severity: "normal", lines: ["Stopped."] };
    case "ready":
      if (snapshot.silent) {
        const cure = '"LucAstra: Restart Connection" ends what waits for it.';
        return {
          text: "$(warning) LucAstra: not answering",
          severity: "warning",
          lines: [`The daemon does not answer. ${cure}`],
        };
      }
      return status === undefined
        ? { text: "$(sync~spin) LucAstra", severity: "normal", lines: ["Connected."] }
        : describeReady(snapshot, status);
  }
}

/** The workspaces of these that hold one of `folders`, or lie in one. */
export function workspacesOf(status: StatusResult, folders: readonly string[]): WorkspaceStatus[] {
  return (status.workspaces ?? []).filter(({ root }) =>
    folders.some((folder) => holds(root, folder) || holds(folder, root)),
  );
}

/** Whether something is going on that will make answers better. */
export function isBusy(workspace: WorkspaceStatus): boolean {
  return workspace.freshness !== "fresh" || ["scanning", "indexing", "embedding"].includes(workspace.state);
}

function describeReady(snapshot: Snapshot, status: StatusResult): Appearance {
  const workspaces = workspacesOf(status, snapshot.folders);
  const busy = workspaces.find(isBusy);
  const problems = [
    ...(status.problems ?? []),
    ...workspaces.flatMap((workspace) => workspace.problems ?? []),
    ...(snapshot.completion.problem === "" ? [] : [`Inline completion: ${snapshot.completion.problem}`]),
  ];
  const lines = [
    ...workspaces.map(describeWorkspace),
    ...(workspaces.length === 0 ? ["No folder of this window is indexed."] : []),
    `Answers: ${status.provider ?? "no provider configured"}`,
    `Inline completion: ${describeCompletion(snapshot, status)}`,
    ...workspaces.flatMap((workspace) => workspace.notices ?? []),
    ...problems.map((problem) => `Problem: ${problem}`),
  ];
  if (problems.length > 0 || workspaces.some(({ state }) => state === "failed" || state === "missing")) {
    return { text: "$(warning) LucAstra", severity: "warning", lines };
  }
  if (busy !== undefined) {
    return { text: `$(sync~spin) LucAstra: ${progressOf(busy)}`, severity: "normal", lines };
  }
  const icon = snapshot.completion.snoozedUntil === undefined ? "$(check)" : "$(bell-slash)";
  return { text: `${icon} LucAstra`, severity: "normal", lines };
}

function describeWorkspace(workspace: WorkspaceStatus): string {
  const name = workspace.root.split("/").at(-1) || workspace.root;
  const files = `${(workspace.files ?? 0).toLocaleString("en")} files`;
  if (workspace.state === "failed" || workspace.state === "missing") {
    return `${name}: ${workspace.state}`;
  }
  if (isBusy(workspace)) {
    return `${name}: ${progressOf(workspace)}, ${files} so far`;
  }
  return `${name}: ${files}, ${(workspace.chunks ?? 0).toLocaleString("en")} passages, up to date`;
}

function progressOf(workspace: WorkspaceStatus): string {
  const { files = 0, queued = 0, chunks = 0, embedded = 0 } = workspace;
  if (workspace.state === "scanning") {
    return "scanning";
  }
  if (queued > 0) {
    return `indexing ${percent(files, files + queued)}`;
  }
  return chunks > embedded ? `embedding ${percent(embedded, chunks)}` : "updating";
}

function percent(done: number, total: number): string {
  return `${Math.floor((100 * done) / total)}%`;
}

function describeCompletion(snapshot: Snapshot, status: StatusResult): string {
  const { enabled, snoozedUntil } = snapshot.completion;
  if (!enabled) {
    return "off for this language";
  }
  if (snoozedUntil !== undefined) {
    return `snoozed until ${snoozedUntil.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
  }
  return status.provider == null ? "needs a provider" : "on";
}

function holds(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
}
