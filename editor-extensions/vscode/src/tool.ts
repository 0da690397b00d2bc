// The search, as a tool that language models of the editor may use.

import {
  type CancellationToken,
  type Disposable,
  LanguageModelTextPart,
  type LanguageModelToolInvocationOptions,
  LanguageModelToolResult,
  lm,
} from "vscode";
import type { LucAstra } from "./daemon";
import type { Hit, SearchParams, SearchResult } from "./protocol";
import { folderPaths } from "./surroundings";
import { placeName } from "./webview/roots";

/** What a model says; package.json has it as a JSON Schema. */
type SearchInput = Pick<SearchParams, "query" | "mode" | "limit" | "paths" | "languages">;

/** Register `lucastra_search`; it searches the window's folders only. */
export function registerSearchTool(lucastra: LucAstra): Disposable {
  return lm.registerTool<SearchInput>("lucastra_search", {
    prepareInvocation: ({ input }) => ({ invocationMessage: `Searching for "${input.query}"` }),
    invoke: async ({ input }: LanguageModelToolInvocationOptions<SearchInput>, token: CancellationToken) => {
      const workspaces = folderPaths();
      if (workspaces.length === 0) {
        // None would mean every indexed project, which the model is not to read unasked.
        throw new Error("No folder is open in this window: open the project that is to be searched.");
      }
      const params = { ...input, workspaces };
      const result = await lucastra.request("lucastra/search", params, token);
      return new LanguageModelToolResult([new LanguageModelTextPart(asText(result, workspaces))]);
    },
  });
}

/** Passages with their places, as a model reads them; `folders` are those of the window. */
export function asText(result: SearchResult, folders: readonly string[]): string {
  const hits = result.hits ?? [];
  const passages = hits.length === 0 ? ["Nothing was found."] : hits.map((hit) => passage(hit, folders));
  return [...passages, ...(result.notices ?? [])].join("\n\n");
}

function passage(hit: Hit, folders: readonly string[]): string {
  // `end` is exclusive and at the beginning of a line.
  const place = `${placeName(hit, folders)}:${hit.range.start.line + 1}-${hit.range.end.line}`;
  const fence = "`".repeat(Math.max(3, longestRun(hit.content) + 1));
  return `${place}${hit.symbol ? ` (${hit.symbol})` : ""}\n${fence}${hit.language}\n${hit.content.trimEnd()}\n${fence}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}
