// Runs one client: `node driver.mjs NAME` reads tasks as lines of JSON
// ({"scenario","knobs","picture"}), sets the knobs as environment variables, runs
// the scenario that NAME.mjs exports under that name, and prints a line:
// {"outcome":"pass"|"absent"|"fail","why":...}.
import { createInterface } from "node:readline";

const client = (await import(`./${process.argv[2]}.mjs`)).default;

async function run({ scenario, knobs, picture }) {
  Object.assign(process.env, knobs);
  const work = client[scenario];
  if (typeof work === "string") return { outcome: "absent", why: work };
  try {
    await work({ picture, scenario });
    return { outcome: "pass" };
  } catch (error) {
    return { outcome: "fail", why: `${error?.message ?? error}`.slice(0, 600) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await run(JSON.parse(line))) + "\n");
}
