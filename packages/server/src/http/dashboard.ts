/** The built dashboard: hashed assets for ever, its page for the addresses that it knows, and for people at one that nothing answers. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CarillonError } from "@carillon/core";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

/** Pages of the dashboard; its own router takes it from there. */
const pages = ["/", "/tasks", "/tasks/*", "/schedules", "/schedules/*"];

export async function dashboardRoutes(app: FastifyInstance, folder: string | null): Promise<void> {
  if (folder === null || !existsSync(join(folder, "index.html"))) {
    app.get("/", { schema: { hide: true } }, async (_request, reply) => reply.redirect("/docs"));
    return;
  }
  // Each file that is there becomes a route, so that no path from a request ever reaches the disk.
  await app.register(fastifyStatic, {
    root: folder,
    wildcard: false,
    index: false,
    cacheControl: false,
    preCompressed: true,
    setHeaders(response, path) {
      const hashed = path.includes("/assets/");
      response.setHeader("cache-control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
      response.setHeader("vary", "accept-encoding");
    },
  });
  for (const page of pages) {
    app.get(page, { schema: { hide: true } }, async (_request, reply) => reply.sendFile("index.html"));
  }
  // Not awaited: it comes after the refusals of other methods, so that an unknown path stays a 404 whatever the method.
  void app.register(async (rest) => {
    rest.get("/*", { schema: { hide: true } }, async (request, reply) => {
      const readsPages = request.headers.accept?.includes("text/html") && !/^\/(api|assets)\//.test(request.url);
      if (readsPages) return reply.code(404).sendFile("index.html");
      throw new CarillonError("not_found", { detail: "There is nothing at this path." });
    });
  });
}
