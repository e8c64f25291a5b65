/** The dashboard as people meet it: a node of its own, real Chromium, nothing replaced. */
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, openBrowser, openPage, startDevNode, type TestNode, tabTo, type Watch } from "./harness.ts";

// biome-ignore lint/suspicious/noTemplateCurlyInString: it is to stay as it is
const hostile = '<img src=x onerror=alert(1)>"><svg onload=alert(2)> javascript:alert(3) {{7*7}} ${7*7}';

const required = process.env.CARILLON_TEST_REQUIRE === "all";
if (chromiumPath === null && !required) {
  console.warn(
    "\n*** SKIPPED: the dashboard's tests, because no Chromium was found. Set CARILLON_CHROMIUM to one. ***\n",
  );
}
if (required) {
  test("a Chromium is there (CARILLON_CHROMIUM names one that lies elsewhere)", () =>
    expect(chromiumPath).not.toBeNull());
}

describe.skipIf(chromiumPath === null)("the dashboard", { timeout: 120_000 }, () => {
  let node: TestNode;
  let browser: Browser;

  beforeAll(async () => {
    [node, browser] = await Promise.all([startDevNode(), openBrowser()]);
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await node?.stop();
  });

  /** A page that is closed at the end, and that must have shown no dialog, broken no policy and thrown nothing. */
  async function withPage(
    path: string,
    visit: (page: Page, watch: Watch) => Promise<void>,
    options = {},
  ): Promise<void> {
    const watch = await openPage(browser, node.url + path, options);
    try {
      await visit(watch.page, watch);
      expect(watch).toMatchObject({ dialogs: [], cspViolations: [], errors: [] });
    } finally {
      await watch.close();
    }
  }

  test("a task made by form succeeds before the eyes, without a reload, also in another tab's list", async () => {
    const list = await openPage(browser, `${node.url}/tasks`);
    await withPage("/tasks", async (page) => {
      await page.evaluate(() => Object.assign(window, { sameDocument: true }));
      await page.getByRole("link", { name: "New task" }).first().click();
      await page.getByRole("heading", { name: "New task" }).waitFor();
      await page.getByLabel("Type").fill("sleep");
      await page.getByRole("textbox", { name: "Payload" }).fill('{"for":"1500ms"}');
      await page.getByLabel("Tags").fill("by-form, second");
      await page.getByRole("button", { name: "Create task" }).click();
      await page.waitForURL(/\/tasks\/task_[0-9a-z]{13}/);
      const id = page.url().split("/").at(-1)!.split("?")[0]!;

      const other = list.page.locator(`[data-row="${id}"]`);
      await other.waitFor();
      await state(page.locator("h1"), "succeeded").waitFor();
      await state(other, "succeeded").waitFor();
      expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
      expect(await node.call("GET", `/tasks/${id}`)).toMatchObject({ state: "succeeded", tags: ["by-form", "second"] });
      await page.getByRole("region", { name: "Timing" }).getByText("Ran for").waitFor();
    });
    expect(list).toMatchObject({ dialogs: [], cspViolations: [], errors: [] });
    await list.close();
  });

  test("the workers page shows who is connected, and a task which labels it requires", async () => {
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "noop", requires: { region: "mars" } });
    await withPage("/workers", async (page) => {
      const own = page.locator("tr", { hasText: "-own" });
      await own.getByText("noop").waitFor();
      await own.getByText(/^\d+ of \d+$/).waitFor();
      await page.goto(`${node.url}/tasks/${id}`);
      await page.getByText("region=mars", { exact: true }).waitFor();
      await page.getByText("has the label region=mars").waitFor();
    });
    await node.call("POST", `/tasks/${id}:cancel`, {});
  });

  test("a workflow shows its graph as it goes on, leads to its tasks, and is cancelled and retried", async () => {
    const { id } = await node.call<{ id: string }>("POST", "/workflows", {
      name: "order",
      tasks: [
        { key: "charge", type: "noop" },
        { key: "ship", type: "nobody-ships", after: ["charge"] },
        { key: "refund", type: "noop", after: ["ship"], when: "on-failure" },
      ],
    });
    await withPage("/workflows", async (page) => {
      await page.locator(`[data-row="${id}"]`).getByRole("link", { name: "order" }).click();
      await page.getByText("1 of 3 tasks have ended · 1 succeeded").waitFor();
      const graph = page.getByRole("region", { name: "Graph" });
      await graph.locator('[data-graph-state="queued"]').waitFor();
      expect(await graph.locator("[data-graph-state]").count()).toBe(3);
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByRole("button", { name: "Cancel the workflow" }).click();
      await state(page.locator("h1"), "cancelled").waitFor();
      await page.getByRole("button", { name: "Retry" }).click();
      await state(page.locator("h1"), "running").waitFor();
      await graph.locator('[data-graph-state="queued"]').click();
      await page.getByRole("heading", { name: "nobody-ships" }).waitFor();
      await page.getByRole("link", { name: "ship", exact: true }).waitFor();
    });
    await node.call("POST", `/workflows/${id}:cancel`, {});
  });

  test("what is due later is hidden until asked for, and can be run now or cancelled", async () => {
    const later = await node.call<{ id: string }>("POST", "/tasks", { type: "noop", delay: "2h", tags: ["later"] });
    await withPage("/tasks?tag=later", async (page) => {
      await page.getByText("No task matches").waitFor();
      await page.getByText("Show due later").click();
      const row = page.locator(`[data-row="${later.id}"]`);
      await row.getByText(/^starts in 1 h 59 m$/).waitFor();
      expect(new URL(page.url()).searchParams.get("later")).toBe("true");
      await row.getByRole("link", { name: "noop" }).click();
      await page.getByRole("button", { name: "Run now" }).click();
      await state(page.locator("h1"), "succeeded").waitFor();
      expect(await page.getByRole("button", { name: "Cancel" }).count()).toBe(0);
    });

    const cancelled = await node.call<{ id: string }>("POST", "/tasks", { type: "noop", delay: "2h" });
    await withPage(`/tasks/${cancelled.id}`, async (page) => {
      await page.getByRole("button", { name: "Cancel" }).click();
      await state(page.locator("h1"), "cancelled").waitFor();
    });
  });

  test("a failed task shows its error, and succeeds after Retry", async () => {
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "fails-once" });
    await withPage(`/tasks/${id}`, async (page) => {
      await state(page.locator("h1"), "failed").waitFor();
      await page.getByRole("region", { name: "Error" }).getByText("the first time fails").first().waitFor();
      await page.getByRole("button", { name: "Retry" }).click();
      await state(page.locator("h1"), "succeeded").waitFor();
      await page.getByRole("region", { name: "Result" }).getByText('"fine"').waitFor();
      const attempts = page.getByRole("region", { name: "Attempts" }).locator("tbody tr");
      await expect.poll(() => attempts.count()).toBe(2);
    });
  });

  test("log lines follow live, and a running task is cancelled after confirmation", async () => {
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "runs-until-stopped" });
    await withPage(`/tasks/${id}`, async (page) => {
      const log = page.getByRole("region", { name: "Log", exact: true });
      await log.getByText("line 3", { exact: true }).waitFor();
      await log.getByText("line 6", { exact: true }).waitFor();
      await log.getByLabel("Search the log").fill("LINE 3");
      await log.getByText("line 6", { exact: true }).waitFor({ state: "detached" });
      await log.getByText("line 3", { exact: true }).waitFor();
      await log.getByLabel("Level").selectOption("Errors only");
      await log.getByText("No line matches.").waitFor();
      await state(page.locator("h1"), "running").waitFor();
      await page.getByRole("button", { name: "Cancel", exact: true }).click();
      const dialog = page.getByRole("alertdialog");
      await dialog.getByRole("button", { name: "Keep it" }).click();
      await dialog.waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Cancel", exact: true }).click();
      await dialog.getByRole("button", { name: "Cancel the task" }).click();
      await state(page.locator("h1"), "cancelled").waitFor();
    });
  });

  test("a log is followed through bursts of long lines until its reader looks back, and again from the end", async () => {
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "logs-in-bursts" });
    await withPage(`/tasks/${id}`, async (page) => {
      const log = page.getByRole("log");
      const latest = () => log.getByText(/^burst \d+$/).last();
      /** The number of the last burst, or 0 while it is below what is shown. */
      const inView = () =>
        log.evaluate((view) => {
          const bursts = [...view.querySelectorAll("*")].filter(
            ({ children, textContent }) => !children.length && /^burst \d+$/.test(textContent!),
          );
          const line = bursts.at(-1)!;
          const shown = line.getBoundingClientRect().bottom <= view.getBoundingClientRect().bottom + 1;
          return shown ? Number(line.textContent!.slice(6)) : 0;
        });
      await latest().waitFor();
      await expect.poll(inView).toBeGreaterThan(10);
      const toEnd = page.getByRole("button", { name: /o to the end/ });
      expect(await toEnd.count()).toBe(0);

      await log.hover();
      await page.mouse.wheel(0, -300);
      await page.getByRole("button", { name: /new lines, go to the end/ }).waitFor();
      await log.focus();
      await page.keyboard.press("End");
      await toEnd.waitFor({ state: "detached" });
      await page.keyboard.press("PageUp");
      await toEnd.click();
      const here = Number((await latest().textContent())!.slice(6));
      await expect.poll(inView).toBeGreaterThan(here + 5);
      expect(await toEnd.count()).toBe(0);
    });
    await node.call("POST", `/tasks/${id}:cancel`, {});
  });

  test("all tasks that a filter shows are counted, then cancelled and retried; one that nobody runs says so", async () => {
    for (let n = 0; n < 3; n++) {
      await node.call("POST", "/tasks", { type: "nobody-runs-it", delay: "1h", tags: ["by-the-dozen"] });
    }
    await withPage("/tasks?tag=by-the-dozen&state=scheduled", async (page) => {
      await page.getByRole("button", { name: "Cancel all" }).click();
      const dialog = page.getByRole("alertdialog", { name: "Cancel 3 tasks?" });
      await dialog.getByRole("button", { name: "Cancel all" }).click();
      await page.getByText("done: 3 of 3").waitFor();
      await page.getByText("No task matches").waitFor();
    });
    await withPage("/tasks?tag=by-the-dozen&state=cancelled", async (page) => {
      await page.getByRole("button", { name: "Retry all" }).click();
      await page.getByRole("alertdialog").getByRole("button", { name: "Keep it" }).click();
      await page.getByRole("button", { name: "Retry all" }).click();
      await page.getByRole("alertdialog").getByRole("button", { name: "Retry all" }).click();
      await page.getByText("done: 3 of 3").waitFor();
      await page.getByRole("button", { name: "queued" }).click();
      await page.getByRole("link", { name: "nobody-runs-it" }).first().click();
      await page.getByText("no connected worker runs nobody-runs-it").waitFor();
    });
  });

  test("what failed is grouped by cause, and all of one cause are retried", async () => {
    for (let n = 0; n < 3; n++) {
      await node.call("POST", "/tasks", { type: "speaks", payload: { say: `no route to ${n}`, fail: true } });
    }
    await withPage("/failures", async (page) => {
      const row = page.getByRole("row").filter({ hasText: "no route to" });
      await row.getByRole("cell", { name: "3", exact: true }).waitFor();
      expect(await row.count()).toBe(1);
      await row.getByRole("button", { name: "Retry all" }).click();
      await page
        .getByRole("alertdialog", { name: "Retry 3 tasks?" })
        .getByRole("button", { name: "Retry all" })
        .click();
      await row.getByText("done: 3 of 3").waitFor();
    });
  });

  test("a queue is limited, paused and resumed; what waits in it says so, and others' changes show", async () => {
    await node.call("POST", "/tasks", { type: "noop", queue: "letters", delay: "2h" });
    await withPage("/queues", async (page) => {
      const row = page.locator('[data-row="letters"]');
      await row.getByRole("button", { name: "Pause letters" }).click();
      await state(row, "paused").waitFor();
      await row.getByRole("link", { name: "letters" }).click();
      await page.getByText("Nothing starts since").waitFor();
      await page.getByLabel("Tasks at once").fill("5");
      await page.getByLabel("Starts", { exact: false }).first().fill("100");
      await page.getByLabel("Failures in a row").fill("3");
      await page.getByLabel("in each", { exact: false }).first().fill("soon");
      await page.getByRole("button", { name: "Save the limits" }).click();
      await page.getByText("A duration such as 500ms").first().waitFor();
      await page.getByLabel("in each", { exact: false }).first().fill("1m");
      await page.getByRole("button", { name: "Save the limits" }).click();
      await page.getByText("Saved.").waitFor();
      expect(await node.call("GET", "/queues/letters")).toMatchObject({
        concurrency: 5,
        rateLimit: { limit: 100, per: "1m", burst: 100 },
        maxBacklog: null,
        breaker: { failures: 3, openFor: "5s", adaptive: false },
        paused: true,
      });
      await page.getByRole("button", { name: "Resume letters" }).click();
      await state(page.locator("h1"), "active").waitFor();
      await page.getByLabel("Tasks at once").fill("");
      await page.getByRole("button", { name: "Save the limits" }).click();
      await expect.poll(() => node.call("GET", "/queues/letters")).toMatchObject({ concurrency: null, paused: false });

      await node.call("POST", "/queues/letters:pause", { reason: "no stamps" });
      await page.getByText("no stamps").waitFor();
      const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "noop", queue: "letters" });
      await page.getByRole("link", { name: "Its tasks" }).click();
      await page.locator(`[data-row="${id}"]`).getByRole("link", { name: "noop" }).click();
      await page.getByText(/its queue letters is paused since/).waitFor();
    });
    await node.call("POST", "/queues/letters:resume", {});
  });

  test("a schedule made with a preview fires, pauses, resumes, is triggered, edited and deleted", async () => {
    await withPage("/schedules", async (page) => {
      await page.getByRole("link", { name: "New schedule" }).first().click();
      await page.getByLabel("Name").fill("every-morning");
      await page.getByRole("textbox", { name: "Cron expression" }).fill("30 7 * * 1-5");
      const zone = page.getByRole("combobox", { name: "Time zone" });
      await zone.fill("New_York");
      await page.getByRole("option", { name: /America\/New_York/ }).click();
      const preview = page.getByRole("region", { name: "Preview" }).filter({ visible: true });
      await preview.getByText(/07:30/).first().waitFor();
      expect(await preview.getByText(/, 07:30:00/).count()).toBe(10);
      await preview.getByText("Europe/Berlin (mine)").waitFor();
      await page.getByLabel("Type").fill("noop");
      await page.getByRole("button", { name: "Create schedule" }).click();
      await page.waitForURL(/\/schedules\/every-morning/);
      await page.getByRole("region", { name: "Next fires" }).getByText("07:30:00 America/New_York").first().waitFor();

      await page.getByRole("link", { name: "Schedules" }).first().click();
      const row = page.locator('[data-row="every-morning"]');
      await row.getByRole("button", { name: "Pause every-morning" }).click();
      await state(row, "paused").waitFor();
      await row.getByRole("button", { name: "Resume every-morning" }).click();
      await row.getByText("07:30:00 America/New_York").waitFor();
      await row.getByRole("button", { name: "Trigger every-morning" }).click();
      await page.getByRole("link", { name: "see the task" }).click();
      await state(page.locator("h1"), "succeeded").waitFor();
      await page.getByText("manual", { exact: true }).waitFor();

      await page.getByRole("link", { name: "every-morning" }).click();
      await page.getByRole("link", { name: "Edit" }).click();
      await page.getByRole("textbox", { name: "Cron expression" }).fill("45 7 * * 1-5");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("region", { name: "Next fires" }).getByText("07:45:00 America/New_York").first().waitFor();

      await page.getByRole("button", { name: "Delete every-morning" }).click();
      await page.getByRole("alertdialog").getByRole("button", { name: "Delete the schedule" }).click();
      await page.waitForURL(/\/schedules(\?|$)/);
      await expect.poll(() => page.locator('[data-row="every-morning"]').count()).toBe(0);
    });
  });

  test("a schedule of several rules is edited with all of them, its calendars, and a preview that knows its name", async () => {
    await node.call("PUT", "/calendars/nights", {
      timeZone: "UTC",
      weekly: [{ days: ["SUN"], from: "00:00", to: "06:00" }],
    });
    const rules = [{ cron: "H 2 * * *" }, { rrule: "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0" }];
    await node.call("PUT", "/schedules/mixed", {
      rules,
      timeZone: "Europe/Paris",
      excludes: ["nights"],
      task: { type: "noop" },
    });
    const asStored = await node.call<{ fires: { at: string }[] }>("POST", "/schedules:preview", {
      rules,
      timeZone: "Europe/Paris",
      excludes: ["nights"],
      name: "mixed",
    });
    await withPage("/schedules/mixed/edit", async (page) => {
      expect(await page.getByRole("textbox", { name: "Cron expression" }).inputValue()).toBe(rules[0]!.cron);
      expect(await page.getByRole("textbox", { name: "RRULE" }).inputValue()).toBe(rules[1]!.rrule);
      const preview = page.getByRole("region", { name: "Preview" }).filter({ visible: true });
      await preview.locator(`time[datetime="${asStored.fires[0]!.at}"]`).first().waitFor();
      await page.getByRole("textbox", { name: "RRULE" }).fill("FREQ=NEVER");
      await page.getByText(/FREQ/).and(page.locator("li")).waitFor();
      await page.getByRole("textbox", { name: "RRULE" }).fill("FREQ=DAILY;BYHOUR=12");
      await page.getByRole("group", { name: "Not during" }).getByRole("checkbox", { name: "nights" }).uncheck();
      await page.getByRole("button", { name: "Add a rule" }).click();
      await page.getByRole("textbox", { name: "Cron expression" }).nth(1).fill("0 18 * * 5");
      await page.getByRole("button", { name: "Save" }).click();
      await page.waitForURL(/\/schedules\/mixed$/);
    });
    expect(await node.call("GET", "/schedules/mixed")).toMatchObject({
      rules: [rules[0], { rrule: "FREQ=DAILY;BYHOUR=12" }, { cron: "0 18 * * 5" }],
      timeZone: "Europe/Paris",
      excludes: [],
      version: 2,
    });
    await node.call("DELETE", "/schedules/mixed");
    await node.call("DELETE", "/calendars/nights");
  });

  test("the coming fires of all schedules are a chart, with their peak and what would spread it", async () => {
    const soon = new Date(Date.now() + 20 * 60_000);
    const cron = `${soon.getUTCMinutes()} ${soon.getUTCHours()} * * *`;
    const names = Array.from({ length: 12 }, (_, index) => `crowd-${index}`);
    for (const name of names) await node.call("PUT", `/schedules/${name}`, { cron, task: { type: "noop" } });
    await withPage("/schedules?zone=utc", async (page) => {
      const coming = page.getByRole("region", { name: "Coming fires" });
      const peak = soon.toISOString().slice(11, 16);
      const chart = coming.getByRole("img");
      expect(await chart.getAttribute("aria-label")).toMatch(
        new RegExp(`^Coming fires: \\d+, most at ${peak}: 1[2-9]$`),
      );
      expect(await chart.locator("[data-count]").count()).toBe(60);
      await coming.getByText(/A jitter of 5m on the 12 schedules without one .* to about \d/).waitFor();
      await coming.getByText("next 24h").click();
      await page.waitForURL(/ahead=24h/);
      await expect.poll(() => chart.locator("[data-count]").count()).toBe(96);
      await coming.getByText("As a table").click();
      await coming
        .getByRole("row")
        .filter({ hasText: /1[2-9]$/ })
        .first()
        .waitFor();
      await expectInert(page);
    });
    for (const name of names) await node.call("DELETE", `/schedules/${name}`);
  });

  test("a schedule that fires each second is seen firing, and what became of it", async () => {
    await node.call("PUT", "/schedules/each-second", { every: "1s", task: { type: "noop" } });
    await withPage("/schedules/each-second", async (page) => {
      const past = page.getByRole("region", { name: "Past fires" });
      await expect.poll(() => past.locator('[data-state="succeeded"]').count(), { timeout: 15_000 }).toBeGreaterThan(2);
    });
    await node.call("DELETE", "/schedules/each-second");
  });

  test("how late the tasks of a queue start, and where that arises, is on a page of its own", async () => {
    await node.call("POST", "/tasks:batch", { tasks: Array.from({ length: 40 }, () => ({ type: "noop" })) });
    await withPage("/tasks", async (page) => {
      await page.getByRole("link", { name: "Lateness" }).click();
      await page.getByRole("heading", { name: "Lateness" }).waitFor();
      const row = page.locator('[data-row="default"]');
      await row.waitFor();
      const started = async () => Number(/([\d,]+) started/.exec(await row.innerText())?.[1]?.replaceAll(",", "") ?? 0);
      await expect.poll(started, { timeout: 30_000 }).toBeGreaterThanOrEqual(40);
      await row.getByText("p99", { exact: true }).waitFor();
      expect(await row.getByRole("img").getAttribute("aria-label")).toMatch(/^How many started how late: \d+ up to/);
      expect(await row.locator("[data-phase]").count()).toBeGreaterThan(0);

      const { queues } = await node.call<{ queues: { queue: string; started: number }[] }>("GET", "/lateness");
      expect(queues.map(({ queue }) => queue)).toContain("default");
      await page.getByText("24h", { exact: true }).click();
      await page.waitForURL(/window=24h/);
      await row.getByRole("link", { name: "default" }).click();
      await page.waitForURL(/\/tasks\?.*queue=default/);
    });
    await withPage("/lateness?window=24h", async (page) => {
      await page.locator('[data-row="default"]').waitFor();
      expect(await page.getByRole("radio", { name: "24h" }).isChecked()).toBe(true);
    });
  });

  test("a schedule's page shows what became of its fires, how late they started and how long they ran", async () => {
    await node.call("PUT", "/schedules/measured", { every: "1s", task: { type: "noop" } });
    await withPage("/schedules/measured", async (page) => {
      const figures = page.getByRole("region", { name: "Figures" });
      await figures.getByText("Fires in the last 24h").waitFor();
      await expect.poll(() => figures.getByText(/\d succeeded/).count(), { timeout: 30_000 }).toBe(1);
      await figures.getByText("100 %").waitFor();
      await expect.poll(() => figures.getByText("p99", { exact: true }).count(), { timeout: 30_000 }).toBe(2);
      expect(await figures.getByRole("img").getAttribute("aria-label")).toMatch(/\d+ up to \d/);
    });
    await node.call("DELETE", "/schedules/measured");
  });

  test("a refusal stands at its field, with code and request id", async () => {
    await withPage("/tasks/-/new", async (page) => {
      await page.getByLabel("Type").fill("not a name");
      await page.getByRole("button", { name: "Create task" }).click();
      const alert = page.getByRole("alert");
      await alert.getByText("invalid_request").waitFor();
      await alert.getByText(/req_/).waitFor();
      const type = page.getByLabel("Type");
      expect(await type.getAttribute("aria-invalid")).toBe("true");
      const described = (await type.getAttribute("aria-describedby"))!.split(" ").at(-1)!;
      expect(await page.locator(`[id="${described}"]`).textContent()).toMatch(/name/i);
    });
    await withPage("/schedules/-/new", async (page) => {
      await page.getByRole("textbox", { name: "Cron expression" }).fill("61 * * * *");
      await expect
        .poll(() => page.getByRole("textbox", { name: "Cron expression" }).getAttribute("aria-invalid"))
        .toBe("true");
    });
  });

  test("on a phone a refused form shows what is wrong: the field, or the notice", async () => {
    const phone = { viewport: { width: 390, height: 700 } };
    const inView = (element: Locator) =>
      element.evaluate((node) => {
        const { top, bottom } = node.getBoundingClientRect();
        return document.activeElement === node && top > 0 && bottom < innerHeight;
      });
    await withPage(
      "/tasks/-/new",
      async (page) => {
        await page.getByLabel("Type").fill("not a name");
        await page.getByText("After a delay").click();
        await page.getByRole("textbox", { name: "Delay" }).fill("soon");
        await page.getByRole("button", { name: "Create task" }).click();
        await expect.poll(() => inView(page.getByLabel("Type"))).toBe(true);
        await page.getByLabel("Type").fill("noop");
        await page.getByRole("button", { name: "Create task" }).click();
        await expect.poll(() => inView(page.getByRole("textbox", { name: "Delay" }))).toBe(true);
        await page.getByText("At an instant").click();
        expect(await page.getByLabel("Date and time").getAttribute("aria-invalid")).toBe("false");
      },
      phone,
    );
    await withPage(
      "/schedules/-/new",
      async (page) => {
        await page.getByLabel("Name").fill("by-phone");
        await page.getByRole("textbox", { name: "Cron expression" }).fill("0 2 * * *");
        await page.getByLabel("Type").fill("noop");
        await page.route("**/api/v1/schedules", (route) => route.abort());
        await page.getByRole("button", { name: "Create schedule" }).click();
        await expect.poll(() => inView(page.getByRole("alert"))).toBe(true);
      },
      phone,
    );
  });

  test("what looks like markup is text everywhere, and nothing runs", async () => {
    const hostiles = [
      hostile,
      "</script><script>alert(4)</script>",
      "javascript:alert(5)",
      "<a href=javascript:alert(6)>x</a>",
    ];
    const payload = { say: hostile, text: hostiles, "<b onclick=alert(7)>key</b>": "\u202e\u0007" };
    const failed = await node.call<{ id: string }>("POST", "/tasks", {
      type: "speaks",
      payload: { ...payload, fail: true },
      tags: ["<img src=x onerror=alert(8)>", '"><svg onload=alert(9)>'],
      uniqueKey: hostile,
    });
    const done = await node.call<{ id: string }>("POST", "/tasks", { type: "speaks", payload });
    await node
      .call("POST", `/tasks`, { type: "noop", delay: "1h", tags: ["cancelled-hostile"] })
      .then((task) => node.call("POST", `/tasks/${(task as { id: string }).id}:cancel`, { reason: hostile }));
    await node.call("PUT", "/schedules/hostile", {
      cron: "0 0 1 1 *",
      paused: true,
      task: { type: "speaks", payload, tags: ["<script>alert(10)</script>"] },
    });

    await withPage(`/tasks/${failed.id}`, async (page) => {
      await state(page.locator("h1"), "failed").waitFor();
      for (const region of ["Error", "Log", "Attempts", "Payload"]) {
        await page
          .getByRole("region", { name: region, exact: true })
          .getByText("<img src=x onerror=alert(1)>")
          .first()
          .waitFor();
      }
      await page.getByRole("link", { name: "<img src=x onerror=alert(8)>" }).click();
      await page.getByRole("row").getByText("<img src=x onerror=alert(1)>").waitFor();
      await expectInert(page);
      expect(await page.getByLabel("Tag").inputValue()).toBe("<img src=x onerror=alert(8)>");
      await page.getByLabel("Tag").fill("");
      await page.waitForURL(/\/tasks$/);
    });
    await withPage(`/tasks/${done.id}`, async (page) => {
      await state(page.locator("h1"), "succeeded").waitFor();
      await page.getByRole("region", { name: "Result" }).getByText("javascript:alert(3)").waitFor();
      await expectInert(page);
    });
    await withPage("/tasks?tag=cancelled-hostile", async (page) => {
      await page.getByRole("row").getByText("<img src=x onerror=alert(1)>").waitFor();
      await expectInert(page);
    });
    await withPage("/schedules/hostile", async (page) => {
      await page.getByText("</script><script>alert(4)</script>").waitFor();
      await expectInert(page);
      await page.getByRole("link", { name: "Edit" }).click();
      await expect
        .poll(() => page.getByRole("textbox", { name: "Payload" }).inputValue())
        .toContain("onerror=alert(1)");
      await expectInert(page);
    });
    const search = encodeURIComponent(hostile);
    await withPage(`/tasks?q=${search}&type=x&zone=${search}&page=${search}#${search}`, async (page) => {
      await page.getByRole("alert").waitFor();
      expect(await page.getByLabel("Search").inputValue()).toBe(hostile);
      await expectInert(page);
    });
    await node.call("DELETE", "/schedules/hostile");
  });

  test("the watch for broken policy is itself awake", async () => {
    const watch = await openPage(browser, `${node.url}/tasks`);
    await watch.page.evaluate(() => {
      const script = document.createElement("script");
      try {
        script.textContent = "window.ran = true";
      } catch {
        // Trusted types refuse it already here.
      }
      document.body.append(script);
    });
    await expect.poll(() => watch.cspViolations.length).toBeGreaterThan(0);
    expect(await watch.page.evaluate(() => "ran" in window)).toBe(false);
    await watch.close();
  });

  test.each(["light", "dark"] as const)(
    "the %s theme comes from the system, and a choice outlives a reload without a flash",
    async (colorScheme) => {
      const background = { light: "rgb(255, 255, 255)", dark: "rgb(16, 17, 19)" };
      const opposite = colorScheme === "light" ? "dark" : "light";
      await withPage(
        "/tasks",
        async (page) => {
          expect(await backgroundOf(page)).toBe(background[colorScheme]);
          const theme = page.getByRole("button", { name: /^Theme:/ });
          while (!(await theme.getAttribute("aria-label"))!.startsWith(`Theme: ${opposite}`)) await theme.click();
          expect(await backgroundOf(page)).toBe(background[opposite]);
          // The scripts of the page wait for nothing: what is applied when the first of them has run is what is painted first.
          await page.route("**/assets/*.js", () => {});
          await page.reload({ waitUntil: "commit" });
          await page.waitForFunction(() => document.body !== null && document.styleSheets.length > 0);
          expect(await backgroundOf(page)).toBe(background[opposite]);
        },
        { colorScheme },
      );
    },
  );

  test("a schedule is created with the keyboard alone", async () => {
    await withPage("/schedules", async (page) => {
      await page.getByRole("heading", { name: "Schedules", exact: true }).waitFor();
      await tabTo(page, "New schedule");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "New schedule" }).waitFor();
      await tabTo(page, "Name");
      await page.keyboard.type("by-keyboard");
      await tabTo(page, "Cron expression");
      await page.keyboard.press("ArrowRight");
      await tabTo(page, "Every");
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.type("90m");
      await tabTo(page, "Time zone");
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.type("Tokyo");
      await page.getByRole("option", { name: /Asia\/Tokyo/ }).waitFor();
      await page.keyboard.press("Enter");
      await tabTo(page, "Type");
      await page.keyboard.type("noop");
      await tabTo(page, "Create schedule");
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/schedules\/by-keyboard/);
      expect(await node.call("GET", "/schedules/by-keyboard")).toMatchObject({
        every: "1h30m",
        timeZone: "Asia/Tokyo",
      });
    });
    await node.call("DELETE", "/schedules/by-keyboard");
  });

  test("a task is replayed with another payload, and the new one names it", async () => {
    const sent = { type: "noop", payload: { order: 1 }, delay: "2h" };
    const { id } = await node.call<{ id: string }>("POST", "/tasks", sent);
    await withPage(`/tasks/${id}`, async (page) => {
      await page.getByRole("link", { name: "Replay" }).click();
      const payload = page.getByRole("textbox", { name: "Payload" });
      await expect.poll(async () => JSON.parse(await payload.inputValue())).toEqual({ order: 1 });
      await payload.fill('{"order": 2}');
      await page.getByRole("button", { name: "Replay task" }).click();
      await page.waitForURL(({ pathname }) => /\/tasks\/task_\w+$/.test(pathname) && !pathname.endsWith(id));
      await page.getByRole("link", { name: id }).waitFor();
      const again = page.url().split("/").at(-1)!;
      expect(await node.call("GET", `/tasks/${again}`)).toMatchObject({ replayOf: id, payload: { order: 2 } });
    });
  });

  test("what was deleted while it is looked at is shown as gone, and what cannot be read again says so", async () => {
    await node.call("PUT", "/schedules/to-delete", { every: "1h", task: { type: "noop" } });
    await withPage("/schedules/to-delete", async (page) => {
      await page.getByRole("button", { name: "Pause to-delete" }).waitFor();
      await page.getByText("Live", { exact: true }).waitFor();
      await node.call("DELETE", "/schedules/to-delete");
      await page.getByRole("heading", { name: "There is no such schedule" }).waitFor();
      expect(await page.getByRole("button", { name: "Pause to-delete" }).count()).toBe(0);
    });
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "noop", delay: "2h" });
    await withPage(`/tasks/${id}`, async (page) => {
      await page.getByText("Live", { exact: true }).waitFor();
      const path = `**/api/v1/tasks/${id}`;
      const refusal = { title: "Store away", code: "unavailable", detail: "The database does not answer." };
      await page.route(path, (route) => route.fulfill({ status: 503, json: refusal }));
      await node.call("POST", `/tasks/${id}:run-now`, {});
      await page.getByText("The database does not answer.").waitFor();
      await state(page.locator("h1"), "scheduled").waitFor();
      await page.unroute(path);
      // The page may have read it again by itself in between; then there is no such button any more.
      await page.evaluate(() => document.querySelector<HTMLElement>("[role=alert] button")?.click());
      await state(page.locator("h1"), "succeeded").waitFor();
      await page.getByText("The database does not answer.").waitFor({ state: "detached" });
    });
  });

  test("the focus stays on what was pressed, and goes to the heading when that is gone or on another page", async () => {
    await node.call("PUT", "/schedules/by-focus", { every: "1h", task: { type: "noop" } });
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "noop", delay: "2h" });
    await withPage("/schedules", async (page) => {
      const focused = () =>
        page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.tagName);
      const row = page.locator('[data-row="by-focus"]');
      await row.getByRole("button", { name: "Pause by-focus" }).focus();
      await page.keyboard.press("Enter");
      await row.getByRole("button", { name: "Resume by-focus" }).waitFor();
      expect(await focused()).toBe("Resume by-focus");
      await row.getByRole("link", { name: "by-focus" }).press("Enter");
      await page.getByRole("region", { name: "Next fires" }).waitFor();
      await expect.poll(focused).toBe("H1");
      await page.goBack();
      await row.getByRole("button", { name: "Delete by-focus" }).press("Enter");
      await page.getByRole("button", { name: "Delete the schedule" }).press("Enter");
      await row.waitFor({ state: "detached" });
      await expect.poll(focused).toBe("H1");

      await page.getByRole("link", { name: "Tasks" }).press("Enter");
      await page.getByText("Show due later").click();
      await page.locator(`[data-row="${id}"]`).getByRole("link", { name: "noop" }).press("Enter");
      await page.getByRole("button", { name: "Cancel" }).press("Enter");
      await state(page.locator("h1"), "cancelled").waitFor();
      await page.getByRole("button", { name: "Retry" }).waitFor();
      await expect.poll(focused).toBe("H1");
    });
  });

  test("a time zone is what was typed, listed or not, and what is none is told and kept", async () => {
    await withPage("/schedules/-/new", async (page) => {
      await page.getByRole("textbox", { name: "Cron expression" }).fill("30 7 * * *");
      const zone = page.getByRole("combobox", { name: "Time zone" });
      const preview = page.getByRole("region", { name: "Preview" }).filter({ visible: true });
      for (const name of ["Asia/Kolkata", "Asia/Calcutta", "US/Eastern", "Etc/GMT+5"]) {
        await zone.fill(name);
        await zone.press("Tab");
        expect(await zone.inputValue()).toBe(name);
        await preview.getByRole("columnheader", { name, exact: true }).waitFor();
        expect(await zone.getAttribute("aria-invalid")).toBe("false");
      }
      await zone.fill("Moon/Tranquility");
      await zone.press("Tab");
      expect(await zone.inputValue()).toBe("Moon/Tranquility");
      expect(await zone.getAttribute("aria-invalid")).toBe("true");
      await page.getByText("This is no time zone").waitFor();
    });
  });

  test("without the event stream the page says so, and still follows", async () => {
    const watch = await openPage(browser, `${node.url}/tasks`);
    await watch.page.route("**/api/v1/events**", (route) => route.abort());
    await watch.page.reload();
    await watch.page.getByText("Stale", { exact: true }).waitFor();
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "noop" });
    await state(watch.page.locator(`[data-row="${id}"]`), "succeeded").waitFor();
    await watch.page.unroute("**/api/v1/events**");
    await watch.page.getByText("Live", { exact: true }).waitFor();
    expect(watch.errors).toEqual([]);
    await watch.close();
  });

  test("while the node is away a form still opens, and an action says that its outcome is unknown until it is back", async () => {
    await node.call("PUT", "/schedules/away", { every: "1h", task: { type: "noop" } });
    const watch = await openPage(browser, "about:blank");
    const { page } = watch;
    const form = page.waitForResponse((response) => response.url().includes("/assets/new-schedule-"));
    await page.goto(`${node.url}/schedules`);
    await (await form).finished();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.context().setOffline(true);
    await page.getByRole("button", { name: "Trigger away" }).click();
    await page.getByText("it may or may not have been done").waitFor();
    await page.context().setOffline(false);
    await page.getByRole("button", { name: "Try again" }).first().click();
    await page.getByRole("link", { name: "see the task" }).waitFor();
    await page.getByText("it may or may not have been done").waitFor({ state: "detached" });
    await page.context().setOffline(true);
    await page.getByRole("link", { name: "New schedule" }).click();
    await page.getByRole("textbox", { name: "Cron expression" }).waitFor();
    expect(watch).toMatchObject({ dialogs: [], errors: [] });
    await watch.close();

    const early = await openPage(browser, "about:blank");
    await early.page.route("**/assets/new-schedule-*", (route) => route.abort());
    await early.page.goto(`${node.url}/schedules`);
    await early.page.getByRole("link", { name: "New schedule" }).click();
    await early.page.getByText("This page did not come").waitFor();
    await early.page.unroute("**/assets/new-schedule-*");
    await early.page.getByRole("button", { name: "Try again" }).click();
    await early.page.getByRole("textbox", { name: "Cron expression" }).waitFor();
    await early.close();
    await node.call("DELETE", "/schedules/away");
  });

  test("a hidden tab holds no stream, and has caught up as soon as it is looked at", async () => {
    await withPage("/tasks", async (page) => {
      await page.getByText("Live", { exact: true }).waitFor();
      const streams: string[] = [];
      page.on("request", (request) => request.url().includes("/api/v1/events") && streams.push(request.url()));
      const ended = page.waitForEvent("requestfailed", (request) => request.url().includes("/api/v1/events"));
      await setHidden(page, true);
      await ended;
      const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "noop" });
      await node.call("GET", `/tasks/${id}?wait=10s`);
      expect(await page.locator(`[data-row="${id}"]`).count()).toBe(0);
      expect(streams).toEqual([]);
      await setHidden(page, false);
      await state(page.locator(`[data-row="${id}"]`), "succeeded").waitFor();
      expect(streams).toHaveLength(1);
    });
  });

  test("a log holds no connection before the task starts nor in a hidden tab, and goes on where it was", async () => {
    const later = await node.call<{ id: string }>("POST", "/tasks", { type: "noop", delay: "2h" });
    await withPage(`/tasks/${later.id}`, async (page, { requests }) => {
      await page.getByText("Lines appear here as the task logs them.").waitFor();
      await page.getByText("Live", { exact: true }).waitFor();
      expect(requests.filter((url) => url.includes("/logs"))).toEqual([]);
    });
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "runs-until-stopped" });
    await withPage(`/tasks/${id}`, async (page) => {
      const log = page.getByRole("region", { name: "Log", exact: true });
      await log.getByText("line 2", { exact: true }).waitFor();
      const ended = page.waitForEvent("requestfailed", (request) => request.url().includes("/logs"));
      await setHidden(page, true);
      await ended;
      await setHidden(page, false);
      const next =
        Number(
          (
            await log
              .getByText(/^line \d+$/)
              .last()
              .textContent()
          )?.slice(5),
        ) + 3;
      await log.getByText(`line ${next}`, { exact: true }).waitFor();
      expect(await log.getByText("line 1", { exact: true }).count()).toBe(1);
      expect(await log.getByText("line 2", { exact: true }).count()).toBe(1);
    });
    await node.call("POST", `/tasks/${id}:cancel`, {});
  });

  test("the way back from a task leads to the list as it was, and schedules are searched", async () => {
    await node.call("PUT", "/schedules/searched-for", { every: "1h", task: { type: "noop" } });
    const { id } = await node.call<{ id: string }>("POST", "/tasks", { type: "noop" });
    await withPage("/tasks?state=succeeded&type=noop", async (page) => {
      await page.locator(`[data-row="${id}"]`).getByRole("link", { name: "noop" }).click();
      await page.getByText("1st start, at most").waitFor();
      await page.getByRole("main").getByRole("link", { name: "Tasks" }).click();
      await page.waitForURL(/\/tasks\?state=succeeded&type=noop/);
      await page.getByRole("link", { name: "Schedules" }).click();
      await page.getByRole("searchbox").fill("arched-f");
      await page.waitForURL(/\?q=arched-f/);
      await page.locator('[data-row="searched-for"]').waitFor();
      await page.getByRole("searchbox").fill("no such schedule");
      await page.getByText("No schedule matches").waitFor();
      await page.getByRole("link", { name: "Clear the search" }).click();
      await page.locator('[data-row="searched-for"]').waitFor();
    });
    await node.call("DELETE", "/schedules/searched-for");
  });

  test("the whole view is in the address: filters and display zone survive a visit in another browser", async () => {
    await withPage("/tasks", async (page) => {
      await page.getByRole("group", { name: "Show times in" }).getByText("UTC").click();
      await page.getByRole("button", { name: "Succeeded" }).click();
      await page.getByLabel("Type").fill("noop");
      await page.waitForURL(/type=noop/);
      await page.locator("[data-row]").first().waitFor();
      const address = new URL(page.url());
      expect(Object.fromEntries(address.searchParams)).toEqual({ zone: "utc", state: "succeeded", type: "noop" });
      await withPage(address.pathname + address.search, async (second) => {
        await second.locator("tbody time").first().getByText("UTC").waitFor();
        expect(await second.getByLabel("Type").inputValue()).toBe("noop");
        expect(await second.getByRole("button", { name: "Succeeded" }).getAttribute("aria-pressed")).toBe("true");
      });
    });
  });

  test.each([360, 1280])("however long the names are, nothing is wider than a screen of %d pixels", async (width) => {
    const schedule = "n".repeat(128);
    const type = "t".repeat(119);
    const { id } = await node.call<{ id: string }>("POST", "/tasks", {
      type: "speaks",
      payload: { say: "x".repeat(400), fail: true },
      tags: ["y".repeat(64)],
    });
    await node.call("PUT", `/schedules/${schedule}`, { every: "1h", task: { type, queue: "q".repeat(128) } });
    const triggered = await node.call<{ id: string }>("POST", `/schedules/${schedule}:trigger`, {});
    await node.call("POST", "/tasks", { type: "far-away" });
    for (const path of [
      "/tasks",
      `/tasks/${id}`,
      `/tasks/${triggered.id}`,
      "/tasks/-/new",
      "/schedules",
      `/schedules/${schedule}`,
      "/schedules/-/new",
      "/queues",
      `/queues/${"q".repeat(128)}`,
      "/failures",
      "/lateness",
      "/no-such-page",
    ]) {
      await withPage(
        path,
        async (page) => {
          await page.locator("h1").waitFor();
          await page.getByText("Live", { exact: true }).waitFor();
          await page.getByRole("status", { name: "Loading" }).waitFor({ state: "detached" });
          if (path === "/lateness") await page.locator(`[data-row="${"q".repeat(128)}"]`).waitFor();
          const wide = await page.evaluate(() =>
            [document.documentElement, ...document.querySelectorAll("table, h1")]
              .map((element) => [
                element.tagName,
                Math.ceil(element.getBoundingClientRect().right),
                element.scrollWidth,
              ])
              .filter(([, ...sizes]) => sizes.some((size) => Number(size) > innerWidth)),
          );
          expect(wide, path).toEqual([]);
          expect(width < 768 ? await smallTargets(page) : [], path).toEqual([]);
        },
        { viewport: { width, height: 740 } },
      );
    }
    await node.call("DELETE", `/schedules/${schedule}`);
    await node.call("POST", `/tasks/${triggered.id}:cancel`, {});
  });

  test("an address that nothing answers shows a page to people and a problem to programs; the reference fits a phone", async () => {
    const watch = await openPage(browser, "about:blank", { viewport: { width: 390, height: 700 } });
    const { page } = watch;
    const refused: string[] = [];
    page.on("response", (response) => response.status() >= 400 && refused.push(new URL(response.url()).pathname));
    await page.goto(`${node.url}/no/such/page`);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await page.goto(`${node.url}/docs`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(refused).toEqual(["/no/such/page"]);
    await watch.close();
    for (const [path, accept] of [
      ["/no-such-page", "*/*"],
      ["/api/v1/none", "text/html"],
    ] as const) {
      const answer = await fetch(node.url + path, { headers: { accept } });
      expect([answer.status, (await answer.json()).code], path).toEqual([404, "not_found"]);
    }
    expect((await fetch(`${node.url}/no-such-page`, { method: "POST" })).status).toBe(404);
  });

  test("the first page loads at most 200 KB of JavaScript, which is sent compressed", async () => {
    const page = await (await fetch(`${node.url}/`)).text();
    const paths = [...page.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)].map((match) => match[1]!);
    expect(paths.length).toBeGreaterThan(1);
    for (const encoding of ["gzip", "br"]) {
      const answers = await Promise.all(
        paths.map((path) => fetch(node.url + path, { headers: { "accept-encoding": encoding } })),
      );
      for (const { headers } of answers) {
        expect(headers.get("content-encoding")).toBe(encoding);
        expect(headers.get("content-type")).toMatch(/javascript/);
        expect(headers.get("vary")).toMatch(/accept-encoding/i);
      }
      const sizes = answers.map(({ headers }) => Number(headers.get("content-length")));
      expect(Math.min(...sizes)).toBeGreaterThan(0);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(200 * 1024);
    }
    const plain = await fetch(node.url + paths[0]!, { headers: { "accept-encoding": "identity" } });
    expect(plain.headers.get("content-encoding")).toBeNull();
  });
});

function state(within: Locator, name: string): Locator {
  return within.locator(`[data-state="${name}"]`).first();
}

/** What is to be pressed and is smaller than 24 pixels, links within sentences aside. */
function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("a, button, textarea, input:not(label input), label:has(input)")]
      .filter((element) => element.checkVisibility() && !element.matches("p *, [href='#content'], [aria-hidden]"))
      .filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return width < 24 || height < 24;
      })
      .map((element) => element.outerHTML),
  );
}

/** As the browser does when another tab is brought to the front. */
function setHidden(page: Page, hidden: boolean): Promise<void> {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

function backgroundOf(page: Page): Promise<string> {
  return page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
}

/** No element, attribute or address that only hostile text could have made. */
async function expectInert(page: Page): Promise<void> {
  expect(
    await page.evaluate(() => ({
      made: document.querySelectorAll("img:not([src='/favicon.svg']), svg[onload], [onerror], [onclick], body script")
        .length,
      links: [...document.links].filter((link) => !/^https?:$/.test(link.protocol)).length,
      styles: document.querySelectorAll("style").length,
    })),
  ).toEqual({ made: 0, links: 0, styles: 0 });
}
