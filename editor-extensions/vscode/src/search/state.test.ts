import { describe, expect, it } from "vitest";
import { hit } from "../webview/samples";
import { chosen, moved, NOTHING_SELECTED, toggled, within } from "./selection";
import { emptySearch, groupByFile, listed, type Results, reduceSearch, type SearchAction } from "./state";

const FILTERS = { mode: "hybrid", languages: "", paths: "" } as const;

const FOUND = {
  type: "found",
  search: 1,
  question: 1,
  limit: 20,
  folders: 1,
  result: { hits: [hit("a.py")] },
} satisfies SearchAction;

function results(...paths: string[]): Results {
  const hits = paths.map((path, place) => hit(path, paths.indexOf(path) === place ? 0 : place * 10));
  return { search: 7, question: 7, hits, freshness: "fresh", elapsedMs: 1, notices: [], limit: 20, folders: 1 };
}

describe("the search view's state", () => {
  it("keeps the former results while the next search runs, and not when it fails", () => {
    const found = reduceSearch(emptySearch(), FOUND);
    const searching = reduceSearch(found, { type: "asked", subject: { kind: "words", query: "b" }, filters: FILTERS });
    expect(searching).toMatchObject({ searching: true, results: { search: 1 } });
    const failed = reduceSearch(searching, { type: "failed", failure: { message: "No.", cures: [] } });
    expect(failed).toMatchObject({ searching: false, results: null, failure: { message: "No." } });
  });

  it("forgets all but the filters when the query is emptied", () => {
    const filters = { mode: "keyword", languages: "go", paths: "" } as const;
    const found = reduceSearch(emptySearch(), FOUND);
    const cleared = reduceSearch(found, { type: "cleared", subject: { kind: "words", query: "" }, filters });
    expect(cleared).toEqual(emptySearch(filters));
  });

  it("splits what was typed into a filter at commas and blanks", () => {
    expect(listed(" python, go  rust,")).toEqual(["python", "go", "rust"]);
    expect(listed("  ")).toEqual([]);
  });
});

describe("results by file", () => {
  it("come in the order of each file's best hit", () => {
    const groups = groupByFile(results("src/b.py", "a.py", "src/b.py").hits);
    expect(groups.map(({ name, folder, hits }) => [name, folder, hits])).toEqual([
      ["b.py", "src", [0, 2]],
      ["a.py", "", [1]],
    ]);
  });

  it("are walked in the order in which they are shown, and not beyond either end", () => {
    const shown = results("b.py", "a.py", "b.py");
    let selection = within(NOTHING_SELECTED, shown);
    const places = [1, 1, 1, -1, -5].map((by) => {
      selection = moved(selection, shown, by);
      return selection.place;
    });
    expect(places).toEqual([2, 1, 1, 2, 0]);
  });

  it("are left out of the walk where their file is folded", () => {
    const shown = results("b.py", "a.py", "b.py");
    const folded = toggled(within(NOTHING_SELECTED, shown), "file:///w/b.py");
    expect(moved(folded, shown, 1).place).toBe(1);
    expect(toggled(folded, "file:///w/b.py").folded).toEqual([]);
  });

  it("of another question begin at their first", () => {
    const before = { question: 6, hit: null, place: 4, folded: ["file:///w/a.py"] };
    expect(within(before, results("a.py"))).toEqual({ question: 7, hit: null, place: 0, folded: [] });
  });

  it("keep the chosen one wherever the index's news move it, and what is folded", () => {
    const selection = toggled(chosen(NOTHING_SELECTED, results("a.py", "b.py"), 1), "file:///w/a.py");
    const later = results("new.py", "a.py", "b.py");
    expect(within(selection, later)).toMatchObject({ place: 2, folded: ["file:///w/a.py"] });
    expect(moved(selection, later, 1).place).toBe(2);
  });

  it("keep the place of a chosen one that is gone, and the best on top where none was chosen", () => {
    const selection = chosen(NOTHING_SELECTED, results("a.py", "b.py", "c.py"), 2);
    expect(within(selection, results("a.py", "b.py")).place).toBe(1);
    expect(within(selection, results()).place).toBe(0);
    expect(within(within(NOTHING_SELECTED, results("a.py")), results("new.py", "a.py")).place).toBe(0);
  });
});
