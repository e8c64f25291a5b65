import fc from "fast-check";
import { expect, test } from "vitest";
import { createIdSource, firstIdAt, formatId, type IdKind, idCreatedAt, idPrefixes, parseId, SLOTS } from "./id.ts";

const NOW = Date.UTC(2026, 6, 15, 12);
/** A clock as sources meet it: it stands, runs, jumps and steps back. */
const readings = fc.array(fc.double({ min: NOW - 5, max: NOW + 5, noNaN: true }), { minLength: 1, maxLength: 700 });
const anyId = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n });
const kinds = Object.keys(idPrefixes) as IdKind[];

test("no id repeats, whatever the clock does, in one source or among slots and cells", () => {
  const owners = fc.uniqueArray(fc.record({ cell: fc.nat(63), slot: fc.nat(SLOTS - 1) }), {
    minLength: 1,
    maxLength: 4,
    selector: ({ cell, slot }) => `${cell}/${slot}`,
  });
  fc.assert(
    fc.property(owners, readings, (owners, readings) => {
      const all = owners.flatMap((owner) => {
        const source = createIdSource(owner);
        const ids = readings.map((now) => source.next(now));
        for (const [n, id] of ids.entries()) if (n > 0) expect(id > ids[n - 1]!).toBe(true);
        return ids;
      });
      expect(new Set(all).size).toBe(all.length);
      for (const id of all) expect(id >= 0n && id < 1n << 63n).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("an id tells when it was made; only a source in a hurry runs ahead of its clock", () => {
  const source = createIdSource({ cell: 63, slot: 255 });
  for (let n = 0; n < 256; n++) expect(idCreatedAt(source.next(NOW + 0.9))).toBe(NOW);
  expect(idCreatedAt(source.next(NOW))).toBe(NOW + 1);
  expect(idCreatedAt(source.next(NOW - 60_000))).toBe(NOW + 1);
  expect(idCreatedAt(source.next(NOW + 2))).toBe(NOW + 2);
});

test("ids of an instant lie between its first id and the next instant's", () => {
  fc.assert(
    fc.property(fc.nat(63), fc.nat(SLOTS - 1), fc.nat(4_000_000_000), (cell, slot, later) => {
      const at = NOW + later;
      const id = createIdSource({ cell, slot }).next(at);
      expect(firstIdAt(at) <= id && id < firstIdAt(at + 1)).toBe(true);
    }),
  );
  expect(firstIdAt(0)).toBe(0n); // before the epoch of ids
  expect(firstIdAt(Date.UTC(9999, 11, 31))).toBe((1n << 63n) - 1n); // after the last of them, and still an id
});

test("an id survives its text, and texts sort as the ids do", () => {
  fc.assert(
    fc.property(fc.constantFrom(...kinds), anyId, anyId, (kind, a, b) => {
      expect(parseId(kind, formatId(kind, a))).toBe(a);
      expect(formatId(kind, a)).toMatch(/^(task|sch|wf|op)_[0-9a-hjkmnp-tv-z]{13}$/);
      expect(formatId(kind, a) < formatId(kind, b)).toBe(a < b);
    }),
  );
});

test("what is not exactly an id's text is no id", () => {
  const good = formatId("task", createIdSource({ cell: 1, slot: 16 }).next(NOW));
  expect(parseId("task", good)).not.toBeNull();
  const letters = good.slice(5);
  for (const bad of [
    "",
    "task_",
    letters,
    good.toUpperCase(),
    `task_${letters.toUpperCase()}X`.slice(0, 18),
    `sch_${letters}`,
    `task_${letters}0`,
    good.slice(0, -1),
    ` ${good}`,
    `${good}\n`,
    `task_${letters.slice(0, -1)}i`,
    `task_${letters.slice(0, -1)}l`,
    `task_${letters.slice(0, -1)}o`,
    `task_${letters.slice(0, -1)}u`,
    `task_${letters.slice(0, -1)}-`,
    `task_${letters.slice(0, -1)}é`,
    "task_8000000000000", // 2^63
    "task_zzzzzzzzzzzzz",
  ]) {
    expect([bad, parseId("task", bad)]).toEqual([bad, null]);
  }
  expect(parseId("task", "task_7zzzzzzzzzzzz")).toBe((1n << 63n) - 1n);
  fc.assert(
    fc.property(fc.string(), (text) => {
      const id = parseId("task", text);
      if (id !== null) expect(formatId("task", id)).toBe(text);
    }),
  );
});
