import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import { storeSuite } from "./store-suite.ts";

storeSuite("the memory store", async () => createMemoryStore(createMemoryDatabase({ now: () => 0 })));
