// Values that tests of several views use.

import type { Citation, Hit } from "../protocol";

/** A passage of three lines. */
export function hit(path: string, line = 0, content = "def f(): ...\n"): Hit {
  return {
    uri: `file:///w/${path}`,
    path,
    workspace: "/w",
    range: { start: { line, character: 0 }, end: { line: line + 3, character: 0 } },
    content,
    score: 1,
    language: "python",
  };
}

/** Passages numbered from 1. */
export function citations(...paths: string[]): Citation[] {
  return paths.map((path, place) => ({ number: place + 1, hit: hit(path, place * 10) }));
}
