// Line numbers of the contract's ranges, as people and editors count them. Pure.

import type { Range } from "../protocol";

/** The first and last line, from 0, of a range whose end is exclusive, in a document that may have become shorter. */
export function wholeLines(range: Range, lineCount = Number.MAX_SAFE_INTEGER): { first: number; last: number } {
  const end = range.end.character === 0 && range.end.line > range.start.line ? range.end.line - 1 : range.end.line;
  const last = Math.max(0, Math.min(end, lineCount - 1));
  return { first: Math.min(range.start.line, last), last };
}

/** Lines as people count them: `12` or `12–20`. */
export function lineLabel(range: Range): string {
  const { first, last } = wholeLines(range);
  return first === last ? `${first + 1}` : `${first + 1}–${last + 1}`;
}
