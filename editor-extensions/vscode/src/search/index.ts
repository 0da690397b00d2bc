// The search view in the editor: its webview and its commands, which only translate.

import * as vscode from "vscode";
import type { LucAstra } from "../daemon";
import { isBusy, workspacesOf } from "../status/describe";
import type { StatusMonitor } from "../status/monitor";
import { folderPaths } from "../surroundings";
import { tokenOf } from "../webview/cancellation";
import { localRoots, page } from "../webview/page";
import { applyCure, openPassage } from "../webview/passage";
import type { FromView, ToView } from "./messages";
import { SearchSession } from "./session";
import { type Filters, MOST, NO_FILTERS, type Subject } from "./state";

const VIEW = "lucastra.search";
const FILTERS = "lucastra.search.filters";

/** Register the view and its commands. */
export function registerSearch(context: vscode.ExtensionContext, lucastra: LucAstra, monitor: StatusMonitor): void {
  const session = new SearchSession(
    {
      ask: (method, params, signal) => lucastra.request(method, params, tokenOf(signal)),
      folders: folderPaths,
      remember: (filters) => void context.workspaceState.update(FILTERS, filters),
    },
    context.workspaceState.get<Filters>(FILTERS, NO_FILTERS),
  );
  const view = new SearchWebview(context.extensionUri, session);
  context.subscriptions.push(
    session,
    vscode.window.registerWebviewViewProvider(VIEW, view),
    refreshWithIndex(session, monitor),
    vscode.commands.registerCommand("lucastra.searchCode", () => view.searchSelection()),
    vscode.commands.registerCommand("lucastra.findSimilar", () => view.searchSimilarToCursor()),
    vscode.commands.registerCommand("lucastra.refreshSearch", () => session.again()),
  );
}

/** Let the results that are shown follow the window's folders, and each index once it has caught up. */
function refreshWithIndex(session: SearchSession, monitor: StatusMonitor): vscode.Disposable {
  const refresh = (): void => {
    if (session.replica.isShown) {
      void session.refresh();
    }
  };
  let before = "";
  return vscode.Disposable.from(
    vscode.workspace.onDidChangeWorkspaceFolders(refresh),
    monitor.onDidChange((status) => {
      const workspaces = status === undefined ? [] : workspacesOf(status, folderPaths());
      const settled = workspaces.filter((workspace) => !isBusy(workspace));
      const now = JSON.stringify(settled.map(({ root, lastIndexedAt }) => [root, lastIndexedAt]));
      if (now !== before) {
        before = now;
        refresh();
      }
    }),
  );
}

class SearchWebview implements vscode.WebviewViewProvider {
  private webview: vscode.Webview | undefined;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly session: SearchSession,
  ) {}

  resolveWebviewView(view: vscode.WebviewView): void {
    view.webview.options = { enableScripts: true, localResourceRoots: localRoots(this.extension) };
    view.webview.onDidReceiveMessage((message: FromView) => this.take(view.webview, message));
    const left = (): void => {
      this.webview = undefined;
      this.session.replica.detach();
    };
    view.onDidDispose(left);
    view.onDidChangeVisibility(() => view.visible || left());
    view.webview.html = page(view.webview, this.extension, "search", "LucAstra search");
  }

  /** Show the view with what is selected in the editor, if it is one line. */
  async searchSelection(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const selection = editor?.selection;
    const words = selection?.isSingleLine ? editor?.document.getText(selection).trim() : "";
    await this.show();
    if (words) {
      this.post({ type: "fill", query: words });
      await this.search({ kind: "words", query: words });
    }
  }

  /** Show passages like the one at the cursor. */
  async searchSimilarToCursor(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document.uri.scheme !== "file") {
      void vscode.window.showInformationMessage(
        "Open a file of the workspace, and put the cursor into the code to compare with.",
      );
      return;
    }
    const line = editor.selection.active.line;
    const name = vscode.workspace.asRelativePath(editor.document.uri);
    const subject: Subject = {
      kind: "similar",
      uri: editor.document.uri.toString(),
      line,
      label: `${name}:${line + 1}`,
    };
    await this.show();
    await this.search(subject);
  }

  private async show(): Promise<void> {
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    this.post({ type: "focus" });
  }

  private async search(subject: Subject): Promise<void> {
    await this.session.search(subject, this.session.replica.state.filters);
  }

  private post(message: ToView): void {
    void this.webview?.postMessage(message);
  }

  private async take(webview: vscode.Webview, message: FromView): Promise<void> {
    switch (message.type) {
      case "ready":
        this.webview = webview;
        this.session.show((update) => this.post(update));
        return;
      case "typed": {
        const subject: Subject = { kind: "words", query: message.query };
        if (message.pause) {
          this.session.typed(subject, message.filters);
        } else {
          await this.session.search(subject, message.filters);
        }
        return;
      }
      case "open": {
        const hit = this.session.hit(message.search, message.place);
        if (hit !== undefined) {
          await openPassage(hit, { preserveFocus: message.preserveFocus });
        }
        return;
      }
      case "similar": {
        const hit = this.session.hit(message.search, message.place);
        if (hit !== undefined) {
          const line = hit.range.start.line;
          await this.search({ kind: "similar", uri: hit.uri, line, label: `${hit.path}:${line + 1}` });
        }
        return;
      }
      case "more":
        await this.session.again(MOST);
        return;
      case "cure":
        if (message.cure !== "retry") {
          await applyCure(message.cure);
        }
        await this.session.again();
    }
  }
}
