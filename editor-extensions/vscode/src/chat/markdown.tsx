// An answer's Markdown as a tree of elements. Pure.
//
// Invariant: a model wrote the text, perhaps from code that somebody else wrote, so it becomes text nodes and a fixed set of
// elements; HTML, images and links to anything but web pages stay the letters that they are.

import MarkdownIt, { type Token } from "markdown-it";
import { type ComponentChildren, Fragment, h } from "preact";
import { cutCitations } from "./citations";

export interface MarkdownProps {
  text: string;
  /** Numbers of the passages that citations may name, and what they are called. */
  passages: ReadonlyMap<number, string>;
  onCitation(number: number): void;
  onCopy(code: string): void;
  onInsert(code: string): void;
}

// References would let a definition further down decide what `[1]` means.
const PARSER = new MarkdownIt("default", { html: false, linkify: false, typographer: false }).disable([
  "image",
  "reference",
]);
PARSER.validateLink = (url: string) => /^https?:\/\//iu.test(url);

const ELEMENTS = new Set("p h1 h2 h3 h4 h5 h6 ul ol li blockquote strong em s table thead tbody tr th td".split(" "));

/** Rendered Markdown. */
export function Markdown(props: MarkdownProps) {
  return <>{children(PARSER.parse(props.text, {}), props)}</>;
}

/** Elements of a flat list of tokens, in which opening and closing ones pair up. */
function children(tokens: readonly Token[], props: MarkdownProps): ComponentChildren[] {
  const open: { token: Token; inside: ComponentChildren[] }[] = [];
  const top: ComponentChildren[] = [];
  for (const token of tokens) {
    const inside = open.at(-1)?.inside ?? top;
    if (token.nesting === 1) {
      open.push({ token, inside: [] });
    } else if (token.nesting === -1) {
      const closed = open.pop();
      if (closed !== undefined) {
        (open.at(-1)?.inside ?? top).push(element(closed.token, closed.inside));
      }
    } else {
      inside.push(leaf(token, props));
    }
  }
  return top;
}

function element(token: Token, inside: ComponentChildren[]): ComponentChildren {
  if (token.type === "link_open") {
    const href = String(token.attrGet("href") ?? "");
    return h("a", { href, title: href }, inside);
  }
  if (token.hidden || !ELEMENTS.has(token.tag)) {
    return h(Fragment, null, inside);
  }
  const start = token.tag === "ol" ? Number(token.attrGet("start") ?? 1) : 1;
  const made = h(token.tag, start === 1 ? null : { start }, inside);
  // Wide tables scroll by themselves, so that the view does not.
  return token.tag === "table" ? h("div", { class: "table" }, made) : made;
}

function leaf(token: Token, props: MarkdownProps): ComponentChildren {
  switch (token.type) {
    case "inline":
      return children(token.children ?? [], props);
    case "text":
      return prose(token.content, props);
    case "code_inline":
      return <code>{token.content}</code>;
    case "fence":
    case "code_block":
      return <CodeBlock code={token.content} language={token.info.trim().split(/\s/u)[0] ?? ""} {...props} />;
    case "softbreak":
      return "\n";
    case "hardbreak":
      return <br />;
    case "hr":
      return <hr />;
    default:
      return token.content;
  }
}

function prose(text: string, { passages, onCitation }: MarkdownProps): ComponentChildren {
  return cutCitations(text, new Set(passages.keys())).map((part) =>
    part.numbers === undefined
      ? part.text
      : part.numbers.map((number) => (
          <Citation key={number} number={number} title={passages.get(number) ?? ""} onOpen={onCitation} />
        )),
  );
}

/** A link to a passage. */
export function Citation({ number, title, onOpen }: { number: number; title: string; onOpen(number: number): void }) {
  return (
    <button type="button" class="citation" title={`Open ${title}`} onClick={() => onOpen(number)}>
      {number}
    </button>
  );
}

function CodeBlock({ code, language, onCopy, onInsert }: MarkdownProps & { code: string; language: string }) {
  return (
    <div class="code">
      <div class="bar">
        <span class="language">{language}</span>
        <button type="button" class="link" onClick={() => onCopy(code)}>
          Copy
        </button>
        <button
          type="button"
          class="link"
          title="Insert at the cursor of the active editor"
          onClick={() => onInsert(code)}
        >
          Insert
        </button>
      </div>
      <pre>
        <code>{code.replace(/\n$/u, "")}</code>
      </pre>
    </div>
  );
}
