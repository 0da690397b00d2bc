// Which lines of a passage a result shows, and which letters of them a query is about. Pure.

/** A piece of a line; `marked` where the query speaks of it. */
export interface Piece {
  text: string;
  marked: boolean;
}

export interface SnippetLine {
  /** As people count lines of the file. */
  number: number;
  pieces: Piece[];
}

// Words of a question that say nothing about code; marking them would hide those that do.
const STOPWORDS = new Set(
  "the and for are was were is be an of to in on at by or as it its this that these those with from how what where which when who why does do did done can could should would will into not get used use".split(
    " ",
  ),
);
const WORD = /[\p{L}\p{N}_$]+/gu;
// camelCase, PascalCase, ACRONYMWord, snake_case and digits.
const PART = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+|[\p{L}--[\p{Lu}\p{Ll}]]+/gv;
const LONGEST_LINE = 240;

/** The query's words and the parts of its identifiers, in small letters. */
export function termsOf(query: string): string[] {
  const terms = new Set<string>();
  for (const [word] of query.matchAll(WORD)) {
    for (const [part] of word.matchAll(PART)) {
      terms.add(part.toLowerCase());
    }
  }
  return [...terms].filter((term) => term.length > 1 && !STOPWORDS.has(term));
}

/** Cut a line where its words begin to be, and cease to be, among the terms. */
export function mark(line: string, terms: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of line.matchAll(PART)) {
    if (!terms.some((term) => sameWord(match[0].toLowerCase(), term))) {
      continue;
    }
    add(pieces, line.slice(end, match.index), false);
    add(pieces, match[0], true);
    end = match.index + match[0].length;
  }
  add(pieces, line.slice(end), false);
  return pieces;
}

/** The part of a passage with most to say about `terms`: at most `height` lines, without the indentation all share. */
export function snippetOf(content: string, firstLine: number, terms: readonly string[], height: number): SnippetLine[] {
  const lines = content.replace(/\r?\n$/u, "").split(/\r?\n/u);
  const marked = lines.map((line) => mark(line, terms));
  const weights = marked.map(
    (pieces) => new Set(pieces.filter((one) => one.marked).map((one) => one.text.toLowerCase())).size,
  );
  const start = skipBlank(lines, bestWindow(weights, height));
  const shown = lines.slice(start, start + height);
  const indent = commonIndent(shown);
  return shown.map((line, place) => ({
    number: firstLine + start + place + 1,
    pieces: mark(clip(line.slice(indent)), terms),
  }));
}

function sameWord(word: string, term: string): boolean {
  if (word === term) {
    return true;
  }
  // The endings of one stem: `cached` and `caching`, `backend` and `backends`.
  const shared = Math.min(word.length, term.length);
  let same = 0;
  while (same < shared && word[same] === term[same]) {
    same += 1;
  }
  return same >= 4 && Math.max(word.length, term.length) - same <= 3;
}

function add(pieces: Piece[], text: string, marked: boolean): void {
  const last = pieces.at(-1);
  if (text === "") {
    return;
  }
  if (last !== undefined && last.marked === marked) {
    last.text += text;
  } else {
    pieces.push({ text, marked });
  }
}

/** Where the window with the greatest weight begins; the earliest of several. */
function bestWindow(weights: readonly number[], height: number): number {
  let best = 0;
  let most = -1;
  for (let start = 0; start + height <= Math.max(weights.length, height); start += 1) {
    const weight = weights.slice(start, start + height).reduce((sum, one) => sum + one, 0);
    if (weight > most) {
      [best, most] = [start, weight];
    }
  }
  return best;
}

function skipBlank(lines: readonly string[], start: number): number {
  let place = start;
  while (place < lines.length - 1 && lines[place]?.trim() === "") {
    place += 1;
  }
  return place;
}

function commonIndent(lines: readonly string[]): number {
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length);
  return indents.length === 0 ? 0 : Math.min(...indents);
}

function clip(line: string): string {
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line;
}
