/** Engines that say when a daily schedule fires in a zone: Carillon through its public API, the others as their documentation shows. */
import { createTestEnvironment } from "carillon/testing";
import { peer, peerVersion, TIME_PEERS } from "../contenders/peer.ts";
import type { TimeCase } from "./cases.ts";

export interface Engine {
  title: string;
  /** Products whose schedules it decides. */
  usedBy: string;
  /** The fires in `from <= t <= until`, in the order in which the engine gives them. Throws what the engine throws. */
  fires(given: TimeCase, from: number, until: number): Promise<number[]>;
}

/** More than any case has, for engines that stand still. */
const MOST = 40;

export async function openEngines(): Promise<Engine[]> {
  return [
    carillon(await createTestEnvironment({ tasks: [] })),
    croner(await peer("croner", TIME_PEERS)),
    ...(await Promise.all([
      cronParser("cron-parser", "–"),
      cronParser("cron-parser-5.10.5", "Agenda, pg-boss"),
      cronParser("cron-parser-5.10.3", "BullMQ"),
      cronParser("cron-parser-4", "Trigger.dev, node-schedule"),
    ])),
    cron(await peer("cron", TIME_PEERS)),
    rruleTemporal(await peer("rrule-temporal", TIME_PEERS)),
  ];
}

function carillon({ client }: Awaited<ReturnType<typeof createTestEnvironment>>): Engine {
  return {
    title: "Carillon",
    usedBy: "",
    async fires({ expression, zone }, from, until) {
      const rule = { cron: expression, timeZone: zone, from: new Date(from), count: MOST };
      const { fires } = await client.schedules.preview(rule);
      return fires.map(({ at }) => Date.parse(at)).filter((at) => at <= until);
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the peers are not installed where types are checked.
type Library = any;

function croner({ Cron }: Library): Engine {
  return {
    title: `croner ${peerVersion("croner", TIME_PEERS)}`,
    usedBy: "–",
    async fires({ expression, zone }, from, until) {
      const job = new Cron(expression, { timezone: zone, paused: true });
      return following(from, until, (after) => job.nextRun(new Date(after))?.getTime() ?? null);
    },
  };
}

async function cronParser(name: string, usedBy: string): Promise<Engine> {
  const library = await peer(name, TIME_PEERS);
  const parse = library.CronExpressionParser?.parse ?? library.default.parseExpression;
  return {
    title: `cron-parser ${peerVersion(name, TIME_PEERS)}`,
    usedBy,
    async fires({ expression, zone }, from, until) {
      const iterator = parse(expression, { currentDate: new Date(from - 1), tz: zone });
      return following(from, until, () => iterator.next().toDate().getTime());
    },
  };
}

function cron({ CronTime }: Library): Engine {
  return {
    title: `cron ${peerVersion("cron", TIME_PEERS)}`,
    usedBy: "NestJS",
    async fires({ expression, zone }, from, until) {
      const time = new CronTime(expression, zone);
      return following(from, until, (after) => time.getNextDateFrom(new Date(after), zone).toMillis());
    },
  };
}

/** The same daily schedule as a recurrence rule. */
function rruleTemporal({ RRuleTemporal }: Library): Engine {
  return {
    title: `rrule-temporal ${peerVersion("rrule-temporal", TIME_PEERS)}`,
    usedBy: "pg-boss (RRULE)",
    async fires({ expression, zone }, from, until) {
      const [minute, hour] = expression.split(" ");
      const start = new Date(from - 3 * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "");
      const rruleString = `DTSTART;TZID=${zone}:${start}T000000\nRRULE:FREQ=DAILY;BYHOUR=${hour};BYMINUTE=${minute};BYSECOND=0`;
      const found: { epochMilliseconds: number }[] = new RRuleTemporal({ rruleString }).between(
        new Date(from),
        new Date(until),
        true,
      );
      return found.map(({ epochMilliseconds }) => epochMilliseconds);
    },
  };
}

function following(from: number, until: number, next: (after: number) => number | null): number[] {
  const found: number[] = [];
  for (let at = next(from - 1); at !== null && at <= until && found.length < MOST; at = next(at)) found.push(at);
  return found;
}
