// Runs inside the real extension host, beside the installed extension.

const assert = require("node:assert/strict");
const { existsSync } = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");

const PATIENCE_MS = 60_000;

const tests = {
  async "the extension is active once the window is open"() {
    const extension = vscode.extensions.getExtension("lucastra.lucastra");
    assert.ok(extension, "it is installed");
    await until(() => extension.isActive);
  },

  async "every command that package.json names exists"() {
    const { contributes } = vscode.extensions.getExtension("lucastra.lucastra").packageJSON;
    const existing = new Set(await vscode.commands.getCommands(true));
    const missing = contributes.commands.map(({ command }) => command).filter((command) => !existing.has(command));
    assert.deepEqual(missing, []);
  },

  async "every file that package.json names is in the package"() {
    const { extensionPath, packageJSON } = vscode.extensions.getExtension("lucastra.lucastra");
    const { contributes } = packageJSON;
    const files = [
      packageJSON.icon,
      ...contributes.viewsContainers.activitybar.map(({ icon }) => icon),
      ...contributes.jsonValidation.map(({ url }) => url),
      ...contributes.walkthroughs.flatMap(({ steps }) => steps.map(({ media }) => media.markdown)),
    ];
    assert.deepEqual(files.filter((file) => !existsSync(path.join(extensionPath, file))), []);
  },

  async "the search tool finds a definition of this folder"() {
    await until(() => vscode.lm.tools.some(({ name }) => name === "lucastra_search"));
    const folder = vscode.workspace.workspaceFolders[0].uri.fsPath;
    assert.ok(path.isAbsolute(folder));
    await until(async () => (await ask("retry with backoff")).includes("shop/retry.py:"));
  },

  async "the configuration file completes from its schema"() {
    const file = vscode.Uri.file(path.join(process.env.HOME, ".lucastra", "config.json"));
    const document = await vscode.workspace.openTextDocument(file);
    const editor = await vscode.window.showTextDocument(document);
    const whole = new vscode.Range(0, 0, document.lineCount, 0);
    await editor.edit((edit) => edit.replace(whole, "{\n  \n}\n"));
    await until(async () => {
      const position = new vscode.Position(1, 2);
      const list = await vscode.commands.executeCommand("vscode.executeCompletionItemProvider", file, position);
      return list.items.some(({ label }) => (label.label ?? label) === "embeddings");
    });
    await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
  },
};

async function ask(query) {
  const options = { input: { query }, toolInvocationToken: undefined };
  const result = await vscode.lm.invokeTool("lucastra_search", options);
  return result.content.map(({ value }) => value).join("");
}

async function until(condition) {
  for (const deadline = Date.now() + PATIENCE_MS; !(await condition()); ) {
    assert.ok(Date.now() < deadline, "it did not happen");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

exports.run = async () => {
  const failures = [];
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
    } catch (error) {
      failures.push(`${name}: ${error.stack}`);
    }
  }
  if (failures.length > 0) {
    throw new Error(failures.join("\n\n"));
  }
};
