/** What the HTTP side stands on, and what its routes are given. */
import type { FastifyInstance, FastifyReply } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Deps } from "../operations/index.ts";
import type { EventStream } from "./sse.ts";

export interface HttpDeps extends Deps {
  version: string;
  metrics: { render(): Promise<{ contentType: string; body: string }> };
  /** What has to hold for this node to be sent requests: database, migrations, not draining. */
  readiness(): Promise<ReadinessCheck[]>;
  /** Aborts when the node begins to leave: event streams and waiting requests end. */
  draining: AbortSignal;
  /** The folder of the built dashboard; when there is none, `/` leads to the API's reference. */
  dashboard: string | null;
}

export interface ReadinessCheck {
  name: string;
  ok: boolean;
  detail: string | null;
}

/** What routes are given beside the deps. */
export interface RouteDeps extends HttpDeps {
  openStream(reply: FastifyReply): EventStream;
}

export type App = FastifyInstance<
  FastifyInstance["server"],
  Parameters<FastifyInstance["routing"]>[0],
  Parameters<FastifyInstance["routing"]>[1],
  FastifyInstance["log"],
  ZodTypeProvider
>;
