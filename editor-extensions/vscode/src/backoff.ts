// How long to wait before the next attempt to connect.

/** After so many failures in a row the user is asked. */
export const MAX_FAILURES = 6;

/** A connection that lasted longer has not failed at starting: counting begins anew. */
export const SETTLED_MS = 30_000;

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/** Milliseconds to wait after `failures` (1 and more) failures in a row. */
export function backoffMs(failures: number): number {
  return Math.min(FIRST_MS * 2 ** (failures - 1), LONGEST_MS);
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
