// Code that a question is about, put under it as Markdown. Pure.

export interface Attachment {
  /** Where it stands, such as `src/app.py:12–20`. */
  label: string;
  /** The editor's name of its language. */
  language: string;
  text: string;
}

/** Longest attachment, in characters; longer ones would crowd the passages out of the prompt. */
export const LONGEST_ATTACHMENT = 40_000;

/** The question with its attachments, each in a fence that nothing within it closes. */
export function withAttachments(question: string, attachments: readonly Attachment[]): string {
  const blocks = attachments.map(({ label, language, text }) => {
    const fence = fenceFor(text);
    return `\`${label}\`:\n\n${fence}${/^[\w+#-]+$/u.test(language) ? language : ""}\n${text.replace(/\n$/u, "")}\n${fence}`;
  });
  return [question.trim(), ...blocks].join("\n\n");
}

function fenceFor(text: string): string {
  const runs = [...text.matchAll(/`+/gu)].map((run) => run[0].length);
  return "`".repeat(Math.max(3, ...runs.map((length) => length + 1)));
}
