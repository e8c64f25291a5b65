import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { cliCommand, curlCommand, shellQuote } from "./shell.ts";

test.each([
  "plain",
  "it's",
  `"double" $(touch x) \`y\` !`,
  "line\nbreak",
  "\\",
  "",
  "--flag",
  "<img src=x onerror=alert(1)>",
])("a shell reads %j back as it was", (text) => {
  const read = execFileSync("/bin/sh", ["-c", `printf %s ${shellQuote(text)}`], { encoding: "utf8" });
  expect(read).toBe(text);
});

test("a copied command carries its body in one argument", () => {
  expect(curlCommand("POST", "http://127.0.0.1:7070/api/v1/tasks", { type: "it's" })).toBe(
    `curl -X POST http://127.0.0.1:7070/api/v1/tasks -H 'content-type: application/json' -d '{"type":"it'\\''s"}'`,
  );
});

test("a command for a server elsewhere names its address", () => {
  expect(cliCommand("http://127.0.0.1:7070", "tasks ls")).toBe("npx carillon tasks ls");
  expect(cliCommand("https://tasks.example.com", "tasks ls")).toBe(
    "npx carillon tasks ls --url https://tasks.example.com",
  );
});
