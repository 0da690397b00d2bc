import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  type CancellationToken,
  commands,
  InlineCompletionTriggerKind,
  Position,
  type TextDocument,
  Uri,
  window,
  workspace,
} from "vscode";
import { Completion } from "./completion";

const ACCEPTED = { title: "accepted", command: "lucastra.completion.accepted", arguments: [{ id: "c1" }] };
const ITEMS = [{ insertText: "return 1", command: ACCEPTED }];
const DOCUMENT = { uri: Uri.file("/src/shop/retry.py"), languageId: "python" } as TextDocument;
const TOKEN = { isCancellationRequested: false } as CancellationToken;

let completion: Completion;
let enabled: boolean;
const next = vi.fn();
const tell = vi.fn();
let accept: (argument: { id: string }) => void;

beforeEach(() => {
  vi.useFakeTimers();
  enabled = true;
  next.mockReset().mockResolvedValue(ITEMS);
  vi.spyOn(workspace, "getConfiguration").mockReturnValue({ get: () => enabled } as never);
  vi.spyOn(commands, "registerCommand").mockImplementation((name, run) => {
    expect(name).toBe(ACCEPTED.command);
    accept = run;
    return { dispose: () => {} };
  });
  tell.mockReset();
  cursorAt(DOCUMENT, new Position(0, 0));
  completion = new Completion(tell);
});
afterEach(() => {
  completion.dispose();
  vi.useRealTimers();
});

function cursorAt(document: TextDocument, active: Position): void {
  Object.assign(window, { activeTextEditor: { document, selection: { active } } });
}

function complete(triggerKind = InlineCompletionTriggerKind.Automatic): unknown {
  const context = { triggerKind, selectedCompletionInfo: undefined };
  return completion.middleware.provideInlineCompletionItems?.(DOCUMENT, new Position(0, 0), context, TOKEN, next);
}

test("passes on what the daemon offers", async () => {
  expect(await complete()).toBe(ITEMS);
});

test("asks for nothing in a language that it is switched off for", async () => {
  enabled = false;
  expect(await complete(InlineCompletionTriggerKind.Invoke)).toBeUndefined();
  expect(next).not.toHaveBeenCalled();
});

test("a snooze holds back what nobody asked for, until it ends", async () => {
  completion.snooze(15);
  expect(await complete()).toBeUndefined();
  expect(await complete(InlineCompletionTriggerKind.Invoke)).toBe(ITEMS);
  vi.advanceTimersByTime(15 * 60_000);
  expect(completion.snoozedUntil).toBeUndefined();
  expect(await complete()).toBe(ITEMS);
});

test("a failure is kept for the status, and forgotten with the next success", async () => {
  const told = vi.fn();
  completion.onDidChange(told);
  next.mockRejectedValueOnce(new Error("llm refused the key"));
  expect(await complete()).toBeUndefined();
  expect(completion.problem).toBe("llm refused the key");
  await complete();
  expect(completion.problem).toBe("");
  expect(told).toHaveBeenCalledTimes(2);
});

test("the daemon is told what is shown, and what is accepted", async () => {
  await complete();
  expect(tell.mock.calls).toEqual([["lucastra/completion/didShow", { id: "c1" }]]);
  accept({ id: "c1" });
  expect(tell.mock.calls.at(-1)).toEqual(["lucastra/completion/accepted", { id: "c1" }]);
});

test.each([
  ["the cursor has moved on", () => cursorAt(DOCUMENT, new Position(0, 1))],
  ["another file is edited", () => cursorAt({ uri: Uri.file("/src/other.py") } as TextDocument, new Position(0, 0))],
  ["nothing is offered", () => next.mockResolvedValue({ items: [] })],
])("nothing is reported as shown where %s", async (_, change) => {
  change();
  await complete();
  expect(tell).not.toHaveBeenCalled();
});
