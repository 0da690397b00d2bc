import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type LogOutputChannel, window, workspace } from "vscode";
import type { LucAstra, State } from "../daemon";
import type { StatusResult } from "../protocol";
import { StatusMonitor } from "./monitor";

const NOTHING = { dispose: () => {} };
const STATUS = { workspaces: [] } as unknown as StatusResult;

let monitor: StatusMonitor;
let enter: (state: State) => void;
let answer: (status: StatusResult) => void;
const asked = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  asked.mockReset();
  Object.assign(window, { onDidChangeWindowState: () => NOTHING, state: { focused: true } });
  Object.assign(workspace, { onDidSaveTextDocument: () => NOTHING, onDidChangeWorkspaceFolders: () => NOTHING });
  const lucastra = {
    state: { kind: "ready" },
    onDidChangeState: (listener: typeof enter) => {
      enter = listener;
      return NOTHING;
    },
    request: (method: string) => {
      asked(method);
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
  };
  monitor = new StatusMonitor(lucastra as unknown as LucAstra, { warn: () => {} } as unknown as LogOutputChannel);
});
afterEach(() => {
  monitor.dispose();
  vi.useRealTimers();
});

test("notices that the daemon does not answer, and that it does again", async () => {
  const changes: boolean[] = [];
  monitor.onDidChange(() => changes.push(monitor.isSilent));
  enter({ kind: "ready", server: "/bin/lucastrad", version: "1.1.0" });
  await vi.advanceTimersByTimeAsync(9_999);
  expect(changes).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(changes).toEqual([true]);
  answer(STATUS);
  await vi.advanceTimersByTimeAsync(0);
  expect(changes.at(-1)).toBe(false);
  expect(monitor.current).toBe(STATUS);
});

test("asks one question at a time, and again after the answer", async () => {
  enter({ kind: "ready", server: "/bin/lucastrad", version: "1.1.0" });
  monitor.refresh();
  expect(asked).toHaveBeenCalledTimes(1);
  answer(STATUS);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(asked.mock.calls).toEqual([["lucastra/status"], ["lucastra/status"]]);
});
