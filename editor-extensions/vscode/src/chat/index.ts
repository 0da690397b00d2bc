// The chat in the editor: its view, its commands, `@lucastra` and the models behind it. All of it only translates.

import * as vscode from "vscode";
import type { LucAstra } from "../daemon";
import { folderPaths } from "../surroundings";
import { tokenOf } from "../webview/cancellation";
import { failureOf } from "../webview/failure";
import { localRoots, page } from "../webview/page";
import { applyCure, openPassage } from "../webview/passage";
import { LONGEST_ATTACHMENT } from "./attachments";
import type { FromView, ToView } from "./messages";
import { registerModels } from "./models";
import { registerParticipant } from "./participant";
import { deleteConversation, exportConversation, pickConversation, pickModel, renameConversation } from "./pickers";
import { ChatSession } from "./session";
import { isAnswering } from "./state";

const VIEW = "lucastra.chat";
const CONVERSATION = "lucastra.chat.conversation";
const CHOICE = "lucastra.chat.choice";

/** Register the view, its commands, the participant and the models. */
export function registerChat(context: vscode.ExtensionContext, lucastra: LucAstra): void {
  const { workspaceState } = context;
  const session = new ChatSession(
    {
      request: (method, params) => lucastra.request(method, params),
      stream: (method, params, onEvent, signal) => lucastra.stream(method, params, onEvent, tokenOf(signal)),
      folders: folderPaths,
      remember: (conversation, choice) => {
        void workspaceState.update(CONVERSATION, conversation);
        void workspaceState.update(CHOICE, choice);
      },
    },
    workspaceState.get<string | null>(CHOICE, null),
  );
  const view = new ChatWebview(context.extensionUri, lucastra, session);
  context.subscriptions.push(
    session,
    vscode.window.registerWebviewViewProvider(VIEW, view),
    lucastra.onNotification("lucastra/conversationChanged", (params) => void session.changed(params)),
    lucastra.onDidChangeState((state) => {
      if (state.kind === "ready") {
        void connected(session, workspaceState.get<string>(CONVERSATION));
      }
    }),
    command("askAboutCode", () => view.show()),
    command("attachSelection", () => view.attachSelection()),
    command("newConversation", () => view.clear()),
    command("conversations", () => view.pickConversation()),
    command("renameConversation", () => view.withOpen(renameConversation)),
    command("exportConversation", () => view.withOpen(exportConversation)),
    command("deleteConversation", () => view.withOpen(deleteConversation)),
    command("chooseModel", () => view.pickModel()),
    registerModels(lucastra),
    registerParticipant(lucastra),
  );
}

/** Take up the conversation of the last window, or of the daemon before this one. */
async function connected(session: ChatSession, conversation: string | undefined): Promise<void> {
  await session.readConfigured();
  if (conversation !== undefined && !isAnswering(session.state)) {
    await session.open(conversation);
  }
}

/** A command whose failure the user is told of. */
function command(name: string, run: () => Promise<unknown>): vscode.Disposable {
  return vscode.commands.registerCommand(`lucastra.${name}`, async () => {
    try {
      await run();
    } catch (error) {
      void vscode.window.showErrorMessage(failureOf(error).message);
    }
  });
}

class ChatWebview implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly lucastra: LucAstra,
    private readonly session: ChatSession,
  ) {}

  resolveWebviewView(view: vscode.WebviewView): void {
    view.webview.options = { enableScripts: true, localResourceRoots: localRoots(this.extension) };
    view.webview.onDidReceiveMessage((message: FromView) => this.take(view, message));
    const left = (): void => {
      this.view = undefined;
      this.session.replica.detach();
    };
    view.onDidDispose(left);
    view.onDidChangeVisibility(() => view.visible || left());
    view.webview.html = page(view.webview, this.extension, "chat", "LucAstra chat");
  }

  async show(): Promise<void> {
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    this.post({ type: "focus" });
  }

  async clear(): Promise<void> {
    this.session.clear();
    await this.show();
  }

  /** Put what is selected in the active editor, or the line of its cursor, under the next question. */
  async attachSelection(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) {
      void vscode.window.showInformationMessage("Open a file, and select the code to ask about.");
      return;
    }
    const { document, selection } = editor;
    const range = selection.isEmpty ? document.lineAt(selection.active.line).range : selection;
    const text = document.getText(range);
    if (text.length > LONGEST_ATTACHMENT) {
      void vscode.window.showWarningMessage(
        `The selection has more than ${LONGEST_ATTACHMENT.toLocaleString()} characters; select the part to ask about.`,
      );
      return;
    }
    const lines = range.isSingleLine ? `${range.start.line + 1}` : `${range.start.line + 1}–${range.end.line + 1}`;
    const label = `${vscode.workspace.asRelativePath(document.uri)}:${lines}`;
    this.session.attach({ label, language: document.languageId, text });
    await this.show();
  }

  async pickConversation(): Promise<void> {
    const id = await pickConversation(this.lucastra, this.session.state.conversation?.id);
    if (id !== undefined) {
      await this.session.open(id);
      await this.show();
    }
  }

  async pickModel(): Promise<void> {
    const choice = await pickModel(this.lucastra, this.session.state.choice);
    if (choice !== undefined) {
      this.session.choose(choice);
    }
  }

  /** Do something with the open conversation. */
  async withOpen(run: (lucastra: LucAstra, open: { id: string; title: string }) => Promise<unknown>): Promise<void> {
    const open = this.session.state.conversation;
    if (open === null) {
      void vscode.window.showInformationMessage("No conversation is open; ask a question, or open one from the list.");
      return;
    }
    await run(this.lucastra, open);
  }

  private post(message: ToView): void {
    void this.view?.webview.postMessage(message);
  }

  private async take(view: vscode.WebviewView, message: FromView): Promise<void> {
    switch (message.type) {
      case "ready":
        this.view = view;
        this.session.replica.attach((update) => {
          this.post(update);
          view.description = this.session.state.conversation?.title ?? "";
        });
        return;
      case "ask":
        return this.session.ask(message.text);
      case "stop":
        return this.session.stop();
      case "retry":
        return this.session.retry(message.key);
      case "open": {
        const passage = this.session.passage(message.key, message.number);
        return passage && openPassage(passage, { preserveFocus: message.preserveFocus });
      }
      case "copy":
        return vscode.env.clipboard.writeText(message.text);
      case "insert":
        return insert(message.text);
      case "attach":
        return this.attachSelection();
      case "detach":
        return this.session.detach(message.place);
      case "choose":
        return this.pickModel();
      case "retrieve":
        return this.session.retrieve(message.retrieve);
      case "cure":
        return this.cure(message);
    }
  }

  private async cure({ cure, key }: Extract<FromView, { type: "cure" }>): Promise<void> {
    if (cure !== "retry") {
      await applyCure(cure);
    } else if (key !== null) {
      await this.session.retry(key);
    } else if (this.session.state.conversation !== null) {
      await this.session.open(this.session.state.conversation.id);
    }
  }
}

/** Replace the active editor's selection. */
async function insert(text: string): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    void vscode.window.showInformationMessage("Open a file, and put the cursor where the code belongs.");
    return;
  }
  await editor.edit((edit) => {
    for (const selection of editor.selections) {
      edit.replace(selection, text);
    }
  });
  await vscode.window.showTextDocument(editor.document, editor.viewColumn);
}
