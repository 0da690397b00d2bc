import { describe, expect, it } from "vitest";
import { CitationCutter, cutCitations, type Part } from "./citations";

const KNOWN = new Set([1, 2, 3]);

function written(parts: readonly Part[]): string {
  return parts.map((part) => (part.numbers === undefined ? part.text : `<${part.numbers.join("+")}>`)).join("");
}

describe("prose", () => {
  it.each([
    ["It runs [1].", "It runs <1>."],
    ["[1][2] and [1, 2]", "<1><2> and <1+2>"],
    ["[1-3] or [1–2]", "<1+2+3> or <1+2>"],
    ["[3, 7] has one that there is", "<3> has one that there is"],
    ["[7] has none, items[x], [ ]", "[7] has none, items[x], [ ]"],
    ["[1-9999] is none", "[1-9999] is none"],
  ])("%s", (prose, expected) => {
    expect(written(cutCitations(prose, KNOWN))).toBe(expected);
  });
});

describe("an answer that arrives in pieces", () => {
  it.each([
    [["It ", "runs [1]", ", and [2]."], "It runs <1>, and <2>."],
    [["`a[1]`", " but [1]"], "`a[1]` but <1>"],
    [["``a`[1]`", "` [1]"], "``a`[1]`` <1>"],
    [["```py\na[1]\n", "``", "`\nSee [1]."], "```py\na[1]\n```\nSee <1>."],
    [["~~~\n[1]\n~~~\n[1]"], "~~~\n[1]\n~~~\n<1>"],
    [["````\n```\n[1]\n````\n[1]"], "````\n```\n[1]\n````\n<1>"],
    [["a ~ b [1] ends with `"], "a ~ b <1> ends with `"],
  ])("%j", (pieces, expected) => {
    const cutter = new CitationCutter(() => KNOWN);
    const parts = [...pieces.flatMap((piece) => cutter.feed(piece)), ...cutter.end()];
    expect(written(parts)).toBe(expected);
  });
});
