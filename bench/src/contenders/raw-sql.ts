/**
 * The limit beside us: the same three statements (insert, claim, complete with history) as plain pipelined batches, without a scheduler
 * around them: no ids of our own, no sessions, no retries, one lane.
 */
import pg from "pg";
import { type Contender, databaseUrl } from "./contender.ts";

const BATCH = 2_000;

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl(),
    options: "-c plan_cache_mode=force_custom_plan -c enable_seqscan=off -c enable_bitmapscan=off",
    pipeline: true,
  } as pg.ClientConfig);
  await client.connect();
  return client;
}

const schema = `
create table task (
  id bigint primary key generated always as identity, lane_id int not null, band smallint not null, due_at timestamptz not null,
  state smallint not null default 1, attempt smallint not null default 0, session bigint, token bigint not null default 0, payload text)
  with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
create index on task (lane_id, band, due_at, id) where state = 1;
create index on task (session) where session is not null;
create table archive (
  id bigint not null, lane_id int not null, due_at timestamptz not null, state smallint not null, attempt smallint not null,
  token bigint not null, payload text, started_at timestamptz, finished_at timestamptz not null);
create index on archive (id);`;

const insert = {
  name: "insert",
  text: `insert into task (lane_id, band, due_at, payload)
         select 1, 2, to_timestamp(x.due_at / 1000), x.payload from unnest($1::float8[], $2::text[]) as x(due_at, payload)`,
};

const claim = {
  name: "claim",
  text: `
update task set state = 2, session = 1, token = token + 1, attempt = attempt + 1
 where id = any(array(
   select id from task where lane_id = 1 and band = 2 and state = 1 and due_at <= to_timestamp($1::float8 / 1000)
    order by due_at, id limit $2 for update skip locked))
returning id, token, payload`,
};

const complete = {
  name: "complete",
  text: `
with gone as (
  delete from task t using unnest($1::int8[], $2::int8[]) as x(id, token)
   where t.id = any($1::int8[]) and t.id = x.id and t.token = x.token and t.state = 2
  returning t.*)
insert into archive select id, lane_id, due_at, 3, attempt, token, payload, now(), now() from gone`,
};

export const rawSql: Contender = {
  settings: "two pipelined connections a process, batches of 2,000, the next claim in flight",
  async prepare() {
    const client = await connect();
    await client.query(schema);
    await client.end();
  },
  async openProducer() {
    const client = await connect();
    let sent = 0;
    const add = (dueAts: (number | null)[]) =>
      client.query({
        ...insert,
        values: [dueAts.map((due) => due ?? Date.now()), dueAts.map((due) => `{"n":${sent++},"due":${due}}`)],
      });
    return {
      bulk: async (dueAts) => void (await add(dueAts)),
      single: async () => void (await add([null])),
      close: () => client.end(),
    };
  },
  async openWorker({ onStart }) {
    const [claims, completions] = [await connect(), await connect()];
    let stopped = false;
    const claimNow = () =>
      claims.query({ ...claim, rowMode: "array", values: [Date.now(), BATCH] } as pg.QueryArrayConfig);
    const work = async () => {
      const underWay: Promise<unknown>[] = [];
      for (let next = claimNow(); !stopped; ) {
        const { rows } = await next;
        if (rows.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        next = claimNow();
        if (rows.length === 0) continue;
        for (const [, , payload] of rows) onStart(JSON.parse(payload as string).due);
        while (underWay.length >= 2) await underWay.shift();
        underWay.push(
          completions.query({ ...complete, values: [rows.map(([id]) => id), rows.map(([, token]) => token)] }),
        );
      }
      await Promise.all(underWay);
    };
    const working = work();
    return {
      async close() {
        stopped = true;
        await working;
        await Promise.all([claims.end(), completions.end()]);
      },
    };
  },
};
