import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createProgram } from "../src/program.ts";
import { commandLinePage, configurationPage, errorsPage } from "./reference.ts";

const root = join(import.meta.dirname, "../../..");
const reference = join(root, "docs/reference");

test("the reference of the command line is what the commands say themselves", async () => {
  await expect(commandLinePage(createProgram())).toMatchFileSnapshot(join(reference, "cli.md"));
});

test("the reference of the configuration is the table that is read from", async () => {
  await expect(configurationPage()).toMatchFileSnapshot(join(reference, "configuration.md"));
});

test("the reference of errors is the table that they come from", async () => {
  await expect(errorsPage()).toMatchFileSnapshot(join(reference, "errors.md"));
});

test("links between pages lead somewhere", () => {
  const pages = [
    ...readdirSync(root).filter((file) => file.endsWith(".md")),
    ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".md"))
      .map((file) => `docs/${file}`),
  ];
  const broken = pages.flatMap((page) => {
    const links = [...readFileSync(join(root, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)];
    return links
      .filter(([, link]) => !existsSync(join(root, dirname(page), link!)))
      .map(([, link]) => `${page}: ${link}`);
  });
  expect(broken).toEqual([]);
});
