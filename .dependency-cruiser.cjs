/** The architecture's import directions (ARCHITECTURE.md). Each rule says what a room may reach; everything else is an error. */
const room = (name, path, mayReach) => ({
  name: `${name}-reaches-only-${mayReach.length ? mayReach.join("-") : "itself"}`,
  severity: "error",
  from: { path: `^${path}/` },
  to: {
    path: "^(packages|proto|examples|bench)/",
    pathNot: [path, ...mayReach.map((other) => (other === "proto" ? "proto" : `packages/${other}`))].map(
      (p) => `^${p}/`,
    ),
  },
});

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    room("proto", "proto", []),
    room("core", "packages/core", []),
    room("store", "packages/store", ["core"]),
    room("client", "packages/client", ["core", "proto"]),
    room("server", "packages/server", ["store", "core", "client", "proto"]),
    room("dashboard", "packages/dashboard", []),
    room("testkit", "packages/testkit", ["server", "store", "core", "client", "proto"]),
    room("cli", "packages/cli", ["server", "store", "core", "client", "testkit", "proto"]),
    room("bench", "bench", ["store", "client", "cli"]),
    room("examples", "examples", ["client", "cli"]),
    {
      name: "examples-import-published-packages",
      comment: "As an application does: `carillon` and `@carillon/client` by name, never a file of ours by its path.",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: "^(packages|proto|bench)/", dependencyTypes: ["local"] },
    },
    {
      name: "core-has-no-io",
      severity: "error",
      from: { path: "^packages/core/src", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "oracle-shares-nothing",
      comment: "What the engine is compared with uses none of it.",
      severity: "error",
      from: { path: "^packages/testkit/src/oracle/" },
      to: { pathNot: "^packages/testkit/src/oracle/", dependencyTypesNot: ["core"] },
    },
    {
      name: "one-door-per-library",
      comment: "A borrowed library enters core through one file, so that it can be replaced there.",
      severity: "error",
      from: { path: "^packages/core/src", pathNot: "/(words|zone|cron\\.test)\\.ts$" },
      to: { path: "node_modules/(cronstrue|temporal-polyfill)" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|node_modules)/|\\.test\\.tsx?$|/test/" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { conditionNames: ["carillon-source", "import", "default"], exportsFields: ["exports"] },
  },
};
