// Whether the daemon and this extension speak the same version of the contract. Pure.

import { type HelloParams, type HelloResult, PROTOCOL_VERSION } from "./protocol";

/** What works in a clone of LucAstra. */
export const INSTALL_COMMAND = 'pipx install ".[mcp]"';

/** What the extension says of itself in `lucastra/hello`. */
export function helloOf(extensionVersion: string): HelloParams {
  return {
    clientName: "LucAstra for VS Code",
    clientVersion: extensionVersion,
    protocolVersion: PROTOCOL_VERSION,
  };
}

/** Which side is to be updated. */
export type Outdated = "extension" | "server";

/** Who is too old, and a sentence for the user that names the cure; undefined where both understand each other. */
export function mismatchOf(
  { daemonVersion, protocolVersion }: HelloResult,
  extensionVersion: string,
): { outdated: Outdated; message: string } | undefined {
  if (protocolVersion === PROTOCOL_VERSION) {
    return undefined;
  }
  const versions = `LucAstra's server is version ${daemonVersion}, the extension version ${extensionVersion}`;
  if (protocolVersion > PROTOCOL_VERSION) {
    return {
      outdated: "extension",
      message: `${versions}, which is too old for it. Update the extension, and reload the window.`,
    };
  }
  return {
    outdated: "server",
    message:
      `${versions}, for which the server is too old. Update the server: run ${INSTALL_COMMAND} --force in an ` +
      'up-to-date clone of LucAstra, then "LucAstra: Restart Connection".',
  };
}
