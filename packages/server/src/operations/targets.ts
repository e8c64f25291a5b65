/** Which addresses the URL of an `http` task may name when it is accepted. What a name stands for is checked at each attempt. */
import { isIP } from "node:net";
import type { FieldError } from "@carillon/core";
import { fieldsInvalid } from "../http/field-errors.ts";
import type { Deps } from "./deps.ts";

/** Throws `invalid_request` naming every task whose URL holds an address that this node's settings refuse. */
export function checkTargets(
  { targets }: Pick<Deps, "targets">,
  tasks: readonly { type: string; payload?: string | null | undefined }[],
  pointerOf: (index: number) => string,
): void {
  const errors = tasks.flatMap((task, index): FieldError[] => {
    const url = task.type === "http" && task.payload ? (JSON.parse(task.payload) as { url: string }).url : null;
    const message = url === null ? null : refusalOf(targets, new URL(url).hostname);
    return message === null ? [] : [{ pointer: `${pointerOf(index)}/url`, code: "address_not_allowed", message }];
  });
  if (errors.length > 0) throw fieldsInvalid(errors);
}

/** `URL` has brought all spellings of an address (decimal, octal, hexadecimal …) into the one that is checked. */
function refusalOf(targets: Deps["targets"], hostname: string): string | null {
  if (isIP(hostname.replace(/^\[|\]$/g, "")) === 0) return null;
  try {
    targets.check(hostname);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
