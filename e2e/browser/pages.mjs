// Every page, light and dark, wide and on a phone: what axe finds, whether it fits, and a
// picture of it.
import { launch, login, must, overflows, rules, shoot, sizes, step, tab, themes, violations } from './browser.mjs';

const task = JSON.parse(process.env.PURSER_TASK);
const browser = await launch(task);
const first = await tab(browser, task);

await step('login', async () => {
  await first.page.goto('/ui/login');
  await look(first, 'login');
});
const state = await login(first.page, task.token);
const t = await tab(browser, task, { state });
for (const [name, path] of Object.entries(task.pages)) {
  await step(name, async () => {
    const answer = await t.page.goto(path);
    must(answer.status() === 200, `status ${answer.status()}`);
    await look(t, name);
  });
}
await browser.close();

async function look({ page, clean }, name) {
  const wrong = [];
  for (const size of Object.keys(sizes)) {
    await page.setViewportSize(sizes[size]);
    for (const theme of themes) {
      await page.emulateMedia({ colorScheme: theme });
      for (const v of await violations(page, theme === themes[0] ? rules.all : rules.colours)) wrong.push(`${size}, ${theme}: ${v}`);
      await shoot(page, task, `${name}-${size}-${theme}`);
    }
    for (const o of await overflows(page)) wrong.push(`${size}: wider than the window: ${o}`);
  }
  await page.setViewportSize(sizes.desktop);
  must(wrong.length === 0, wrong.join('\n'));
  clean();
}
