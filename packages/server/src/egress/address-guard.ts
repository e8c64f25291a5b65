/**
 * Which addresses an HTTP target may have: public ones, and what the operator listed. A name is resolved once, every answer must pass, and
 * the connection goes to the addresses that were checked, so that a name cannot change its mind in between (DNS rebinding).
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

export interface Address {
  address: string;
  family: 4 | 6;
}

export interface AddressGuard {
  /** Where to connect to: all of them passed. Throws `AddressNotAllowedError`, or the resolver's error when the name is unknown. */
  resolve(hostname: string): Promise<Address[]>;
  /** Throws `AddressNotAllowedError` for what is refused without asking the resolver. */
  check(hostname: string): void;
}

export type Resolve = (hostname: string) => Promise<{ address: string; family: number }[]>;

export class AddressNotAllowedError extends Error {
  readonly taskErrorCode = "address_not_allowed";
  readonly retryable = false;
  constructor(hostname: string) {
    super(`${hostname} is not a public address; allow it with CARILLON_HTTP_ALLOW (hosts or CIDRs)`);
    this.name = "AddressNotAllowedError";
  }
}

const systemResolver: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

/**
 * Where clouds keep the credentials of a machine: no range and no name allows these, only the address itself. One of them looks public.
 */
const metadata = [
  "169.254.169.254",
  "169.254.169.253",
  "169.254.170.2",
  "169.254.170.23",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254",
].map((text) => ipaddr.parse(text).toByteArray());

/** Names that mean this machine or this network: a public answer for them is a lie. */
const LOCAL_NAME = /(^|\.)(localhost|internal|local|home\.arpa)$/;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

export type AllowEntry =
  | { kind: "host"; name: string }
  | { kind: "range"; address: ipaddr.IPv4 | ipaddr.IPv6; prefix: number };

/** A host name, an address or a CIDR; null for anything else. */
export function parseAllowEntry(text: string): AllowEntry | null {
  const [base = "", prefixText, ...rest] = text.split("/");
  const family = isIP(base);
  if (rest.length > 0 || base.includes("%")) return null;
  if (family === 0) {
    const name = plainName(base);
    const isName = prefixText === undefined && HOST_NAME.test(name) && !/(^|\.)(\d+|0x[0-9a-f]*)$/.test(name);
    return isName ? { kind: "host", name } : null;
  }
  const bits = family === 4 ? 32 : 128;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return null;
  const prefix = Number(prefixText ?? bits);
  return prefix <= bits ? { kind: "range", address: ipaddr.parse(base), prefix } : null;
}

/** @param allow host names (exact), addresses or CIDRs that are allowed although they are not public */
export function createAddressGuard(allow: readonly string[], resolve: Resolve = systemResolver): AddressGuard {
  const entries = allow.map((text) => {
    const entry = parseAllowEntry(text);
    if (!entry) throw new Error(`"${text}" is no host name, address or CIDR`);
    return entry;
  });
  const names = new Set(entries.flatMap((entry) => (entry.kind === "host" ? entry.name : [])));
  const ranges = entries.filter((entry) => entry.kind === "range");

  function passes(text: string, name: string | null): boolean {
    if (isIP(text) === 0 || text.includes("%")) return false;
    const address = ipaddr.process(text);
    const listed = ranges.filter((range) => contains(range, address));
    if (isMetadata(address)) return listed.some(({ prefix }) => prefix === address.toByteArray().length * 8);
    if (listed.length > 0) return true;
    if (name === null) return isPublic(address);
    return names.has(name) || (isPublic(address) && !LOCAL_NAME.test(name));
  }

  return {
    async resolve(hostname) {
      const host = plainName(hostname);
      const family = isIP(host);
      const answers = family === 0 ? await resolve(host) : [{ address: host, family }];
      if (answers.length === 0) throw new Error(`${host} has no address`);
      const name = family === 0 ? host : null;
      if (!answers.every(({ address }) => passes(address, name))) throw new AddressNotAllowedError(host);
      return answers.map(({ address }) => ({ address, family: isIP(address) as 4 | 6 }));
    },
    check(hostname) {
      const host = plainName(hostname);
      if (isIP(host) !== 0 && !passes(host, null)) throw new AddressNotAllowedError(host);
      if (LOCAL_NAME.test(host) && !names.has(host) && ranges.length === 0) throw new AddressNotAllowedError(host);
    },
  };
}

/** As `URL.hostname` writes it, without brackets and the root's dot. */
function plainName(hostname: string): string {
  return hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
}

function contains(range: { address: ipaddr.IPv4 | ipaddr.IPv6; prefix: number }, address: ipaddr.IPv4 | ipaddr.IPv6) {
  return range.address.kind() === address.kind() && address.match(range.address as ipaddr.IPv6, range.prefix);
}

/** Also in an IPv6 address that stands for an IPv4 one: in its last four bytes (plain or, in Teredo, inverted) or after 2002. */
function isMetadata(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  const bytes = address.toByteArray();
  const forms = [bytes];
  if (bytes.length === 16) {
    const last = bytes.slice(12);
    forms.push(
      last,
      last.map((byte) => byte ^ 0xff),
      bytes.slice(2, 6),
    );
  }
  return forms.some((form) => metadata.some((each) => each.join() === form.join()));
}

const GLOBAL_UNICAST = ipaddr.parseCIDR("2000::/3") as [ipaddr.IPv6, number];
const NAT64 = ipaddr.parseCIDR("64:ff9b::/96") as [ipaddr.IPv6, number];
/** Special-purpose (IANA registries) and not known as such to ipaddr.js. */
const SPECIAL = [
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.175.48.0/24",
  "2001::/23",
  "2001:db8::/32",
  "2620:4f:8000::/48",
  "3fff::/20",
].map((cidr) => ipaddr.parseCIDR(cidr));

/**
 * Unicast and in nobody's special-purpose range. IPv6 outside 2000::/3 is refused as a whole, which covers most IPv4 in disguise; behind
 * NAT64, the one disguise that networks put on public addresses by themselves, the IPv4 address decides.
 */
function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  const bytes = address.toByteArray();
  const special = SPECIAL.some(([base, prefix]) => contains({ address: base, prefix }, address));
  if (special) return false;
  if (address.kind() === "ipv4") return address.range() === "unicast";
  const six = address as ipaddr.IPv6;
  if (six.match(NAT64)) return isPublic(new ipaddr.IPv4(bytes.slice(12)));
  // ISATAP: ::0:5efe:a.b.c.d or ::200:5efe:a.b.c.d under any prefix.
  const isatap = (bytes[8]! & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
  return six.range() === "unicast" && six.match(GLOBAL_UNICAST) && !isatap;
}
