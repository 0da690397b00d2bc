import { expect, test } from "vitest";
import type { Hit } from "./protocol";
import { asText } from "./tool";

const HIT: Hit = {
  uri: "file:///src/shop/shop/retry.py",
  path: "shop/retry.py",
  workspace: "/src/shop",
  range: { start: { line: 3, character: 0 }, end: { line: 5, character: 0 } },
  content: "def retry():\n    pass\n",
  score: 0.9,
  language: "python",
  symbol: "retry",
};

test("a model reads where each passage is, with 1-based lines", () => {
  expect(asText({ hits: [HIT] }, ["/src/shop"])).toBe(
    "shop/retry.py:4-5 (retry)\n```python\ndef retry():\n    pass\n```",
  );
});

test("a passage that holds a fence does not end its own", () => {
  const text = asText({ hits: [{ ...HIT, content: "````\ncode\n````\n" }] }, []);
  expect(text.split("\n")[1]).toBe("`````python");
});

test("nothing found is said, with the daemon's notices", () => {
  expect(asText({ notices: ["2 files wait to be indexed"] }, [])).toBe(
    "Nothing was found.\n\n2 files wait to be indexed",
  );
});

test("of several folders, a passage's own is named", () => {
  expect(asText({ hits: [HIT] }, ["/src/shop", "/src/garden"])).toMatch(/^shop\/shop\/retry\.py:4-5/);
});
