/** What a build is made to do in a turn. */
import type { CarillonNode } from "carillon";

export const TYPE = "bench";

export interface Load {
  readonly tasks: number;
  create(client: CarillonNode["client"]): Promise<void>;
}

export const loads: Readonly<Record<string, Load>> = {
  bulk: {
    tasks: 10_000,
    async create({ tasks }) {
      const call = () =>
        tasks.createMany(
          TYPE,
          Array.from({ length: 1_000 }, (_, n) => ({ payload: { n, due: null } })),
        );
      for (let calls = 0; calls < 10; calls += 2) await Promise.all([call(), call()]);
    },
  },
  single: {
    tasks: 2_560,
    async create({ tasks }) {
      const caller = async () => {
        for (let n = 0; n < 40; n++) await tasks.create(TYPE, { n, due: null });
      };
      await Promise.all(Array.from({ length: 64 }, caller));
    },
  },
};
