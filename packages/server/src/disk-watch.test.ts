import { CarillonError } from "@carillon/core";
import type { Store } from "@carillon/store";
import { VirtualClock } from "@carillon/testkit";
import { expect, test } from "vitest";
import { RESERVED_BYTES, watchDisk } from "./disk-watch.ts";

function setup() {
  const clock = new VirtualClock();
  const said: string[] = [];
  let failure: Error | null = null;
  const createTasks = async () => {
    if (failure) throw failure;
  };
  const store = { createTasks, recordOutcomes: createTasks, putSchedule: createTasks } as unknown as Store;
  const log = { error: (text: string) => said.push(text), info: (text: string) => said.push(text) };
  let free = 10 * RESERVED_BYTES;
  const { store: watched, full, ...disk } = watchDisk(store, { clock, log, freeBytes: async () => free });
  const freeIs = (bytes: number) => {
    free = bytes;
    return disk.look();
  };
  const create = (error: Error | null) => {
    failure = error;
    return (watched.createTasks as unknown as () => Promise<void>)().catch(() => {});
  };
  const databaseError = (code: string) => {
    const cause = new Error("no", { cause: Object.assign(new Error("no"), { severity: "ERROR", code }) });
    return new CarillonError("unavailable", { cause });
  };
  return { clock, said, create, databaseError, full, freeIs, nearlyFull: disk.nearlyFull };
}

test("a write that finds the disk full counts until one succeeds, and is said once", async () => {
  const { said, create, databaseError, full } = setup();
  await create(databaseError("57P01"));
  expect(full()).toBe(false);
  await create(databaseError("53100"));
  await create(databaseError("53100"));
  expect(full()).toBe(true);
  expect(said).toEqual([expect.stringMatching(/^the database's disk is full/)]);
  await create(null);
  expect(full()).toBe(false);
  expect(said).toHaveLength(2);
});

test("a full disk is forgotten when nothing was written for long", async () => {
  const { clock, create, databaseError, full } = setup();
  await create(databaseError("53100"));
  await clock.advance(29_999);
  expect(full()).toBe(true);
  await clock.advance(1);
  expect(full()).toBe(false);
});

test("a disk with less room than outcomes may need is nearly full, and is said once", async () => {
  const { said, freeIs, nearlyFull } = setup();
  await freeIs(RESERVED_BYTES);
  expect(nearlyFull()).toBe(false);
  await freeIs(RESERVED_BYTES - 1);
  await freeIs(0);
  expect(nearlyFull()).toBe(true);
  expect(said).toEqual([expect.stringMatching(/^the database's disk is nearly full/)]);
  await freeIs(2 * RESERVED_BYTES);
  expect(nearlyFull()).toBe(false);
  expect(said).toHaveLength(2);
});
