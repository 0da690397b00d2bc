import { h } from "preact";
import { render } from "preact-render-to-string";
import { describe, expect, it } from "vitest";
import type { SearchResult } from "../protocol";
import { hit } from "../webview/samples";
import { NOTHING_SELECTED } from "./selection";
import { emptySearch, NO_FILTERS, reduceSearch, type SearchState } from "./state";
import { SearchView } from "./view";

const nothing = (): void => {};

function shown(state: SearchState): string {
  return render(
    h(SearchView, {
      state,
      query: "",
      filters: NO_FILTERS,
      showFilters: false,
      selection: NOTHING_SELECTED,
      onQuery: nothing,
      onFilters: nothing,
      onToggleFilters: nothing,
      onSearch: nothing,
      onOpen: nothing,
      onSimilar: nothing,
      onFold: nothing,
      onMore: nothing,
      onCure: nothing,
    }),
  );
}

function found(result: SearchResult, query = "", folders = 1): SearchState {
  const asked = reduceSearch(emptySearch(), { type: "asked", subject: { kind: "words", query }, filters: NO_FILTERS });
  return reduceSearch(asked, { type: "found", search: 1, question: 1, limit: 20, folders, result });
}

describe("the search view", () => {
  it("shows what was found as text, whatever it holds", () => {
    const html = shown(found({ hits: [hit("<img src=x>.py", 0, "<script>alert(1)</script> retry")] }, "retry"));
    expect(html).toContain("&lt;script>alert(1)&lt;/script> <mark>retry</mark>");
    expect(html).toContain("&lt;img src=x>.py");
    expect(html).not.toContain("<script");
  });

  it("says how many results there are, how long it took, and that the index has caught up", () => {
    const html = shown(found({ hits: [hit("a.py"), hit("b.py"), hit("a.py", 9)], elapsedMs: 3.7 }));
    expect(html).toContain("3 results in 2 files, 4 ms");
    expect(html).toContain("Up to date");
    expect(html).not.toContain("Search again");
  });

  it("says that the index has not caught up, and offers to search again", () => {
    const html = shown(found({ hits: [hit("a.py")], freshness: "stale", notices: ["a folder is missing"] }));
    expect(html).toContain("Indexing changes");
    expect(html).toContain("Search again");
    expect(html).toContain("A folder is missing");
  });

  it("shows a failure with buttons for its cures", () => {
    const failure = { message: "It is no workspace.", cures: ["index" as const] };
    const html = shown(reduceSearch(emptySearch(), { type: "failed", failure }));
    expect(html).toContain("It is no workspace.");
    expect(html).toContain("Index This Workspace");
  });

  it("names the folder of each file where several are searched, also if all are of one", () => {
    const hits = [hit("lib/a.py"), { ...hit("b.py"), uri: "file:///srv/web/b.py", workspace: "/srv/web" }];
    expect(shown(found({ hits }, "", 2))).toMatch(/>w · lib<.*>web</u);
    expect(shown(found({ hits: hits.slice(0, 1) }, "", 2))).toContain(">w · lib<");
    expect(shown(found({ hits: hits.slice(0, 1) }))).toContain(">lib<");
  });

  it("tells assistive technology which result Enter opens", () => {
    const html = shown(found({ hits: [hit("a.py"), hit("b.py")] }));
    expect(html).toContain('aria-activedescendant="hit-0"');
    expect(html).toMatch(/id="hit-0" role="option" aria-selected="true"/u);
    expect(html).toMatch(/id="hit-1" role="option" aria-selected="false"/u);
  });
});
