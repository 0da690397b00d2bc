import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SearchResult } from "../protocol";
import { hit } from "../webview/samples";
import { type Ask, SearchSession } from "./session";
import type { Subject } from "./state";

const FILTERS = { mode: "hybrid", languages: "", paths: "" } as const;
const words = (query: string): Subject => ({ kind: "words", query });

interface Request {
  method: string;
  params: Record<string, unknown>;
  signal: AbortSignal;
  reply(result: SearchResult): void;
  refuse(error: Error): void;
}

function session(filters: { mode: "hybrid" | "keyword" | "vector"; languages: string; paths: string } = FILTERS) {
  const requests: Request[] = [];
  const ask = ((method, params, signal) =>
    new Promise((resolve, reject) => {
      requests.push({ method, params: params as never, signal, reply: resolve as never, refuse: reject });
      signal.addEventListener("abort", () => reject(Object.assign(new Error("cancelled"), { code: -32800 })));
    })) as Ask;
  const remember = vi.fn();
  return { requests, remember, session: new SearchSession({ ask, folders: () => ["/w"], remember }, filters) };
}

describe("a search session", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("searches once the typing pauses, for what was typed last", async () => {
    const { session: search, requests } = session();
    for (const query of ["r", "re", "retry"]) {
      search.typed(words(query), FILTERS);
      await vi.advanceTimersByTimeAsync(50);
    }
    expect(requests).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(requests.map((request) => request.params["query"])).toEqual(["retry"]);
  });

  it("cancels a search when another begins, and shows the newest only", async () => {
    const { session: search, requests } = session();
    void search.search(words("old"), FILTERS);
    void search.search(words("new"), FILTERS);
    expect(requests.map((request) => request.signal.aborted)).toEqual([true, false]);
    requests[1]?.reply({ hits: [hit("new.py")] });
    await vi.advanceTimersByTimeAsync(0);
    expect(search.replica.state).toMatchObject({
      searching: false,
      failure: null,
      results: { hits: [{ path: "new.py" }] },
    });
  });

  it("sends the filters as lists, and remembers them", async () => {
    const { session: search, requests, remember } = session();
    const filters = { mode: "keyword", languages: "python, go", paths: "src/** !tests/" } as const;
    void search.search(words(" load_config "), filters);
    expect(requests[0]).toMatchObject({
      method: "lucastra/search",
      params: {
        query: "load_config",
        mode: "keyword",
        limit: 20,
        languages: ["python", "go"],
        paths: ["src/**", "!tests/"],
        workspaces: ["/w"],
      },
    });
    expect(remember).toHaveBeenCalledWith(filters);
  });

  it("asks for passages like the one at a place", () => {
    const { session: search, requests } = session();
    void search.search({ kind: "similar", uri: "file:///w/a.py", line: 4, label: "a.py:5" }, FILTERS);
    expect(requests[0]).toMatchObject({ method: "lucastra/related", params: { path: "file:///w/a.py", line: 4 } });
  });

  it("searches for nothing when the query is empty, and ends the search that runs", async () => {
    const { session: search, requests } = session();
    void search.search(words("old"), FILTERS);
    await search.search(words("  "), FILTERS);
    expect(requests.map((request) => request.signal.aborted)).toEqual([true]);
    expect(search.replica.state).toMatchObject({ searching: false, results: null, failure: null });
  });

  it("says what went wrong and what may cure it", async () => {
    const { session: search, requests } = session();
    const searching = search.search(words("a"), FILTERS);
    requests[0]?.refuse(Object.assign(new Error("/w is no workspace; index it first"), { code: -33001 }));
    await searching;
    expect(search.replica.state.failure).toEqual({
      message: "/w is no workspace; index it first",
      cures: ["index", "retry"],
    });
  });

  it("names hits by their search, so that a click on former results opens nothing else", async () => {
    const { session: search, requests } = session();
    for (const [place, path] of ["old.py", "new.py"].entries()) {
      const searching = search.search(words(path), FILTERS);
      requests[place]?.reply({ hits: [hit(path)] });
      await searching;
    }
    expect(search.hit(1, 0)).toBeUndefined();
    expect(search.hit(2, 0)?.path).toBe("new.py");
    expect(search.hit(2, 9)).toBeUndefined();
  });

  it("tells a new webview everything, and each change after that", async () => {
    const { session: search, requests } = session();
    const updates: { type: string }[] = [];
    void search.search(words("a"), FILTERS);
    search.replica.attach((update) => updates.push(update));
    requests[0]?.reply({ hits: [] });
    await vi.advanceTimersByTimeAsync(0);
    expect(updates).toMatchObject([
      { type: "state", state: { searching: true } },
      { type: "action", action: { type: "found" } },
    ]);
  });

  it("asks again while the index catches up and somebody looks, and keeps what has not changed", async () => {
    const { session: search, requests } = session();
    search.show(() => {});
    void search.search(words("a"), FILTERS);
    requests[0]?.reply({ hits: [hit("a.py")], freshness: "stale" });
    await vi.advanceTimersByTimeAsync(1500);
    expect(requests).toHaveLength(2);
    expect(search.replica.state.searching).toBe(false);
    requests[1]?.reply({ hits: [hit("a.py")], freshness: "pending" });
    await vi.advanceTimersByTimeAsync(3000);
    expect(search.replica.state.results).toMatchObject({ search: 1, question: 1, freshness: "pending" });
    requests[2]?.reply({ hits: [hit("b.py")] });
    await vi.advanceTimersByTimeAsync(10_000);
    const { results } = search.replica.state;
    expect(results).toMatchObject({ question: 1, freshness: "fresh", hits: [{ path: "b.py" }] });
    expect(search.hit(1, 0)).toBeUndefined();
    expect(requests).toHaveLength(3);
  });

  it("asks ever more seldom, until something else is searched for", async () => {
    const { session: search, requests } = session();
    const asked: number[] = [];
    search.show(() => {});
    void search.search(words("a"), FILTERS);
    const start = Date.now();
    for (let count = 0; count < 7; count++) {
      asked.push((Date.now() - start) / 1000);
      requests[count]?.reply({ hits: [], freshness: "stale" });
      await vi.advanceTimersToNextTimerAsync();
    }
    expect(asked).toEqual([0, 1.5, 4.5, 10.5, 22.5, 37.5, 52.5]);
    void search.search(words("b"), FILTERS);
    requests.at(-1)?.reply({ hits: [], freshness: "stale" });
    await vi.advanceTimersByTimeAsync(1500);
    expect(requests.slice(-2).map((request) => request.params["query"])).toEqual(["b", "b"]);
  });

  it("goes on with the same question when more of it is asked for, or its folders have changed", async () => {
    const { session: search, requests } = session();
    for (const ask of [() => search.search(words("a"), FILTERS), () => search.again(100), () => search.refresh()]) {
      const searching = ask();
      requests.at(-1)?.reply({ hits: [hit(`${requests.length}.py`)] });
      await searching;
    }
    expect(requests.map((request) => request.params["limit"])).toEqual([20, 100, 100]);
    expect(search.replica.state.results).toMatchObject({ search: 3, question: 1, hits: [{ path: "3.py" }] });
  });

  it("lets nothing come between the typing and the search for it", async () => {
    const { session: search, requests } = session();
    const searching = search.search(words("a"), FILTERS);
    requests[0]?.reply({ hits: [hit("a.py")] });
    await searching;
    search.typed(words("b"), FILTERS);
    await search.refresh();
    await vi.advanceTimersByTimeAsync(200);
    expect(requests.map((request) => request.params["query"])).toEqual(["a", "b"]);
  });

  it("does not ask again for a view that is hidden", async () => {
    const { session: search, requests } = session();
    void search.search(words("a"), FILTERS);
    requests[0]?.reply({ hits: [], freshness: "stale" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(requests).toHaveLength(1);
  });
});
