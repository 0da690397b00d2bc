// What `import "vscode"` is in unit tests.
import { createVSCodeMock } from "jest-mock-vscode";
import { vi } from "vitest";

// Of VS Code's API, what the mock does not have.
const missing = { InlineCompletionTriggerKind: { Invoke: 0, Automatic: 1 } };

module.exports = Object.assign(createVSCodeMock(vi), missing);
