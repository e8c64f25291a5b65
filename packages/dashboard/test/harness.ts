/** A real node with the built dashboard, and a real Chromium that looks at it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const usual = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const named = process.env.CARILLON_CHROMIUM;
/** Null: there is none here. */
export const chromiumPath: string | null = (named ? [named] : usual).find((path) => existsSync(path)) ?? null;

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface TestNode {
  url: string;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  stop(): Promise<void>;
}

/** `carillon dev` on a port and a data folder of its own, with the task types of `tasks.mjs`. */
export async function startDevNode(): Promise<TestNode> {
  const dataDir = await mkdtemp(join(tmpdir(), "carillon-dashboard-"));
  const cli = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url));
  const tasks = fileURLToPath(new URL("tasks.mjs", import.meta.url));
  const { CARILLON_DATABASE_URL: _, ...env } = process.env;
  const child = spawn(process.execPath, [cli, "dev", tasks, "--port", "0", "--data-dir", dataDir], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, CARILLON_LOG_LEVEL: "warn" },
  });
  const url = await readyUrl(child);
  return {
    url,
    async call<T>(method: string, path: string, body?: unknown): Promise<T> {
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return (text === "" ? null : JSON.parse(text)) as T;
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await new Promise((resolve) => child.once("exit", resolve));
      }
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function readyUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let told = "";
    child.stderr?.on("data", (chunk) => {
      told += chunk;
    });
    child.once("exit", (code) => reject(new Error(`the node ended with ${code} before it was ready\n${told}`)));
    child.once("error", reject);
    createInterface({ input: child.stdout! }).on("line", (line) => {
      told += `${line}\n`;
      const url = /^carillon ready on (http:\S+)/.exec(line)?.[1];
      if (url) resolve(url);
    });
  });
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath!, args: flags });
}

/** What a page must never do, as it happened. */
export interface Watch {
  page: Page;
  dialogs: string[];
  cspViolations: string[];
  errors: string[];
  /** The address of everything that it asked for. */
  requests: string[];
  close(): Promise<void>;
}

export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watch> {
  const context = await browser.newContext({
    timezoneId: "Europe/Berlin",
    viewport: { width: 1280, height: 900 },
    ...options,
  });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const watch: Watch = { page, dialogs: [], cspViolations: [], errors: [], requests: [], close: () => context.close() };
  page.on("request", (request) => watch.requests.push(request.url()));
  page.on("dialog", (dialog) => {
    watch.dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  page.on("pageerror", (error) => watch.errors.push(String(error)));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) watch.cspViolations.push(message.text());
  });
  await page.exposeFunction("reportCspViolation", (text: string) => watch.cspViolations.push(text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      (window as unknown as { reportCspViolation(text: string): void }).reportCspViolation(
        `${event.violatedDirective} ${event.blockedURI} ${event.sample}`,
      ),
    );
  });
  await page.goto(url);
  return watch;
}

/** Presses Tab until the focus is on the control with this name, as somebody without a mouse does. */
export async function tabTo(page: Page, name: string): Promise<void> {
  const reached: string[] = [];
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const label = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement & { labels?: NodeListOf<HTMLLabelElement> };
      const text = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent ?? "";
      return text.trim();
    });
    if (label === name || label.startsWith(`${name} (`)) return;
    reached.push(label.slice(0, 30));
  }
  throw new Error(`Tab never reached “${name}”; it went over ${reached.join(" · ")}`);
}
