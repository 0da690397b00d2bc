// Opens LucAstra's own configuration, which the daemon reads and editors share.

import { mkdir, open } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { Uri, window } from "vscode";
import { folderPaths, serverEnvironment } from "./surroundings";

const WORKSPACE_FILE = ".lucastra.json";

/** Let the user choose between their own configuration and that of a folder, and open it; a new one is begun. */
export async function openConfiguration(home: string | undefined): Promise<void> {
  const own = join(home ?? serverEnvironment()["LUCASTRA_HOME"] ?? join(homedir(), ".lucastra"), "config.json");
  const choices = [
    { label: "Your configuration", description: own, path: own },
    ...folderPaths().map((folder) => ({
      label: "This folder's configuration",
      description: join(folder, WORKSPACE_FILE),
      path: join(folder, WORKSPACE_FILE),
    })),
  ];
  const chosen = choices.length === 1 ? choices[0] : await window.showQuickPick(choices);
  if (chosen !== undefined) {
    await begin(chosen.path);
    await window.showTextDocument(Uri.file(chosen.path));
  }
}

/** Write an empty configuration for the user alone, where there is none: it may come to hold an API key. */
async function begin(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const file = await open(path, "wx", 0o600);
    await file.writeFile("{\n}\n");
    await file.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
  }
}
