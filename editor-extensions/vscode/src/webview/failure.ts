// What went wrong, as a view shows it: a sentence, and buttons for what may cure it.

import { ErrorCode } from "../protocol";

export type Cure = "configure" | "index" | "logs" | "restart" | "retry";

export interface Failure {
  message: string;
  cures: Cure[];
}

/** What each cure's button says. */
export const CURE_LABELS: Record<Cure, string> = {
  configure: "Open Configuration",
  index: "Index This Workspace",
  logs: "Show Logs",
  restart: "Restart Connection",
  retry: "Try Again",
};

const CURES = new Map<number, Cure[]>([
  [ErrorCode.WORKSPACE_NOT_FOUND, ["index", "retry"]],
  [ErrorCode.CONFIG_INVALID, ["configure", "retry"]],
  [ErrorCode.PROVIDER_FAILED, ["retry", "configure"]],
  [ErrorCode.CONVERSATION_BUSY, ["retry"]],
  [ErrorCode.CONVERSATION_NOT_FOUND, []],
  [ErrorCode.INVALID_PARAMS, []],
  [ErrorCode.STORE_UNAVAILABLE, ["retry", "logs"]],
  [ErrorCode.VERSION_MISMATCH, ["restart", "logs"]],
  [ErrorCode.SERVER_CANCELLED, ["retry"]],
]);

/** The failure that a request ended with; without a code of the contract, the connection itself is what failed. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  const cures = CURES.get(codeOf(error) ?? 0) ?? ["retry", "restart", "logs"];
  return { message: sentence(message), cures };
}

/** Whether the request ended because it was cancelled. */
export function isCancellation(error: unknown): boolean {
  return codeOf(error) === ErrorCode.REQUEST_CANCELLED;
}

export function codeOf(error: unknown): number | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "number" ? code : undefined;
}

/** What a provider had written before it failed. */
export function partialTextOf(error: unknown): string {
  const data = error instanceof Error && "data" in error ? error.data : undefined;
  if (typeof data === "object" && data !== null && "partialText" in data && typeof data.partialText === "string") {
    return data.partialText;
  }
  return "";
}

function sentence(message: string): string {
  const text = message.trim() || "The request failed without a reason.";
  return text.charAt(0).toUpperCase() + text.slice(1);
}
