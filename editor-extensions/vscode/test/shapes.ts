// The contract's types at run time: the schema that they are generated from, as validators.

import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { ErrorCode } from "../src/protocol";

interface Reference {
  $ref: string;
}

interface Contract {
  methods: Record<string, { params: Reference; result: Reference; events?: Reference[]; errors: string[] }>;
  notifications: Record<string, { params: Reference }>;
  clientNotifications: Record<string, { params: Reference }>;
  $defs: Record<string, { properties?: object }>;
}

const URL_OF_SCHEMA = new URL("../../../protocol/schema/methods.schema.json", import.meta.url);
const contract: Contract = JSON.parse(readFileSync(URL_OF_SCHEMA, "utf8"));
/** What every method may answer with, as the contract's page says. */
const ALWAYS: readonly number[] = [
  ErrorCode.INVALID_REQUEST,
  ErrorCode.INVALID_PARAMS,
  ErrorCode.INTERNAL_ERROR,
  ErrorCode.METHOD_NOT_FOUND,
  ErrorCode.REQUEST_CANCELLED,
  ErrorCode.SERVER_CANCELLED,
  ErrorCode.SERVER_NOT_INITIALIZED,
  ErrorCode.NOT_AUTHORISED,
  ErrorCode.VERSION_MISMATCH,
];

const lenient = new Ajv2020({ strict: false, useDefaults: true }).addSchema({ ...contract, $id: "contract" });
// A receiver ignores names that it does not know; but a daemon of this very version says none.
const exact = Object.entries(contract.$defs).map(([name, shape]) => [name, { ...shape, additionalProperties: false }]);
const validators = new Ajv2020({ strict: false }).addSchema({
  ...contract,
  $defs: Object.fromEntries(exact),
  $id: "contract",
});

/** Throws unless `value` is what the contract says of this method's result. */
export function checkResult(method: string, value: unknown): void {
  check(`result of ${method}`, contract.methods[method]?.result, value);
}

/** Throws unless one of the method's events looks like `value`. */
export function checkEvent(method: string, value: unknown): void {
  const shapes = contract.methods[method]?.events;
  // Work-done progress is LSP's.
  if (shapes?.length && !shapes.some((shape) => validators.validate(inContract(shape), value))) {
    throw new Error(`event of ${method}: ${JSON.stringify(value)} is none of the contract's`);
  }
}

/** Throws unless `value` is what a notification of this name says. */
export function checkNotification(name: string, value: unknown): void {
  check(name, contract.notifications[name]?.params, value);
}

/** Throws unless this method may fail so. */
export function checkError(method: string, code: number): void {
  const named = contract.methods[method]?.errors ?? [];
  const codes = named.map((name) => ErrorCode[name as keyof typeof ErrorCode]);
  if (method in contract.methods && ![...codes, ...ALWAYS].includes(code as ErrorCode)) {
    throw new Error(`${method} does not fail with ${code}`);
  }
}

/** Whether the contract has these params: some transcripts show what is refused. */
export function areParams(name: string, value: unknown): boolean {
  const shape = (contract.methods[name] ?? contract.clientNotifications[name])?.params;
  return shape === undefined || lenient.validate(inContract(shape), structuredClone(value ?? {}));
}

/** Params with all defaults written out, so that leaving one out is the same as saying it. */
export function filled(name: string, value: unknown): unknown {
  const shape = (contract.methods[name] ?? contract.clientNotifications[name])?.params;
  const copy = structuredClone(value ?? {});
  if (shape !== undefined) {
    lenient.validate(inContract(shape), copy);
  }
  return shape === undefined ? (value ?? null) : copy;
}

function check(what: string, shape: Reference | undefined, value: unknown): void {
  if (shape !== undefined && !validators.validate(inContract(shape), value)) {
    throw new Error(`${what}: ${validators.errorsText()}`);
  }
}

function inContract({ $ref }: Reference): string {
  return `contract${$ref}`;
}
