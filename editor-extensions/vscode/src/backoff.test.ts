import { expect, test, vi } from "vitest";
import { backoffMs, sleep } from "./backoff";

test("waits twice as long after each failure, up to ten seconds", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 20].map(backoffMs)).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test("a sleep ends at once when it is aborted", async () => {
  vi.useFakeTimers();
  const abort = new AbortController();
  const sleeping = sleep(60_000, abort.signal);
  abort.abort();
  await sleeping;
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
