/** `npm run example NAME`. */
const names = ["reminders", "cron-report", "http-target", "remote-worker", "workflow", "rate-limit", "failing-target"];
const [name = ""] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`usage: npm run example NAME, where NAME is one of ${names.join(", ")}`);
  process.exit(2);
}
await import(`./${name}.js`);
