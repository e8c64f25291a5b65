export { createTestEnvironment } from "@carillon/testkit";
