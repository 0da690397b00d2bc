import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  type CancellationToken,
  InlineCompletionTriggerKind,
  Position,
  type TextDocument,
  Uri,
  workspace,
} from "vscode";
import { Completion } from "./completion";

const ITEMS = [{ insertText: "return 1" }];
const DOCUMENT = { uri: Uri.file("/src/shop/retry.py"), languageId: "python" } as TextDocument;
const TOKEN = { isCancellationRequested: false } as CancellationToken;

let completion: Completion;
let enabled: boolean;
const next = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  enabled = true;
  next.mockReset().mockResolvedValue(ITEMS);
  vi.spyOn(workspace, "getConfiguration").mockReturnValue({ get: () => enabled } as never);
  completion = new Completion();
});
afterEach(() => {
  completion.dispose();
  vi.useRealTimers();
});

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
