import fc from "fast-check";
import type { World } from "./world.ts";

export type Command = fc.AsyncCommand<World, null>;

/** A kind of command: what it is given at random, and what it does with that in a world. */
export function command<Given>(
  name: string,
  given: fc.Arbitrary<Given>,
  run: (world: World, given: Given) => Promise<void>,
): fc.Arbitrary<Command> {
  return given.map((value) => ({
    check: () => true,
    run: async (world) => {
      world.step++;
      await run(world, value);
    },
    toString: () => `${name}(${fc.stringify(value)})`,
  }));
}

/** Which of the tasks, sessions … there are then. */
export const nth = fc.nat({ max: 999 });
