/**
 * The hot table is written over many times a minute. Autovacuum looks once per naptime, by which claims would walk over hundreds of
 * thousands of dead rows (throughput halved within 30 s); so nodes look themselves, every few seconds, and one of them vacuums.
 */
import type pg from "pg";
import { type Pools, translate } from "./db.ts";

/** Dead rows that are worth a pass over the indexes. */
const DEAD_ROWS = 20_000;
/** The same as a share of the live ones, since a pass takes longer then. */
const DEAD_SHARE = 0.02;

export interface Vacuum {
  /** Whether there was something to do. The caller paces. */
  run(): Promise<boolean>;
  close(): Promise<void>;
}

export function createVacuum(pools: Pools): Vacuum {
  let client: pg.Client | null = null;

  async function connected(): Promise<pg.Client> {
    if (client) return client;
    const opened = await pools.connect();
    opened.on("end", () => {
      if (client === opened) client = null;
    });
    client = opened;
    return opened;
  }

  return {
    async run() {
      const [[dead, live]] = (await pools.control.query<[number, number]>(countDead, [])) as [[number, number]];
      if (dead < Math.max(DEAD_ROWS, live * DEAD_SHARE)) return false;
      try {
        // Where another node is at it, PostgreSQL skips ours.
        await (await connected()).query("vacuum (truncate off, skip_locked) carillon.task");
      } catch (error) {
        const broken = client;
        client = null;
        broken?.end().catch(() => {});
        throw translate(error);
      }
      return true;
    },
    async close() {
      await client?.end();
    },
  };
}

const countDead = {
  name: "count_dead_tasks",
  text: `
select n_dead_tup::float8, n_live_tup::float8 from pg_stat_all_tables where relid = 'task'::regclass`,
};
