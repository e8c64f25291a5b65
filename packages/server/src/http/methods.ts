/** A known path with another method is 405 with `Allow`, not 404. */
import { METHODS } from "node:http";
import { CarillonError } from "@carillon/core";
import type { FastifyInstance } from "fastify";

/** All that the parser lets through. CONNECT names no path. */
const methods = METHODS.filter((method) => method !== "CONNECT");

/** Notes all routes from now on; `register` adds the refusals for their other methods, after all others. */
export function refuseOtherMethods(app: FastifyInstance): { register(root: FastifyInstance): void } {
  for (const method of methods) if (!app.supportedMethods.includes(method)) app.addHttpMethod(method);
  const known = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const allowed = known.get(url) ?? new Set();
    known.set(url, allowed);
    for (const name of [method].flat()) allowed.add(name);
  });
  return {
    register(root) {
      for (const [url, allowed] of [...known]) {
        const refused = methods.filter((method) => !allowed.has(method));
        const allow = methods.filter((method) => allowed.has(method)).join(", ");
        root.route({
          url,
          method: refused,
          schema: { hide: true },
          exposeHeadRoute: false,
          onRequest: async (request, reply) => {
            // `/tasks/{id}:no-such-verb` reaches the route of `/tasks/{id}`.
            if (/:[^/]*$/.test(request.url.split("?", 1)[0]!) && !url.includes("::"))
              throw new CarillonError("not_found");
            reply.header("allow", allow);
            throw new CarillonError("method_not_allowed", { detail: `This path answers ${allow}.` });
          },
          handler: async () => {},
        });
      }
    },
  };
}
