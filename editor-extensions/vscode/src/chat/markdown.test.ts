import { h } from "preact";
import { render } from "preact-render-to-string";
import { describe, expect, it } from "vitest";
import { Markdown } from "./markdown";

const nothing = (): void => {};
const PASSAGES = new Map([
  [1, "a.py:1–3"],
  [2, "b.py:9"],
]);

function shown(text: string): string {
  return render(h(Markdown, { text, passages: PASSAGES, onCitation: nothing, onCopy: nothing, onInsert: nothing }));
}

describe("an answer's Markdown", () => {
  it.each([
    ["**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>"],
    ["1. one\n2. two", "<ol><li>one</li><li>two</li></ol>"],
    ["3. three", '<ol start="3"><li>three</li></ol>'],
    ["> said", "<blockquote><p>said</p></blockquote>"],
    [
      "| a |\n|---|\n| b |",
      '<div class="table"><table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table></div>',
    ],
    ["[site](https://example.org)", '<p><a href="https://example.org" title="https://example.org">site</a></p>'],
  ])("%j", (text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  it("turns citations of passages into links, outside code only", () => {
    const html = shown("It runs [1, 2], not [9]; `a[1]`.\n\n```py\na[1]\n```");
    expect(html.match(/class="citation"/gu)).toHaveLength(2);
    expect(html).toContain('title="Open a.py:1–3">1<');
    expect(html).toContain("not [9]; <code>a[1]</code>");
  });

  it("does not let the text say what its citations mean", () => {
    const html = shown("See [1].\n\n[1]: https://example.org");
    expect(html).not.toContain("href");
    expect(html).toContain("Open a.py:1–3");
  });

  it.each([
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "![tracked](https://example.org/pixel.png)",
    "[run](command:workbench.action.terminal.new)",
    "[run](javascript:alert(1))",
    "[read](file:///etc/passwd)",
    '<https://example.org/"onmouseover=alert(1)>',
  ])("makes neither markup, images nor commands of %s", (text) => {
    const html = shown(text);
    expect(html).not.toMatch(/<(?:img|script)|<[^>]*(?:command|javascript|file):|<[^>]* on\w+=/u);
  });

  it("offers to copy and to insert each block of code, also while it arrives", () => {
    const html = shown("```py\ndef f():\n    return 1");
    expect(html).toContain('<span class="language">py</span>');
    expect(html).toContain("Copy");
    expect(html).toContain("Insert");
    expect(html).toContain("<pre><code>def f():\n    return 1</code></pre>");
  });
});
