// Texts that would be scripts if a page took them for such. They came in by every way that
// there is, and are shown as the texts that they are.
import { launch, login, must, shoot, step, tab } from './browser.mjs';

const task = JSON.parse(process.env.PURSER_TASK);
const browser = await launch(task);
const { page, context, clean } = await tab(browser, task, { expected: [/status of 4(00|04)/] });
await context.addInitScript(() => { window.hit = 0; });
await login(page, task.token);

const made = (page) => page.evaluate(() => document.querySelectorAll('main img, main iframe, main script, main object, main [onerror], main [onclick], main [onload], main a[href^="javascript:" i]').length);

await step('a text that is taken for a script would be noticed', async () => {
  const open = await browser.newContext({ bypassCSP: true });
  const p = await open.newPage();
  await p.goto(task.url + '/ui/login');
  await p.evaluate((text) => { window.hit = 0; window.alert = () => {}; document.querySelector('main').innerHTML = text; }, task.payload);
  await p.waitForFunction(() => window.hit === 1);
  must(await made(p) > 0, 'nothing is seen of it');
  await open.close();
});

for (const { path, shows } of task.visits) {
  await step(path.replaceAll(encodeURIComponent(task.payload), 'PAYLOAD').slice(0, 60), async () => {
    await page.goto(path);
    for (const d of await page.locator('details').all()) await d.evaluate((e) => { e.open = true; });
    must(await page.evaluate(() => window.hit) === 0, 'a text was run');
    must(await made(page) === 0, `${await made(page)} elements were made of texts`);
    const text = await page.evaluate(() => document.body.textContent + [...document.querySelectorAll('input, textarea')].map((e) => e.value).join('\n'));
    for (const s of shows ?? []) must(text.includes(s), `it does not show ${s}`);
    clean();
  });
}
await shoot(page, task, 'hostile');
await browser.close();
