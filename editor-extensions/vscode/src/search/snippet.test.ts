import { describe, expect, it } from "vitest";
import { mark, snippetOf, termsOf } from "./snippet";

function marked(line: string, query: string): string {
  return mark(line, termsOf(query))
    .map((piece) => (piece.marked ? `<${piece.text}>` : piece.text))
    .join("");
}

describe("the terms of a query", () => {
  it("are its words and the parts of its identifiers, without words that say nothing", () => {
    expect(termsOf("where is HTTPServer.handle_request cached2")).toEqual([
      "http",
      "server",
      "handle",
      "request",
      "cached",
    ]);
  });
});

describe("a line", () => {
  it.each([
    ["def load_config(path):", "load config", "def <load>_<config>(path):"],
    ["self.backends = CacheBackend()", "backend", "self.<backends> = Cache<Backend>()"],
    ["return cached", "caching", "return <cached>"],
    ["port, sport, import", "port", "<port>, sport, import"],
    ["größe = 1", "GRÖSSE größe", "<größe> = 1"],
    ["<b>bold</b>", "bold", "<b><bold></b>"],
    ["nothing here", "", "nothing here"],
  ])("%s is marked for %s", (line, query, expected) => {
    expect(marked(line, query)).toBe(expected);
  });
});

describe("a snippet", () => {
  const content = ["def f():", "    a = 1", "    b = 2", "", "    retry(call)", "    return call()", ""].join("\n");

  it("shows the lines with most of the query's words, numbered as in the file, without their common indentation", () => {
    const lines = snippetOf(content, 10, termsOf("retry the call"), 2);
    expect(lines.map((line) => [line.number, line.pieces.map((piece) => piece.text).join("")])).toEqual([
      [15, "retry(call)"],
      [16, "return call()"],
    ]);
  });

  it("begins where the passage does when no word of the query is in it", () => {
    expect(snippetOf(content, 0, [], 2).map((line) => line.number)).toEqual([1, 2]);
  });

  it("shows a passage that is shorter than its height, and cuts long lines", () => {
    const [line, ...rest] = snippetOf(`${"x".repeat(1000)}\n`, 0, [], 5);
    expect(rest).toEqual([]);
    expect(line?.pieces[0]?.text).toHaveLength(241);
  });
});
