import { expect, test } from "vitest";
import { createAddressGuard, parseAllowEntry, type Resolve } from "./address-guard.ts";

/** The host as a request to this URL would have it. */
const hostOf = (host: string) => new URL(`http://${host}/`).hostname;

const never: Resolve = async (hostname) => {
  throw new Error(`asked for ${hostname}`);
};
const answers =
  (...addresses: string[]): Resolve =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));

const refused = expect.objectContaining({ taskErrorCode: "address_not_allowed", retryable: false });

/** Written as a literal in a URL: refused at creation and when it is called. */
const forbiddenLiterals = [
  // This machine, in every way that URLs allow.
  "127.0.0.1",
  "127.1",
  "127.0.1",
  "127.255.255.254",
  "0",
  "0.0.0.0",
  "0.1.2.3",
  "2130706433",
  "0x7f000001",
  "0x7f.1",
  "0x7F.0x00.0x00.0x01",
  "017700000001",
  "0177.0.0.1",
  "0177.0.0.01",
  "127.0x0.00.1",
  "１２７.０.０.１",
  "①②⑦.⓪.⓪.①",
  "127。0。0。1",
  "127．0．0．1",
  "127｡0｡0｡1",
  "127.0.0.1.",
  "[::1]",
  "[::]",
  "[0:0:0:0:0:0:0:1]",
  "[0000::0001]",
  "[::0.0.0.1]",
  // Private networks, and those of carriers.
  "10.0.0.0",
  "10.255.255.255",
  "0xa000001",
  "167772161",
  "012.0.0.1",
  "172.16.0.0",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.0",
  "192.168.1.1",
  "192.168.255.255",
  "3232235777",
  "0300.0250.1.1",
  "100.64.0.0",
  "100.64.0.1",
  "100.127.255.255",
  // Link-local and metadata.
  "169.254.0.1",
  "169.254.169.254",
  "169.254.169.253",
  "169.254.170.2",
  "169.254.170.23",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "169.254.43518",
  "100.100.100.200",
  "168.63.129.16",
  "0xa83f8110",
  "192.0.0.192",
  "[fd00:ec2::254]",
  "[fd00:ec2::23]",
  "[fd20:ce::254]",
  "[fe80::1]",
  "[fe80::a9fe:a9fe]",
  "[febf::1]",
  // Special purposes.
  "192.0.0.0",
  "192.0.0.1",
  "192.0.0.8",
  "192.0.0.170",
  "192.0.2.0",
  "192.0.2.255",
  "198.51.100.1",
  "203.0.113.1",
  "203.0.113.255",
  "192.31.196.1",
  "192.52.193.1",
  "192.88.99.1",
  "192.175.48.1",
  "198.18.0.0",
  "198.18.0.1",
  "198.19.255.255",
  "224.0.0.1",
  "224.0.0.251",
  "239.255.255.255",
  "240.0.0.1",
  "250.1.2.3",
  "255.255.255.254",
  "255.255.255.255",
  "[fc00::1]",
  "[fd12:3456:789a::1]",
  "[fdff:ffff::1]",
  "[fec0::1]",
  "[feff::1]",
  "[ff00::1]",
  "[ff02::1]",
  "[ff0e::1]",
  "[100::1]",
  "[100:0:0:1::1]",
  "[2001:db8::1]",
  "[2001:db8:ffff::1]",
  "[3fff::1]",
  "[3fff:0fff::1]",
  "[5f00::1]",
  "[4000::1]",
  "[e000::1]",
  "[1::1]",
  "[2001:2::1]",
  "[2001:10::1]",
  "[2001:20::1]",
  "[2001:1::1]",
  "[2620:4f:8000::1]",
  // IPv4 inside IPv6: mapped, translated, compatible.
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::ffff:10.0.0.1]",
  "[::ffff:a9fe:a9fe]",
  "[::ffff:169.254.169.254]",
  "[::ffff:0.0.0.0]",
  "[0:0:0:0:0:ffff:c0a8:0101]",
  "[::ffff:0:127.0.0.1]",
  "[::ffff:0:7f00:1]",
  "[::127.0.0.1]",
  "[::7f00:1]",
  "[::a9fe:a9fe]",
  "[::10.0.0.1]",
  "[::168.63.129.16]",
  "[::ffff:168.63.129.16]",
  // NAT64, 6to4, Teredo, ISATAP.
  "[64:ff9b::127.0.0.1]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b::a9fe:a9fe]",
  "[64:ff9b::10.1.2.3]",
  "[64:ff9b::168.63.129.16]",
  "[64:ff9b:1::7f00:1]",
  "[64:ff9b:1::8.8.8.8]",
  "[64:ff9b:1:a9fe:a9:fe00::]",
  "[2002:7f00:1::]",
  "[2002:a9fe:a9fe::1]",
  "[2002:c0a8:101::1]",
  "[2002:808:808::1]",
  "[2001:0:7f00:1::1]",
  "[2001::1]",
  "[2001:0:4136:e378:8000:63bf:5601:5601]",
  "[2001:470:1::5efe:127.0.0.1]",
  "[2a00:1450::200:5efe:10.0.0.1]",
  "[2a00:1450::5efe:a9fe:a9fe]",
  "[fe80::5efe:7f00:1]",
];

test(`${forbiddenLiterals.length} literals of addresses that are not public are refused, without asking a resolver`, async () => {
  expect(forbiddenLiterals.length).toBeGreaterThanOrEqual(140);
  const guard = createAddressGuard([], never);
  for (const literal of forbiddenLiterals) {
    const host = hostOf(literal);
    await expect(guard.resolve(host), literal).rejects.toEqual(refused);
    expect(() => guard.check(host), literal).toThrow(refused as never);
  }
});

const publicLiterals = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "93.184.216.34",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "134744072",
  "0x08080808",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.0",
  "192.0.3.0",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "[2606:4700:4700::1111]",
  "[2a00:1450:4001:800::200e]",
  "[2001:4860:4860::8888]",
  "[2001:200::1]",
  "[2400:cb00::1]",
  "[::ffff:8.8.8.8]",
  "[64:ff9b::8.8.8.8]",
];

test("public addresses pass", async () => {
  const guard = createAddressGuard([], never);
  for (const literal of publicLiterals) {
    const host = hostOf(literal);
    expect(() => guard.check(host), literal).not.toThrow();
    await expect(guard.resolve(host), literal).resolves.toHaveLength(1);
  }
});

test("a name is judged by every address it has", async () => {
  const bad = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "fe80::1%eth0",
    "2002:7f00:1::",
    "not an address",
  ];
  for (const address of bad) {
    for (const list of [
      [address],
      ["8.8.8.8", address],
      [address, "8.8.8.8"],
      [...Array<string>(19).fill("8.8.8.8"), address],
    ]) {
      await expect(createAddressGuard([], answers(...list)).resolve("x.example"), list.join()).rejects.toEqual(refused);
    }
  }
  const resolved = await createAddressGuard([], answers("8.8.8.8", "2606:4700::1")).resolve("x.example");
  expect(resolved).toEqual([
    { address: "8.8.8.8", family: 4 },
    { address: "2606:4700::1", family: 6 },
  ]);
});

test("names that mean this machine or this network are refused, whatever they resolve to", async () => {
  const guard = createAddressGuard([], answers("93.184.216.34"));
  const names = [
    "localhost",
    "localhost.",
    "LOCALHOST",
    "a.localhost",
    "b.a.localhost.",
    "metadata.google.internal",
    "x.internal",
    "printer.local",
    "router.home.arpa",
  ];
  for (const name of names) {
    await expect(guard.resolve(hostOf(name)), name).rejects.toEqual(refused);
    expect(() => guard.check(hostOf(name)), name).toThrow(refused as never);
  }
  for (const name of ["localhost.example", "internal.example", "mylocalhost", "xinternal", "local.example"]) {
    await expect(guard.resolve(name), name).resolves.toHaveLength(1);
    expect(() => guard.check(name)).not.toThrow();
  }
});

test("this machine's own names are judged by what the real resolver says", async () => {
  const guard = createAddressGuard([]);
  await expect(guard.resolve("localhost")).rejects.toEqual(refused);
  await expect(guard.resolve("no-such-name.invalid")).rejects.toThrow();
  expect(await createAddressGuard(["localhost"]).resolve("localhost")).toContainEqual(
    expect.objectContaining({ address: expect.stringMatching(/^(127|::1)/) }),
  );
});

test("each call asks once, and what is answered later does not count", async () => {
  let asked = 0;
  const flipping: Resolve = async () =>
    asked++ % 2 === 0 ? [{ address: "8.8.8.8", family: 4 }] : [{ address: "127.0.0.1", family: 4 }];
  const guard = createAddressGuard([], flipping);
  expect(await guard.resolve("rebind.example")).toEqual([{ address: "8.8.8.8", family: 4 }]);
  expect(asked).toBe(1);
  await expect(guard.resolve("rebind.example")).rejects.toEqual(refused);
  expect(asked).toBe(2);
});

test("a name that is unknown, or has no address, is the resolver's failure and can be tried again", async () => {
  const failing = createAddressGuard([], async () => {
    throw Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
  });
  await expect(failing.resolve("x.example")).rejects.toThrow("ENOTFOUND");
  await expect(createAddressGuard([], async () => []).resolve("x.example")).rejects.toThrow("has no address");
});

// ------------------------------------------------------------------------------------------------------------- allow-list

test("ranges and addresses that the operator listed pass, by literal and by name", async () => {
  const guard = createAddressGuard(["10.0.0.0/8", "127.0.0.1", "fd00::/8"], answers("10.1.2.3", "8.8.8.8"));
  await guard.resolve("x.example");
  for (const literal of ["10.9.9.9", "127.0.0.1", "[fd12::1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]"]) {
    await guard.resolve(hostOf(literal));
    expect(() => guard.check(hostOf(literal)), literal).not.toThrow();
  }
  for (const literal of [
    "127.0.0.2",
    "192.168.0.1",
    "[fe80::1]",
    "[64:ff9b::10.0.0.1]",
    "11.0.0.1".replace("11", "172.16").replace(".0.0.1", ".0.1"),
  ])
    await expect(guard.resolve(hostOf(literal)), literal).rejects.toEqual(refused);
  const mixed = createAddressGuard(["10.0.0.0/8"], answers("10.1.2.3", "192.168.0.1"));
  await expect(mixed.resolve("x.example")).rejects.toEqual(refused);
});

test("a listed name passes whatever its address, and only that name", async () => {
  const guard = createAddressGuard(["Hooks.Corp.Example."], answers("192.168.0.7"));
  expect(await guard.resolve("hooks.corp.example")).toEqual([{ address: "192.168.0.7", family: 4 }]);
  expect(await guard.resolve("HOOKS.corp.example.")).toHaveLength(1);
  for (const other of ["corp.example", "x.hooks.corp.example", "hooks.corp.example.evil.example", "192.168.0.7"])
    await expect(guard.resolve(other), other).rejects.toEqual(refused);
});

test("metadata services stay refused unless their very address is listed", async () => {
  const generous = [
    "0.0.0.0/0",
    "::/0",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "fd00::/8",
    "metadata.google.internal",
    "listed.example",
  ];
  const guard = createAddressGuard(generous, answers("169.254.169.254"));
  const disguises = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "[fd00:ec2::254]",
    "[::ffff:a9fe:a9fe]",
    "[::a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[2001:0:1:2:3:4:5601:5601]",
  ];
  for (const literal of disguises) await expect(guard.resolve(hostOf(literal)), literal).rejects.toEqual(refused);
  for (const name of ["metadata.google.internal", "listed.example"])
    await expect(guard.resolve(name), name).rejects.toEqual(refused);
  // Everything else passes there.
  for (const literal of ["127.0.0.1", "169.254.1.1", "[::1]"]) await guard.resolve(hostOf(literal));
  await createAddressGuard(["169.254.169.254"]).resolve("169.254.169.254");
  await createAddressGuard(["169.254.169.254/32"]).resolve(hostOf("[::ffff:169.254.169.254]"));
});

test("a list that could mean more than was written is refused", () => {
  const wrong = [
    "",
    " ",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.0/0x8",
    "10.0.0.0/8 ",
    "10.0.0/8",
    "10",
    "127.1",
    "0x7f.1",
    "::1/129",
    "fe80::1%eth0",
    "http://localhost",
    "localhost:3000",
    "*.example.com",
    "*",
    "a b",
    "example.com/24",
    "-x.example",
    "a..b",
    `${"a".repeat(254)}`,
  ];
  for (const entry of wrong) {
    expect(parseAllowEntry(entry), JSON.stringify(entry)).toBeNull();
    expect(() => createAddressGuard([entry])).toThrow(/no host name, address or CIDR/);
  }
  for (const entry of [
    "localhost",
    "x.example",
    "x_y.example.",
    "10.0.0.0/8",
    "10.1.2.3",
    "0.0.0.0/0",
    "::1",
    "fd00::/8",
    "::ffff:10.0.0.1",
  ])
    expect(parseAllowEntry(entry), entry).not.toBeNull();
});
