/** A producer that is far too fast and does not listen, and what the nodes need meanwhile. */
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

export interface Flood {
  accepted: string[];
  /** What each refused call was told: the status, the code, and for how many seconds to stay away. */
  refused: { status: number; code: string; retryAfter: number }[];
}

const CALLERS = 4;
const BATCH = 20;
/** On a machine that is busy with other things. */
const PATIENCE_MS = 40_000;

/** Creates tasks one by one and in batches on all nodes at once, however often it is refused: for so long, and until enough was told. */
export async function flood(
  urls: string[],
  task: object,
  { forMs, enough }: { forMs: number; enough: (told: Flood) => boolean },
): Promise<Flood> {
  const told: Flood = { accepted: [], refused: [] };
  const until = performance.now() + forMs;
  const goesOn = () => performance.now() < until || (performance.now() < until + PATIENCE_MS && !enough(told));
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let n = caller; goesOn(); n++) {
        await create(urls[n % urls.length]!, n % 2 ? task : { tasks: Array(BATCH).fill(task) }, told);
        await pause(5);
      }
    }),
  );
  return told;
}

async function create(url: string, body: object, told: Flood): Promise<void> {
  const response = await fetch(`${url}/api/v1/tasks${"tasks" in body ? ":batch" : ""}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { id: string; tasks?: { id: string }[]; code: string };
  if (response.ok) for (const { id } of answer.tasks ?? [answer]) told.accepted.push(id);
  else {
    const retryAfter = Number(response.headers.get("retry-after"));
    told.refused.push({ status: response.status, code: answer.code, retryAfter });
  }
}

/** Resident memory of a process in MiB, where the system says so. */
export async function memoryOf(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? null : Number(kib) / 1_024;
}
