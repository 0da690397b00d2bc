// Citations in an answer: `[1]`, `[1, 2]` or `[1-3]`, outside Markdown code. Pure.

const CITATION = /\[(\d{1,3}(?:\s*[-–,]\s*\d{1,3})*)\]/gu;
/** More numbers than any answer has passages; a range beyond it is no citation. */
const MOST = 100;

/** Text, or a citation with the numbers that it names. */
export type Part = { text: string; numbers?: undefined } | { text: string; numbers: number[] };

/** Cut prose at its citations of passages that there are. */
export function cutCitations(prose: string, known: ReadonlySet<number>): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of prose.matchAll(CITATION)) {
    const numbers = numbersOf(match[1] ?? "").filter((number) => known.has(number));
    if (numbers.length > 0) {
      if (match.index > end) {
        parts.push({ text: prose.slice(end, match.index) });
      }
      parts.push({ text: match[0], numbers });
      end = match.index + match[0].length;
    }
  }
  if (end < prose.length) {
    parts.push({ text: prose.slice(end) });
  }
  return parts;
}

function numbersOf(inside: string): number[] {
  const numbers = inside.split(",").flatMap((one) => {
    const [first = 0, last = first] = one.split(/[-–]/u).map(Number);
    return last < first || last - first >= MOST ? [first] : range(first, last);
  });
  return [...new Set(numbers)];
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, place) => first + place);
}

/**
 * Cuts an answer at its citations while it arrives in pieces, leaving Markdown code alone.
 *
 * A piece never ends within a citation (the contract says so), but it may end within a run of backticks; such a run is held
 * back until its length is known.
 */
export class CitationCutter {
  private fence: string | undefined;
  private span: number | undefined;
  private lineStart = true;
  private held = "";

  constructor(private readonly known: () => ReadonlySet<number>) {}

  /** The parts that `piece` completes. */
  feed(piece: string): Part[] {
    const text = this.held + piece;
    const run = /[`~]+$/u.exec(text)?.[0] ?? "";
    this.held = run;
    return this.cut(text.slice(0, text.length - run.length));
  }

  /** What was held back; call it once, at the end. */
  end(): Part[] {
    const text = this.held;
    this.held = "";
    return this.cut(text);
  }

  private cut(text: string): Part[] {
    const parts: Part[] = [];
    for (const [token] of text.matchAll(/\n|`+|~+|[^\n`~]+/gu)) {
      const inCode = this.fence !== undefined || this.span !== undefined;
      if (token === "\n") {
        this.lineStart = true;
      } else if (token.startsWith("`") || token.startsWith("~")) {
        this.delimit(token);
        this.lineStart = false;
      } else if (token.trim() !== "") {
        this.lineStart = false;
      }
      const added: Part[] = inCode || /^[\n`~]/u.test(token) ? [{ text: token }] : cutCitations(token, this.known());
      parts.push(...added);
    }
    return joined(parts);
  }

  /** A fence opens and closes where a line begins; within a line, a run of backticks is closed by one as long. */
  private delimit(run: string): void {
    if (this.fence !== undefined) {
      if (this.lineStart && run.startsWith(this.fence)) {
        this.fence = undefined;
      }
    } else if (this.lineStart && run.length >= 3) {
      this.fence = run;
      this.span = undefined;
    } else if (run.startsWith("`")) {
      this.span = this.span === undefined ? run.length : this.span === run.length ? undefined : this.span;
    }
  }
}

function joined(parts: readonly Part[]): Part[] {
  const all: Part[] = [];
  for (const part of parts) {
    const last = all.at(-1);
    if (last !== undefined && last.numbers === undefined && part.numbers === undefined) {
      all[all.length - 1] = { text: last.text + part.text };
    } else {
      all.push(part);
    }
  }
  return all;
}
