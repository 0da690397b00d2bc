// Lists to choose from, in the editor's own quick pick: conversations and models.

import {
  type Disposable,
  type QuickInputButton,
  type QuickPick,
  type QuickPickItem,
  QuickPickItemKind,
  ThemeIcon,
  Uri,
  window,
  workspace,
} from "vscode";
import type { LucAstra } from "../daemon";
import type { Conversation, ModelInfo } from "../protocol";
import { failureOf } from "../webview/failure";

const RENAME: QuickInputButton = { iconPath: new ThemeIcon("edit"), tooltip: "Rename" };
const EXPORT: QuickInputButton = { iconPath: new ThemeIcon("export"), tooltip: "Export as Markdown" };
const DELETE: QuickInputButton = { iconPath: new ThemeIcon("trash"), tooltip: "Delete" };
const LISTED = 1000;
const UNTITLED = "Untitled conversation";
const LONGEST_TITLE = 200;

interface ConversationItem extends QuickPickItem {
  conversation: Conversation;
}

interface ModelItem extends QuickPickItem {
  /** undefined where the item says why there is no model. */
  choice?: string | null;
}

/** Let the user open, rename, export or delete conversations; resolves to the one to open. */
export async function pickConversation(lucastra: LucAstra, open: string | undefined): Promise<string | undefined> {
  const pick = window.createQuickPick<ConversationItem>();
  pick.placeholder = "Open a conversation";
  pick.matchOnDescription = true;
  const fill = async (): Promise<void> => {
    pick.busy = true;
    const { conversations = [], notices = [] } = await lucastra.request("lucastra/conversation/list", {
      limit: LISTED,
    });
    pick.items = conversations.map((conversation) => itemOf(conversation, open));
    pick.title = notices[0] ?? `Conversations (${conversations.length})`;
    pick.busy = false;
  };
  return chosen(
    pick,
    fill,
    (item) => item.conversation.id,
    (item, button) => act(lucastra, item.conversation, button),
  );
}

/** Let the user choose what the next question is asked of; undefined where nothing was chosen. */
export async function pickModel(lucastra: LucAstra, current: string | null): Promise<string | null | undefined> {
  const pick = window.createQuickPick<ModelItem>();
  pick.placeholder = "Ask the next question of";
  pick.matchOnDescription = true;
  const fill = async (): Promise<void> => {
    pick.busy = true;
    pick.items = [configuredItem(current)];
    const { models = [], problems = [] } = await lucastra.request("lucastra/models", {});
    pick.items = [
      configuredItem(current),
      ...modelItems(models, current),
      ...problems.map((problem) => ({ label: `$(warning) ${problem}`, alwaysShow: true })),
    ];
    pick.busy = false;
  };
  return chosen(pick, fill, (item) => item.choice);
}

/** Ask for a new title; the daemon's own name for the conversation stays where none is given. */
export async function renameConversation(
  lucastra: LucAstra,
  { id, title }: { id: string; title: string },
): Promise<void> {
  const typed = await window.showInputBox({
    prompt: "Title of the conversation",
    value: title,
    validateInput: (value) => (value.trim() === "" ? "A title has at least one letter." : undefined),
  });
  if (typed !== undefined) {
    const renamed = typed.trim().slice(0, LONGEST_TITLE);
    await lucastra.request("lucastra/conversation/rename", { conversation: id, title: renamed });
  }
}

/** Write a conversation to a file that the user names. */
export async function exportConversation(
  lucastra: LucAstra,
  { id, title }: { id: string; title: string },
): Promise<void> {
  const { text } = await lucastra.request("lucastra/conversation/export", { conversation: id });
  const name = `${title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/gu, "") || "conversation"}.md`;
  const folder = workspace.workspaceFolders?.[0]?.uri;
  const uri = await window.showSaveDialog({
    ...(folder === undefined ? {} : { defaultUri: Uri.joinPath(folder, name) }),
    filters: { Markdown: ["md"] },
    title: "Export Conversation",
  });
  if (uri !== undefined) {
    await workspace.fs.writeFile(uri, new TextEncoder().encode(text));
    await window.showTextDocument(uri);
  }
}

/** Delete a conversation, if the user means it. */
export async function deleteConversation(
  lucastra: LucAstra,
  { id, title }: { id: string; title: string },
): Promise<boolean> {
  const answer = await window.showWarningMessage(
    `Delete the conversation “${title || UNTITLED}”?`,
    { modal: true, detail: "It is removed from this machine, and cannot be brought back." },
    "Delete",
  );
  if (answer === "Delete") {
    await lucastra.request("lucastra/conversation/delete", { conversation: id });
  }
  return answer === "Delete";
}

async function act(lucastra: LucAstra, conversation: Conversation, button: QuickInputButton): Promise<void> {
  if (button === RENAME) {
    await renameConversation(lucastra, conversation);
  } else if (button === EXPORT) {
    await exportConversation(lucastra, conversation);
  } else if (button === DELETE) {
    await deleteConversation(lucastra, conversation);
  }
}

/** Show `pick`; a button of an item does its work, and the list comes back as it then is. */
async function chosen<Item extends QuickPickItem, Value>(
  pick: QuickPick<Item>,
  fill: () => Promise<void>,
  choiceFrom: (item: Item) => Value,
  onButton: (item: Item, button: QuickInputButton) => Promise<void> = async () => {},
): Promise<Value | undefined> {
  const listeners: Disposable[] = [];
  let acting = false;
  const refill = async (): Promise<void> => {
    try {
      await fill();
    } catch (error) {
      pick.hide();
      void window.showErrorMessage(failureOf(error).message);
    }
  };
  const buttonPressed = async (item: Item, button: QuickInputButton): Promise<void> => {
    acting = true;
    try {
      await onButton(item, button);
    } catch (error) {
      void window.showErrorMessage(failureOf(error).message);
    }
    acting = false;
    pick.show();
    await refill();
  };
  try {
    return await new Promise<Value | undefined>((resolve) => {
      listeners.push(
        pick.onDidAccept(() => {
          const item = pick.selectedItems[0];
          resolve(item === undefined ? undefined : choiceFrom(item));
        }),
        pick.onDidTriggerItemButton(({ item, button }) => void buttonPressed(item, button)),
        pick.onDidHide(() => {
          if (!acting) {
            resolve(undefined);
          }
        }),
      );
      pick.show();
      void refill();
    });
  } finally {
    for (const listener of listeners) {
      listener.dispose();
    }
    pick.dispose();
  }
}

function itemOf(conversation: Conversation, open: string | undefined): ConversationItem {
  const turns = conversation.turns ?? 0;
  const time = new Date(conversation.updatedAt * 1000).toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "short",
  });
  return {
    conversation,
    label: `${conversation.id === open ? "$(check) " : ""}${plain(conversation.title || UNTITLED)}`,
    description: `${turns} ${turns === 1 ? "turn" : "turns"}, ${time}`,
    buttons: [RENAME, EXPORT, DELETE],
  };
}

function configuredItem(current: string | null): ModelItem {
  return {
    label: `${current === null ? "$(check) " : ""}As configured`,
    description: "what LucAstra's configuration names",
    choice: null,
  };
}

function modelItems(models: readonly ModelInfo[], current: string | null): ModelItem[] {
  const byProvider = Map.groupBy(models, (model) => model.provider);
  return [...byProvider].flatMap(([provider, offered]) => [
    { label: provider, kind: QuickPickItemKind.Separator },
    ...offered.map(({ id, contextTokens }) => {
      const choice = `${provider}/${id}`;
      const description = contextTokens ? `${contextTokens.toLocaleString()} tokens` : "";
      return { label: `${choice === current ? "$(check) " : ""}${plain(id)}`, description, choice };
    }),
  ]);
}

/** Names are not the editor's to read icons from. */
function plain(name: string): string {
  return name.replaceAll("$(", "$ (");
}
