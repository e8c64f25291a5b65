import type { LogLine } from "@carillon/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";

const TASKS = "/api/v1/tasks";
const LOGS = "/api/v1/logs";

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  /** A task of this type, with a log; a node holds it. */
  async function logging(type: string, lines: [LogLine["level"], string][], over = {}): Promise<string> {
    const { id } = (await t.call("POST", TASKS, { type, ...over })).body;
    const { refs } = await t.claim();
    const at = t.clock.now();
    await t.store.appendLogs(
      lines.map(([level, message], index) => ({ ...refs.at(-1)!, at: at + index, level, message, attempt: 1 })),
    );
    t.clock.advance(1_000);
    return id;
  }

  test("a task's log is narrowed to a level and those above it, and to a text, page by page", async () => {
    const id = await logging("mail", [
      ["debug", "connecting to Ada"],
      ["info", "connected to Ada"],
      ["warn", "Ada is slow"],
      ["info", "sent to Bob, 100% of it"],
      ["error", "ada does not answer"],
    ]);
    const messages = async (query: string) => {
      const { status, body } = await t.call("GET", `${TASKS}/${id}/logs?${query}`);
      expect(status).toBe(200);
      return body.logs.map(({ message }: LogLine) => message);
    };
    expect(await messages("level=warn")).toEqual(["Ada is slow", "ada does not answer"]);
    expect(await messages("q=ADA&level=info")).toEqual(["connected to Ada", "Ada is slow", "ada does not answer"]);
    expect(await messages("q=100%25%20of")).toEqual(["sent to Bob, 100% of it"]);
    expect(await messages("q=nobody")).toEqual([]);
    const first = await t.call("GET", `${TASKS}/${id}/logs?q=ada&pageSize=2`);
    const next = `pageSize=2&pageToken=${first.body.nextPageToken}`;
    expect(await messages(`q=ada&${next}`)).toEqual(["Ada is slow", "ada does not answer"]);
    // A page token belongs to its filter.
    expect((await t.call("GET", `${TASKS}/${id}/logs?q=bob&${next}`)).status).toBe(400);
    expect((await t.call("GET", `${TASKS}/${id}/logs?level=loud`)).body.errors).toMatchObject([{ parameter: "level" }]);
  });

  test("the logs of many tasks are searched, the newest task first, narrowed as a list of tasks is", async () => {
    const old = await logging("mail", [["error", "Ada does not answer"]], { tags: ["monday"] });
    const chatty = await logging(
      "report",
      [...Array(25).keys()].map((n) => ["warn", `Ada ${n}`]),
    );
    await logging("mail", [["info", "all is well"]]);
    const found = async (query: string) => {
      const { status, body } = await t.call("GET", `${LOGS}?${query}`);
      expect(status).toBe(200);
      return body;
    };
    const { logs, nextPageToken } = await found("q=ada");
    expect(nextPageToken).toBeNull();
    // Of a task's lines the first twenty; its own log has the others.
    expect(logs).toHaveLength(21);
    expect(logs[0]).toEqual({
      task: { id: chatty, type: "report", queue: "default", state: "queued" },
      at: expect.any(String),
      level: "warn",
      message: "Ada 0",
      attempt: 1,
    });
    expect(logs.at(-1)).toMatchObject({ task: { id: old }, message: "Ada does not answer" });
    expect((await found("level=error")).logs).toMatchObject([{ task: { id: old } }]);
    expect((await found("q=ada&type=mail&tag=monday")).logs).toHaveLength(1);
    expect((await found("q=ada&tag=tuesday")).logs).toEqual([]);
    const pages = [];
    for (let token = ""; ; ) {
      const page = await found(`q=a&pageSize=20${token}`);
      pages.push(page.logs.length);
      if (page.nextPageToken === null) break;
      token = `&pageToken=${page.nextPageToken}`;
    }
    expect(pages).toEqual([1, 20, 1]);
  });
});
