/**
 * Who is answered at all, and the headers that every answer carries. Without API keys a node listens on loopback only, and a page from
 * elsewhere must not reach it through the browser: by another name for this address (DNS rebinding) or from another origin.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { CarillonError, invalid } from "@carillon/core";

export const MAX_HEADERS = 100;

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/** Throws what the request is refused with. */
export function checkRequest(request: IncomingMessage): void {
  if (request.rawHeaders.length > 2 * MAX_HEADERS) {
    throw invalid("headers", "too_many", `A request has at most ${MAX_HEADERS} headers.`);
  }
  checkHosts(request.rawHeaders);
  if (request.headers.host === undefined && request.httpVersionMinor >= 1) {
    throw invalid("Host", "required", "An HTTP/1.1 request names its host.");
  }
  if (request.headers.expect !== undefined && !/^100-continue$/i.test(request.headers.expect)) {
    throw invalid("Expect", "unsupported", "No expectation but 100-continue can be met.");
  }
  checkOrigin(request.headers, request.socket.localAddress ?? "");
  checkEncoding(request.headers);
}

/** Whoever stands in front may have looked at the other one. */
function checkHosts(rawHeaders: readonly string[]): void {
  const hosts = rawHeaders.filter((header, i) => i % 2 === 0 && header.toLowerCase() === "host");
  if (hosts.length > 1) throw invalid("Host", "too_many", "A request has one Host header.");
}

/** @param ownAddress the address that the connection came to; a page from elsewhere has no such name */
function checkOrigin({ host = "", origin }: IncomingHttpHeaders, ownAddress: string): void {
  const isOwnAddress = ownAddress.startsWith("127.") && host.replace(/:\d{1,5}$/, "") === ownAddress;
  if (!LOOPBACK.test(host) && !isOwnAddress) {
    throw new CarillonError("permission_denied", {
      detail:
        "Without API keys only the host names localhost, 127.0.0.1, [::1] and the loopback address that the node listens on are answered.",
      errors: [{ parameter: "Host", code: "host_not_allowed", message: "This host name is not answered." }],
    });
  }
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === withoutDefaultPort(host))) {
    throw new CarillonError("permission_denied", {
      detail: "Requests from pages of another origin are not answered.",
      errors: [{ parameter: "Origin", code: "origin_not_allowed", message: "This origin is not answered." }],
    });
  }
}

function withoutDefaultPort(host: string): string {
  return host.toLowerCase().replace(/:80$/, "");
}

function checkEncoding({ "content-type": type = "", "content-encoding": encoding }: IncomingHttpHeaders): void {
  if (encoding !== undefined && encoding !== "identity") {
    throw new CarillonError("unsupported_media_type", {
      detail: "Compressed requests are not accepted.",
      errors: [{ parameter: "Content-Encoding", code: "unsupported", message: "Send the body as it is." }],
    });
  }
  const charset = /;\s*charset="?([^";\s]*)/i.exec(type)?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
    throw new CarillonError("unsupported_media_type", {
      detail: "JSON is UTF-8.",
      errors: [{ parameter: "Content-Type", code: "unsupported", message: "The charset is utf-8." }],
    });
  }
}

/** The dashboard needs nothing from elsewhere and nothing inline; an answer of the API needs nothing at all. */
export const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
} as const;
