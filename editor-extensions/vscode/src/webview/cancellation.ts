// An abort signal as the editor's cancellation token.

import { type CancellationToken, CancellationTokenSource } from "vscode";

/** A token that is cancelled when `signal` is aborted. */
export function tokenOf(signal: AbortSignal): CancellationToken {
  const source = new CancellationTokenSource();
  if (signal.aborted) {
    source.cancel();
  } else {
    signal.addEventListener("abort", () => source.cancel(), { once: true });
  }
  return source.token;
}

/** A signal that is aborted when `token` is cancelled. */
export function signalOf(token: CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) {
    controller.abort();
  } else {
    token.onCancellationRequested(() => controller.abort());
  }
  return controller.signal;
}
