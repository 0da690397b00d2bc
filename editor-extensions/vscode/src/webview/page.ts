// The page of a webview: one script and two style sheets of the extension, and nothing else.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

/** Folders that webviews may load from. */
export function localRoots(extension: vscode.Uri): vscode.Uri[] {
  return [vscode.Uri.joinPath(extension, "dist"), vscode.Uri.joinPath(extension, "media")];
}

/** The page of `dist/webviews/NAME.js` and `media/NAME.css`. Images, fonts, frames and connections are all refused. */
export function page(webview: vscode.Webview, extension: vscode.Uri, name: string, title: string): string {
  const nonce = randomBytes(16).toString("hex");
  const script = webview.asWebviewUri(vscode.Uri.joinPath(extension, "dist", "webviews", `${name}.js`));
  const sheets = ["webview", name].map((one) =>
    webview.asWebviewUri(vscode.Uri.joinPath(extension, "media", `${one}.css`)),
  );
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
${sheets.map((sheet) => `<link rel="stylesheet" href="${sheet}">`).join("\n")}
</head>
<body>
<div id="root"></div>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}
