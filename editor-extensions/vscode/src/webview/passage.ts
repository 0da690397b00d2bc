// Opens a passage in an editor, and marks its lines until the cursor moves.

import * as vscode from "vscode";
import type { Range } from "../protocol";
import { wholeLines } from "./lines";

/** Where something stands; `uri` is a file's. */
export interface Place {
  uri: string;
  path: string;
  range: Range;
}

const MARKED = vscode.window.createTextEditorDecorationType({
  backgroundColor: new vscode.ThemeColor("editor.rangeHighlightBackground"),
  isWholeLine: true,
  overviewRulerColor: new vscode.ThemeColor("editorOverviewRuler.findMatchForeground"),
  overviewRulerLane: vscode.OverviewRulerLane.Center,
});

/** Show `place`; the user is told when its file is gone. */
export async function openPassage(place: Place, { preserveFocus = false } = {}): Promise<void> {
  const uri = vscode.Uri.parse(place.uri);
  let document: vscode.TextDocument;
  try {
    document = await vscode.workspace.openTextDocument(uri);
  } catch {
    void vscode.window.showWarningMessage(
      `${place.path} cannot be opened: it was removed or renamed since it was indexed. Search again to see what is there now.`,
    );
    return;
  }
  const lines = wholeLines(place.range, document.lineCount);
  const start = new vscode.Position(lines.first, 0);
  const editor = await vscode.window.showTextDocument(document, {
    preserveFocus,
    preview: true,
    selection: new vscode.Range(start, start),
  });
  const range = new vscode.Range(start, document.lineAt(lines.last).range.end);
  editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  editor.setDecorations(MARKED, [range]);
  const listener = vscode.window.onDidChangeTextEditorSelection((event) => {
    if (event.textEditor === editor && !event.selections.every((one) => one.isEmpty && one.active.isEqual(start))) {
      editor.setDecorations(MARKED, []);
      listener.dispose();
    }
  });
}

/** Do what a failure's button says. */
export async function applyCure(cure: "configure" | "index" | "logs" | "restart"): Promise<void> {
  const command = { configure: "openConfig", index: "reindex", logs: "showLogs", restart: "restart" }[cure];
  await vscode.commands.executeCommand(`lucastra.${command}`);
}
