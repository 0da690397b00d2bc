// Several messages as the one prompt that a completion takes. Pure.

export interface Spoken {
  byUser: boolean;
  text: string;
}

/** A single message is the prompt itself; of several, each is told with who said it, and the model's turn comes last. */
export function promptOf(messages: readonly Spoken[]): string {
  const said = messages.filter((message) => message.text.trim() !== "");
  if (said.length === 1 && said[0] !== undefined) {
    return said[0].text;
  }
  return [...said.map(({ byUser, text }) => `${byUser ? "User" : "Assistant"}: ${text}`), "Assistant:"].join("\n\n");
}
