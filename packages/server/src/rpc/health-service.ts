/** `grpc.health.v1.Health`, for load balancers and probes. Open: it tells nothing but whether this node serves. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { processClock } from "@carillon/client";
import { type Clock, delay } from "@carillon/core";
import { Health, type HealthCheckResponseSchema, WorkerService } from "@carillon/proto";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
const LOOK_MS = 1_000;

/** The empty name is the whole node. */
const services = new Set(["", WorkerService.typeName, Health.typeName]);

export interface HealthDeps {
  /** As `/readyz` answers. */
  ready: () => Promise<boolean>;
  /** Default the process' own. */
  clock?: Clock;
}

type Answer = MessageInitShape<typeof HealthCheckResponseSchema>;

export function healthService(router: ConnectRouter, { ready, clock = processClock() }: HealthDeps): void {
  const statusOf = async (service: string) => {
    if (!services.has(service)) return SERVICE_UNKNOWN;
    return (await ready().catch(() => false)) ? SERVING : NOT_SERVING;
  };
  router.service(Health, {
    async check({ service }): Promise<Answer> {
      const status = await statusOf(service);
      if (status === SERVICE_UNKNOWN) throw new ConnectError(`no service ${service}`, Code.NotFound);
      return { status };
    },
    async *watch({ service }, { signal }: HandlerContext): AsyncGenerator<Answer> {
      for (let said = -1; !signal.aborted; await delay(clock, LOOK_MS, signal)) {
        const status = await statusOf(service);
        if (status !== said) yield { status };
        said = status;
      }
    },
  });
}
