// What the window and its settings say about where the server is.

import { Disposable, type Event, extensions, type Uri, workspace } from "vscode";
import type { LucAstra } from "./daemon";
import { findServer, type Surroundings } from "./server";

const PYTHON_EXTENSION = "ms-python.python";

/** The Python extension may start interpreters to answer; the search goes on without it after this. */
const PYTHON_TIMEOUT_MS = 5_000;

/** A search in the background gives up after this. */
const SEARCH_TIMEOUT_MS = 60_000;

/** What the Python extension's public API has of use here. */
interface PythonApi {
  environments: {
    getActiveEnvironmentPath(resource?: Uri): { path: string };
    resolveEnvironment(path: { path: string }): Promise<{ executable: { uri: Uri | undefined } } | undefined>;
    onDidChangeActiveEnvironmentPath: Event<unknown>;
  };
}

/** The window as it is now. */
export async function surroundings(): Promise<Surroundings> {
  return {
    configured: workspace.getConfiguration("lucastra").get<string>("server.path", "").trim(),
    folders: folderPaths(),
    trusted: workspace.isTrusted,
    environment: serverEnvironment(),
    python: await selectedPython(),
  };
}

/** The environment of every `lucastrad` that the extension starts. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const settings = workspace.getConfiguration("lucastra");
  const level = settings.get<string>("logLevel", "configured");
  return {
    ...process.env,
    ...(level === "configured" ? {} : { LUCASTRA_LOGGING__LEVEL: level }),
    ...settings.get<Record<string, string>>("server.extraEnv", {}),
  };
}

/** The window's folders that are on disk, absolute. */
export function folderPaths(): string[] {
  return (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath);
}

/** Connect anew when what decides about the server has changed. */
export function restartWhenNeeded(lucastra: LucAstra): Disposable {
  const restart = (): void => void lucastra.restart();
  const restartIfMoved = async (): Promise<void> => {
    const { state } = lucastra;
    if (state.kind === "ready") {
      const found = await findServer(await surroundings(), AbortSignal.timeout(SEARCH_TIMEOUT_MS)).catch(
        () => undefined,
      );
      if (found === undefined || found.path === state.server) {
        return;
      }
    }
    restart();
  };
  const subscriptions = [
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("lucastra.server") || change.affectsConfiguration("lucastra.logLevel")) {
        restart();
      }
    }),
    workspace.onDidGrantWorkspaceTrust(restartIfMoved),
  ];
  void pythonApi().then((python) => {
    if (python !== undefined) {
      subscriptions.push(python.environments.onDidChangeActiveEnvironmentPath(restartIfMoved));
    }
  });
  return new Disposable(() => {
    for (const subscription of subscriptions) {
      subscription.dispose();
    }
  });
}

async function selectedPython(): Promise<string | undefined> {
  const asking = pythonApi().then(async (python) => {
    const resource = workspace.workspaceFolders?.[0]?.uri;
    const environments = python?.environments;
    const environment = await environments?.resolveEnvironment(environments.getActiveEnvironmentPath(resource));
    return environment?.executable.uri?.fsPath;
  });
  const giveUp = new Promise<undefined>((resolve) => setTimeout(resolve, PYTHON_TIMEOUT_MS));
  return Promise.race([asking.catch(() => undefined), giveUp]);
}

async function pythonApi(): Promise<PythonApi | undefined> {
  return extensions.getExtension<PythonApi>(PYTHON_EXTENSION)?.activate();
}
