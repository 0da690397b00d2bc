// Offers `lucastrad mcp` to the editor's agents, once for each folder.

import { type Disposable, lm, McpStdioServerDefinition, workspace } from "vscode";
import type { LucAstra } from "./daemon";
import { folderPaths } from "./surroundings";

/** Register the provider; it offers nothing until the server has been found. */
export function registerMcpServer(lucastra: LucAstra): Disposable {
  return lm.registerMcpServerDefinitionProvider("lucastra", {
    onDidChangeMcpServerDefinitions: (listener) => lucastra.onDidChangeState(() => listener()),
    provideMcpServerDefinitions: () => {
      const { state } = lucastra;
      if (state.kind !== "ready") {
        return [];
      }
      const folders = folderPaths();
      return folders.map((folder) => {
        const label = folders.length === 1 ? "LucAstra" : `LucAstra: ${folder}`;
        const env = workspace.getConfiguration("lucastra").get<Record<string, string>>("server.extraEnv", {});
        return new McpStdioServerDefinition(label, state.server, ["mcp", folder], env, state.version);
      });
    },
  });
}
