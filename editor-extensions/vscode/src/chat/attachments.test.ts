import { describe, expect, it } from "vitest";
import { withAttachments } from "./attachments";
import { promptOf } from "./prompt";

describe("a question with code attached", () => {
  it("is itself where nothing is attached", () => {
    expect(withAttachments(" why? ", [])).toBe("why?");
  });

  it("holds the code in a fence that nothing within it closes", () => {
    const text = "print('```')\n";
    expect(withAttachments("why?", [{ label: "a.py:3", language: "python", text }])).toBe(
      "why?\n\n`a.py:3`:\n\n````python\nprint('```')\n````",
    );
  });

  it("names no language that could end the fence's line", () => {
    const text = withAttachments("why?", [{ label: "a", language: "x`y\nz", text: "1" }]);
    expect(text).toContain("```\n1\n```");
  });
});

describe("messages of the editor's chat", () => {
  it("are the prompt itself where there is one, and told with who said them otherwise", () => {
    expect(promptOf([{ byUser: true, text: "Hello" }])).toBe("Hello");
    const messages = [
      { byUser: true, text: "Hello" },
      { byUser: false, text: "Yes?" },
      { byUser: true, text: "Why?" },
    ];
    expect(promptOf(messages)).toBe("User: Hello\n\nAssistant: Yes?\n\nUser: Why?\n\nAssistant:");
  });
});
