import { expect, test } from "vitest";
import type { StatusResult, WorkspaceStatus } from "../protocol";
import { describe, type Snapshot, workspacesOf } from "./describe";

const SHOP: WorkspaceStatus = {
  root: "/src/shop",
  state: "ready",
  freshness: "fresh",
  files: 2790,
  chunks: 31204,
  embedded: 31204,
};

function snapshot(workspace: Partial<WorkspaceStatus> = {}, changes: Partial<Snapshot> = {}): Snapshot {
  return {
    state: { kind: "ready", server: "/bin/lucastrad", version: "1.1.0" },
    status: status({ ...SHOP, ...workspace }),
    silent: false,
    folders: ["/src/shop"],
    completion: { enabled: true, snoozedUntil: undefined, problem: "" },
    ...changes,
  };
}

function status(...workspaces: WorkspaceStatus[]): StatusResult {
  return {
    daemonVersion: "1.1.0",
    pid: 1,
    uptimeSeconds: 1,
    home: "/home/ada/.lucastra",
    memoryBytes: 1,
    clients: 1,
    embeddings: { provider: "local", model: "lucastra-static", dimensions: 256 },
    provider: "ollama",
    workspaces,
  };
}

test("says that an indexed folder is up to date, and who answers", () => {
  const { text, severity, lines } = describe(snapshot());
  expect([text, severity]).toEqual(["$(check) LucAstra", "normal"]);
  expect(lines).toEqual(["shop: 2,790 files, 31,204 passages, up to date", "Answers: ollama", "Inline completion: on"]);
});

test.each([
  [{ state: "scanning" }, "scanning"],
  [{ state: "indexing", freshness: "stale", files: 25, queued: 75 }, "indexing 25%"],
  [{ state: "embedding", freshness: "pending", chunks: 1000, embedded: 999 }, "embedding 99%"],
  [{ freshness: "stale" }, "updating"],
] as const)("shows the progress of %o", (workspace, expected) => {
  expect(describe(snapshot(workspace)).text).toBe(`$(sync~spin) LucAstra: ${expected}`);
});

test("problems of the daemon, of the folder and of completion are warnings", () => {
  const problem = "the disk is full";
  const completion = { enabled: true, snoozedUntil: undefined, problem: "llm refused the key" };
  const { severity, lines } = describe(snapshot({ problems: [problem] }, { completion }));
  expect(severity).toBe("warning");
  expect(lines).toContain("Problem: the disk is full");
  expect(lines).toContain("Problem: Inline completion: llm refused the key");
});

test.each([
  ["starting", "$(sync~spin) LucAstra", "normal"],
  ["reconnecting", "$(sync~spin) LucAstra: reconnecting", "warning"],
  ["missing", "$(error) LucAstra: not installed", "error"],
  ["incompatible", "$(error) LucAstra: update needed", "error"],
  ["failed", "$(error) LucAstra: not connected", "error"],
  ["stopped", "$(circle-slash) LucAstra", "normal"],
] as const)("says so while it is %s", (kind, text, severity) => {
  const state = { kind, message: "reason", outdated: "server" as const };
  expect(describe(snapshot({}, { state, status: undefined }))).toMatchObject({ text, severity });
});

test("says that the daemon does not answer, whatever it said before, and what helps", () => {
  const { text, severity, lines } = describe(snapshot({}, { silent: true }));
  expect([text, severity]).toEqual(["$(warning) LucAstra: not answering", "warning"]);
  expect(lines).toEqual(['The daemon does not answer. "LucAstra: Restart Connection" ends what waits for it.']);
});

test("without a provider, completion says what it needs", () => {
  const without = { ...status(SHOP), provider: null };
  const { lines } = describe(snapshot({}, { status: without }));
  expect(lines).toContain("Answers: no provider configured");
  expect(lines).toContain("Inline completion: needs a provider");
});

test("only workspaces of this window count", () => {
  const roots = ["/src/shop", "/src", "/src/shop/web", "/src/shopping", "/other"].map((root) => ({ ...SHOP, root }));
  const found = workspacesOf(status(...roots), ["/src/shop"]).map(({ root }) => root);
  expect(found).toEqual(["/src/shop", "/src", "/src/shop/web"]);
});
