/**
 * Which addresses an HTTP target may have: public ones, and what the operator listed. A name is resolved once, every answer must pass, and
 * the connection goes to the address that was checked, so that a name cannot change its mind in between (DNS rebinding).
 */
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import ipaddr from "ipaddr.js";

export interface AddressGuard {
  /** The address to connect to; throws `AddressNotAllowedError`, or the resolver's error when the name is unknown. */
  resolve(hostname: string): Promise<{ address: string; family: 4 | 6 }>;
}

export class AddressNotAllowedError extends Error {
  readonly taskErrorCode = "address_not_allowed";
  readonly retryable = false;
  constructor(hostname: string) {
    super(`${hostname} is not a public address; allow it with CARILLON_HTTP_ALLOW (hosts or CIDRs)`);
    this.name = "AddressNotAllowedError";
  }
}

type Resolve = (hostname: string) => Promise<{ address: string; family: number }[]>;

const systemResolver: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

/** @param allow host names (exact), addresses or CIDRs that are allowed although they are not public */
export function createAddressGuard(allow: readonly string[], resolve: Resolve = systemResolver): AddressGuard {
  const allowed = new BlockList();
  const names = new Set<string>();
  for (const entry of allow) {
    const [base = "", prefix] = entry.split("/");
    const family = isIP(base);
    if (family === 0) names.add(entry.toLowerCase());
    else
      allowed.addSubnet(
        base,
        prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix),
        family === 4 ? "ipv4" : "ipv6",
      );
  }

  const passes = (address: string) =>
    isPublicAddress(address) || allowed.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");

  return {
    async resolve(hostname) {
      const bare = hostname.replace(/^\[|\]$/g, "").toLowerCase();
      const answers = isIP(bare) ? [{ address: bare, family: isIP(bare) }] : await resolve(bare);
      const [first] = answers;
      if (!first || !(names.has(bare) || answers.every(({ address }) => passes(address))))
        throw new AddressNotAllowedError(bare);
      return { address: first.address, family: first.family === 6 ? 6 : 4 };
    },
  };
}

/**
 * Unicast and in nobody's special-purpose range (IANA registries). IPv6 outside 2000::/3 is refused as a whole, which also covers
 * IPv4 in disguise (mapped, compatible, NAT64); 6to4 and Teredo are not `unicast` to ipaddr.js.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== "unicast") return false;
  if (address.kind() === "ipv4") return true;
  return address.match(ipaddr.parseCIDR("2000::/3") as [ipaddr.IPv6, number]);
}
