import { defineConfig } from "vitest/config";

// Tests import the sources of every workspace; those that start processes use the build, which `npm test` makes first.
const conditions = ["carillon-source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["{packages,proto,examples,bench}/**/*.test.{ts,tsx}", "docs/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    // Files share their worker's modules: to load them anew for each took more time than half of the tests.
    isolate: false,
    // Most tests wait for processes and databases more than they compute.
    maxWorkers: 3,
    globalSetup: ["packages/store/src/embedded/vitest-setup.ts"],
  },
});
