import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { LogOutputChannel } from "vscode";
import { RelayLauncher } from "./relay";

vi.mock("./surroundings", () => ({ serverEnvironment: () => process.env }));
// A client whose server never answers.
vi.mock("vscode-languageclient/node", () => ({
  CloseAction: {},
  CodeActionRequest: {},
  ErrorAction: {},
  ExecuteCommandRequest: {},
  LanguageClient: class {
    start = () => new Promise(() => {});
    dispose = async () => {};
  },
  RevealOutputChannelOn: {},
}));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "relay-"));
});
afterEach(() => rm(folder, { recursive: true }));

test.each([
  [69, "DaemonSilent"],
  [1, "Error"],
])("a relay that ends with status %i is a failure of the kind %s", async (status, name) => {
  const path = join(folder, "lucastrad");
  await writeFile(path, `#!/bin/sh\necho "lucastrad: it said nothing" >&2\nexit ${status}\n`, { mode: 0o755 });
  const launcher = new RelayLauncher({} as LogOutputChannel, {});
  const starting = launcher.start({ path, version: "1.1.0" }, new AbortController().signal);
  await expect(starting).rejects.toMatchObject({ name, message: "it said nothing" });
});
