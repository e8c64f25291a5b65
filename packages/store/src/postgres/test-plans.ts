/** For tests of plans: a store whose every statement PostgreSQL explains while it carries it out, prepared and set up as always. */
import pg from "pg";
import { createPostgresStore } from "./store.ts";

export interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Index Recheck"?: number;
  "Rows Removed by Join Filter"?: number;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: PlanNode[];
}

export interface Explained {
  /** Of the statement. */
  name: string;
  /** All of its plan, from the top. */
  nodes: PlanNode[];
  /** Read from tables or compared in joins, whether they were of use or not. */
  rows: number;
  /** Touched, in memory or not. */
  pages: number;
}

const explain = {
  session_preload_libraries: "auto_explain",
  "auto_explain.log_min_duration": "0",
  "auto_explain.log_analyze": "on",
  "auto_explain.log_buffers": "on",
  "auto_explain.log_timing": "off",
  "auto_explain.log_format": "json",
  client_min_messages: "log",
  // Nothing here has to last.
  synchronous_commit: "off",
};

export async function openExplainedStore(connectionString: string) {
  const names = new Map<string, string>();
  let plans: Explained[] = [];

  class Client extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super(config);
      this.on("notice", ({ message = "" }) => {
        const json = message.match(/^duration: .* plan:\n(.*)$/s)?.[1];
        if (json === undefined) return;
        const { "Query Text": text, Plan: plan } = JSON.parse(json) as { "Query Text": string; Plan: PlanNode };
        const name = names.get(text);
        if (name !== undefined) plans.push(explained(name, plan));
      });
      const send = this.query as (...args: unknown[]) => unknown;
      this.query = ((...args: unknown[]) => {
        const [{ name, text }] = args as [{ name?: string; text: string }];
        if (text !== undefined) names.set(text, name ?? "");
        return send.apply(this, args);
      }) as typeof this.query;
    }
  }

  const options = Object.entries(explain).map(([setting, value]) => `-c ${setting}=${value}`);
  const target = { connectionString, options: options.join(" "), Client } as pg.ClientConfig;
  const store = await createPostgresStore({ connectionString: target });
  return {
    store,
    /** The plans of what `work` has the store do. */
    async plansOf<T>(work: () => Promise<T>): Promise<{ plans: Explained[]; answer: T }> {
      plans = [];
      const answer = await work();
      return { plans, answer };
    },
    async [Symbol.asyncDispose]() {
      await store.close();
    },
  };
}

function explained(name: string, plan: PlanNode): Explained {
  const nodes = flatten(plan);
  const rows = nodes.reduce((sum, node) => {
    const read = node["Relation Name"] !== undefined && node["Node Type"] !== "ModifyTable" ? node["Actual Rows"] : 0;
    const removed =
      (node["Rows Removed by Filter"] ?? 0) +
      (node["Rows Removed by Index Recheck"] ?? 0) +
      (node["Rows Removed by Join Filter"] ?? 0);
    return sum + Math.round((read + removed) * node["Actual Loops"]);
  }, 0);
  return { name, nodes, rows, pages: plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] };
}

function flatten(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(flatten)];
}
