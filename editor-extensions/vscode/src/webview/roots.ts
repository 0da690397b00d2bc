// What several folders of a window are called, so that each can be told from the others. Pure.

/** Each folder's name: its last part, and as many before it as it takes to differ from every other. */
export function rootNames(roots: Iterable<string>): Map<string, string> {
  const distinct = [...new Set(roots)];
  return new Map(distinct.map((root) => [root, shortest(root, distinct)]));
}

/** Where something is, as people write it: its path, below its folder's name where several folders are open. */
export function placeName(
  { path, workspace }: { path: string; workspace: string },
  folders: readonly string[],
): string {
  return folders.length < 2 ? path : `${rootNames([...folders, workspace]).get(workspace)}/${path}`;
}

function shortest(root: string, all: readonly string[]): string {
  const parts = partsOf(root);
  for (let count = 1; count <= parts.length; count++) {
    const name = parts.slice(-count).join("/");
    if (!all.some((other) => other !== root && partsOf(other).slice(-count).join("/") === name)) {
      return name;
    }
  }
  return root;
}

function partsOf(root: string): string[] {
  return root.split("/").filter((part) => part !== "");
}
