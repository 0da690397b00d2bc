// The contract's golden transcripts; protocol/transcripts/README.md describes their format.

import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("../../../protocol/transcripts/", import.meta.url);

export type Id = string | number;

/** A JSON-RPC message, of whatever kind. */
export interface Said {
  id?: Id;
  method?: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a message says is compared, and not relied on
  params?: any;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  result?: any;
  error?: { code: number; message: string; data?: unknown };
}

export interface Line {
  from: "client" | "daemon";
  /** undefined where the daemon closes the connection. */
  message: Said | undefined;
}

/** A transcript with an example in the place of each placeholder and variable. */
export interface Transcript {
  name: string;
  lines: readonly Line[];
}

export function transcripts(): Transcript[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".jsonl"))
    .sort()
    .map((file) => transcript(file.slice(0, -".jsonl".length)));
}

export function transcript(name: string): Transcript {
  const [header, ...lines] = readFileSync(new URL(`${name}.jsonl`, FOLDER), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return {
    name,
    lines: lines.map(({ from, message }) => ({ from, message: message && plain(message, header.variables) })),
  };
}

/** The events that the daemon sends to a token. */
export function eventsOf(lines: readonly Line[], token: unknown): unknown[] {
  return lines
    .map(({ message }) => message)
    .filter((message) => message?.method === "$/progress" && message.params.token === token)
    .map((message) => message?.params.value);
}

/** The token that a request's events go to, if it has one. */
export function tokenOf(params: Said["params"]): unknown {
  return params?.partialResultToken ?? params?.workDoneToken;
}

// biome-ignore lint/suspicious/noExplicitAny: any JSON
function plain(value: any, variables: Record<string, string>): any {
  if (typeof value === "string") {
    return value.replace(/\$\{(\w+)\}/g, (whole, name) => variables[name] ?? whole);
  }
  if (Array.isArray(value)) {
    return value.map((item) => plain(item, variables));
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const entries = Object.entries(value);
  const [name, example] = entries[0] ?? [];
  return entries.length === 1 && /^\$(integer|number|string)$/.test(name ?? "")
    ? plain(example, variables)
    : Object.fromEntries(entries.map(([key, item]) => [key, plain(item, variables)]));
}
