import { expect, test } from "vitest";
import { fingerprintOf, plainMessage } from "./fingerprint.ts";
import type { TaskError } from "./outcome.ts";

const error: TaskError = {
  code: "handler_error",
  name: "Error",
  message: 'customer 42 has no address "Main St"',
  stack:
    'Error: customer 42 has no address "Main St"\n    at send (file:///srv/v1/tasks.mjs:10:7)\n    at run (/srv/v1/x.mjs:1:1)',
};
const print = (over: Partial<TaskError> = {}, type = "mail") => fingerprintOf(type, { ...error, ...over });

test("what differs from case to case makes no other group", () => {
  const same = [
    { message: 'customer 43 has no address "Elm St, 5"' },
    { message: `${error.message}\nand more` },
    { stack: error.stack!.replaceAll("/srv/v1", "/srv/v2") },
    { stack: error.stack!.replace(":10:7", ":12:9") },
    { stack: `${error.stack}\n    at later (node:internal/x:1:1)` },
  ];
  expect(print()).toMatch(/^[0-9a-f]{16}$/);
  for (const over of same) expect(print(over)).toBe(print());
});

test("another type, name, code, message or place is another group", () => {
  const others = [
    print({}, "report"),
    print({ name: "TypeError" }),
    print({ code: "timeout" }),
    print({ message: "customer 42 has no name" }),
    print({ stack: error.stack!.replace("at send", "at fetch") }),
    print({ stack: error.stack!.replace("tasks.mjs", "mails.mjs") }),
    print({ stack: null }),
  ];
  expect(new Set([print(), ...others]).size).toBe(others.length + 1);
});

test.each([
  ["connect ECONNREFUSED 127.0.0.1:5432", "connect ECONNREFUSED *"],
  ["task 0193a7c2-5a1e-7b3c-9d2f-1f2e3d4c5b6a is gone", "task * is gone"],
  ["took 12.5s, limit 10s", "took *, limit *"],
  ['it\'s `x` and "y"', "it's * and *"],
  ["  \n", ""],
  ["", ""],
])("%j reads %j", (message, plain) => {
  expect(plainMessage(message)).toBe(plain);
});

test.each(['"', "1", "a1", "/", "\n", " ", "at ", "\\", "(", "'\""])(
  "a text of a million %j is read in no time",
  (part) => {
    const text = part.repeat(1_000_000);
    for (const stack of [text, `at ${text}`, `\n${text}at x`]) {
      expect(print({ message: text, stack })).toMatch(/^[0-9a-f]{16}$/);
    }
  },
);
