// The daemon's language models, offered to the editor's own chat: it answers no participant without one.

import {
  type CancellationToken,
  type Disposable,
  EventEmitter,
  type LanguageModelChatInformation,
  type LanguageModelChatMessageRole,
  type LanguageModelChatProvider,
  type LanguageModelChatRequestMessage,
  LanguageModelTextPart,
  lm,
  type PrepareLanguageModelChatModelOptions,
  type Progress,
  type ProvideLanguageModelChatResponseOptions,
} from "vscode";
import type { LucAstra } from "../daemon";
import type { ModelInfo } from "../protocol";
import { promptOf, type Spoken } from "./prompt";

export const VENDOR = "lucastra";
/** The id of whatever the configuration names. */
const CONFIGURED = "configured";

/** What the editor may assume of a model whose provider does not say. */
const CONTEXT_TOKENS = 8192;
const ANSWER_TOKENS = 4096;
/** Letters of code to a token, about; the daemon counts for itself, this is for the editor's display. */
const LETTERS_TO_TOKEN = 3.5;
/** The value of `LanguageModelChatMessageRole.User`. */
const USER: LanguageModelChatMessageRole = 1;

/** What `choice` of the contract stands for a model of the editor's list. */
export function choiceOf(modelId: string): string | null {
  return modelId === CONFIGURED ? null : modelId;
}

/** Offer the models, anew whenever the connection is. */
export function registerModels(lucastra: LucAstra): Disposable {
  return lm.registerLanguageModelChatProvider(VENDOR, new DaemonModels(lucastra));
}

class DaemonModels implements LanguageModelChatProvider {
  private readonly changed = new EventEmitter<void>();
  readonly onDidChangeLanguageModelChatInformation = this.changed.event;

  constructor(private readonly lucastra: LucAstra) {
    lucastra.onDidChangeState((state) => {
      if (state.kind === "ready") {
        this.changed.fire();
      }
    });
  }

  async provideLanguageModelChatInformation(
    _options: PrepareLanguageModelChatModelOptions,
    token: CancellationToken,
  ): Promise<LanguageModelChatInformation[]> {
    // The editor asks at its start; a connection that is not there yet must not hold it up.
    if (this.lucastra.state.kind !== "ready") {
      return [configuredModel()];
    }
    try {
      const { models = [] } = await this.lucastra.request("lucastra/models", {}, token);
      return [configuredModel(), ...models.map(informationOf)];
    } catch {
      return [configuredModel()];
    }
  }

  async provideLanguageModelChatResponse(
    model: LanguageModelChatInformation,
    messages: readonly LanguageModelChatRequestMessage[],
    _options: ProvideLanguageModelChatResponseOptions,
    progress: Progress<LanguageModelTextPart>,
    token: CancellationToken,
  ): Promise<void> {
    await this.lucastra.stream(
      "lucastra/complete",
      { prompt: promptOf(messages.map(spoken)), provider: choiceOf(model.id) },
      (event) => {
        if (event.kind === "delta") {
          progress.report(new LanguageModelTextPart(event.text));
        }
      },
      token,
    );
  }

  async provideTokenCount(
    _model: LanguageModelChatInformation,
    text: string | LanguageModelChatRequestMessage,
  ): Promise<number> {
    const letters = typeof text === "string" ? text : spoken(text).text;
    return Math.ceil(letters.length / LETTERS_TO_TOKEN);
  }
}

function configuredModel(): LanguageModelChatInformation {
  return {
    ...informationOf({ provider: VENDOR, id: CONFIGURED }),
    id: CONFIGURED,
    name: "LucAstra",
    tooltip: "The model that LucAstra's configuration names; without one, @lucastra shows the passages it has found.",
    detail: "configured",
    // The editor's agent mode offers no other models, and `@lucastra` is asked in whatever mode the chat is in.
    capabilities: { toolCalling: true },
  };
}

function informationOf({ provider, id, contextTokens }: ModelInfo): LanguageModelChatInformation {
  const context = contextTokens ?? CONTEXT_TOKENS;
  const answer = Math.min(ANSWER_TOKENS, Math.floor(context / 2));
  return {
    id: `${provider}/${id}`,
    name: id,
    family: id,
    version: id,
    detail: provider,
    maxInputTokens: context - answer,
    maxOutputTokens: answer,
    capabilities: {},
  };
}

function spoken(message: LanguageModelChatRequestMessage): Spoken {
  const text = message.content.map((part) => (part instanceof LanguageModelTextPart ? part.value : "")).join("");
  return { byUser: message.role === USER, text };
}
