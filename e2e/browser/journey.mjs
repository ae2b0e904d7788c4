// What a person does with the dashboard in a first hour, from an empty node on.
import { readFileSync } from 'node:fs';
import { ask, go, launch, login, must, shoot, soon, step, tab, told } from './browser.mjs';

const task = JSON.parse(process.env.PURSER_TASK);
const browser = await launch(task);
// Refusals of forms are statuses that the console tells.
const expected = [/status of 4(00|01|02|03|04|09)/];
const { page, context, clean } = await tab(browser, task, { expected });
const run = 'run-of-the-journey';
const headers = { 'x-purser-customer': 'acme', 'x-purser-agent': 'researcher', 'x-purser-run': run };
let key = '';

const press = async (name) => page.getByRole('button', { name }).click();
const unfold = async (name) => page.locator('summary', { hasText: name }).click();

await step('a wrong token is refused, and the right one logs in', async () => {
  await page.goto('/ui/budgets');
  await page.getByLabel(/token/i).fill('no-such-token');
  await press(/log in/i);
  await page.getByRole('alert').waitFor();
  await login(page, task.token);
  clean();
});

await step('a form that is wrong says so beside its field, and keeps what was typed', async () => {
  await page.goto('/ui/budgets?new');
  await page.getByLabel('Name').fill('journey');
  await page.getByLabel(/^Limit/).fill('-5');
  await press('Create the budget');
  const limit = page.getByLabel(/^Limit/);
  must(await limit.getAttribute('aria-invalid') === 'true', 'the field is not marked');
  must(await limit.inputValue() === '-5', 'what was typed is gone');
  must((await page.locator('#new-limit-wrong').innerText()).includes('-5'), 'the message is not the API\'s');
  await shoot(page, task, 'journey-wrong-field');
});

await step('a budget is created in the pages', async () => {
  await page.getByLabel(/^Limit/).fill('0.001');
  await page.getByLabel(/^Covers/).fill('customer=acme');
  await press('Create the budget');
  await page.waitForURL('**/ui/budgets/journey');
  must((await page.locator('.flash.good').innerText()).includes('journey'), 'it does not say that it is done');
  clean();
});

await step('a key is created in the pages, and its secret is shown once', async () => {
  await page.goto('/ui/keys?new');
  await page.getByLabel('Name').fill('journey');
  await press('Create the key');
  key = await page.locator('#secret').innerText();
  must(key.length > 20, 'there is no secret');
  await page.getByRole('link', { name: 'To the key' }).click();
  must(!(await page.content()).includes(key), 'the secret is shown again');
  clean();
});

await step('a request is on the overview in less than two seconds', async () => {
  const before = await soon(15_000, 'the key serves', async () => {
    const a = await ask(task, key, {}, headers);
    must(a.status === 200, `status ${a.status}: ${a.body}`);
    return a;
  });
  await page.goto('/ui/');
  const shown = page.locator('[data-live=requests]').first();
  await soon(5000, 'the first request shows', async () => must(/[1-9]/.test(await shown.innerText()), 'no request'));
  const was = await shown.innerText();
  const began = performance.now();
  const answer = await ask(task, key, {}, { ...headers, 'x-purser-step': 'plan' });
  const answered = performance.now();
  must(answer.status === 200 && answer.id !== before.id, `status ${answer.status}`);
  await page.waitForFunction((text) => document.querySelector('[data-live=requests]').textContent.trim() !== text, was, { polling: 20 });
  const ms = Math.round(performance.now() - answered);
  told('note', 'seen on the overview', { why: `${ms} ms after its answer, ${Math.round(performance.now() - began)} ms after it was sent` });
  must(ms < 2000, `it took ${ms} ms`);
  await shoot(page, task, 'journey-overview');
  clean();
});

await step('and in the explorer, which can be used within a second', async () => {
  const answer = await ask(task, key, {}, { ...headers, 'x-purser-step': 'search', 'x-purser-feature': 'explorer-step' });
  const answered = performance.now();
  must(answer.status === 200, `status ${answer.status}`);
  await soon(2000, 'the explorer has the request', async () => {
    await page.goto('/ui/explorer?by=feature', { waitUntil: 'commit' });
    await page.getByRole('rowheader', { name: 'explorer-step' }).waitFor({ timeout: 1000 });
  });
  told('note', 'seen in the explorer', { why: `${Math.round(performance.now() - answered)} ms after its answer` });
  await page.goto('/ui/explorer?by=feature', { waitUntil: 'load' });
  const ready = await page.evaluate(() => Math.round(performance.getEntriesByType('navigation')[0].domInteractive));
  told('note', 'explorer interactive', { why: `${ready} ms after the navigation began` });
  must(ready < 1000, `it took ${ready} ms`);
  clean();
});

await step('from the explorer down to a request and its run', async () => {
  await page.goto('/ui/explorer?by=customer');
  await page.getByRole('rowheader', { name: 'acme' }).getByRole('link').click();
  await page.getByRole('link', { name: 'Look at them' }).click();
  await page.waitForURL('**/ui/requests?**');
  await page.locator('main table a[href^="/ui/requests/"]').first().click();
  await page.waitForURL('**/ui/requests/req_*');
  must((await page.locator('main').innerText()).includes('journey'), 'the budget it was charged to is not there');
  await shoot(page, task, 'journey-request');
  await page.locator('main a[href^="/ui/runs/"]').first().click();
  await page.waitForURL('**/ui/runs/**');
  const text = await page.locator('main').innerText();
  must(text.includes('plan') && text.includes('search'), 'the steps of the run are not there');
  await shoot(page, task, 'journey-run');
  clean();
});

await step('traffic trips the breaker, and the budget says why', async () => {
  await soon(20_000, 'the budget refuses', async () => {
    const a = await ask(task, key, { max_tokens: 400, messages: [{ role: 'user', content: 'again ' + Math.random() }] }, headers);
    must(a.status === 402, `status ${a.status}`);
  });
  await page.goto('/ui/budgets/journey');
  const why = await page.locator('.why').innerText();
  must(/It is spent/.test(why) && /no room for what was asked/.test(why) && /the last request that was refused here, at .*, needed 0\.\d+ usd, when 0\.\d+ of 0\.001 was spent/.test(why), `it says: ${why}`);
  must(await page.locator('.why').getByText('open', { exact: true }).count() > 0, 'the breaker is not shown as open');
  await page.getByRole('region', { name: 'Last refusals' }).getByRole('link').first().waitFor();
  must((await page.getByRole('region', { name: 'Where the money is' }).innerText()).includes('e2e-1'), 'it does not say which node has it');
  await shoot(page, task, 'journey-exhausted');
  clean();
});

await step('a limit is edited, and somebody else\'s change in between is a conflict', async () => {
  const other = await context.newPage();
  await other.goto('/ui/budgets/journey');
  for (const [p, limit] of [[page, '5'], [other, '6']]) {
    await p.locator('summary', { hasText: 'Edit' }).click();
    await p.locator('#edit').getByLabel(/^Limit/).fill(limit);
    await p.getByRole('button', { name: 'Change the budget' }).click();
    await p.locator(p === page ? '.flash.good' : '#edit-wrong').waitFor();
  }
  must(/somebody changed/.test(await other.locator('#edit-wrong').innerText()), 'the conflict is not explained');
  must(await other.locator('#edit').getByLabel(/^Limit/).inputValue() === '6', 'what was typed is gone');
  await shoot(other, task, 'journey-conflict');
  await other.close();
  await soon(5000, 'there is room again', async () => must((await ask(task, key, {}, headers)).status === 200, 'refused'));
  clean();
});

await step('an operator trips and resets the breaker', async () => {
  await page.goto('/ui/budgets/journey');
  await unfold('Trip the breaker');
  await page.locator('#trip').getByLabel(/^Reason/).fill('incident 7');
  await press('Open the breaker');
  must(/Somebody opened the breaker/.test(await page.locator('.why').innerText()) && /incident 7/.test(await page.locator('.why').innerText()), 'the reason is not there');
  await soon(5000, 'requests are refused', async () => must((await ask(task, key, { messages: [{ role: 'user', content: 'x' + Math.random() }] }, headers)).status === 402, 'not refused'));
  await shoot(page, task, 'journey-tripped');
  await unfold('Reset the breaker');
  await press('Reset the breaker');
  await page.locator('.flash.good').waitFor();
  must(await page.locator('.why').count() === 0, 'it is still open');
  clean();
});

await step('the policies\' bench says what each rule makes of a request', async () => {
  await page.goto('/ui/policies?new');
  await page.getByLabel('Name').fill('no-large');
  await page.getByLabel(/^Source/).fill('{"rules":[{"id":"large","outcome":"deny","when":{"models":["gpt-4o"]},"message":"ask for the small one"}]}');
  await press('Create the policy');
  await page.waitForURL('**/ui/policies/no-large');
  await page.goto('/ui/policies');
  await page.getByLabel(/^Body/).fill('{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}');
  await press('Ask the policies');
  const text = await page.locator('#answer').innerText();
  must(/deny/.test(text) && /no-large\/large/.test(text) && /ask for the small one/.test(text), `it says: ${text}`);
  await shoot(page, task, 'journey-bench');
  clean();
});

await step('a version of a prompt is promoted, compared and rolled back', async () => {
  await page.goto('/ui/prompts?new');
  await page.getByLabel('Name').fill('support');
  await press('Put the first version');
  await page.waitForURL('**/ui/prompts/support');
  await unfold('Put the next version');
  const source = page.locator('#push').getByLabel(/^Source/);
  await source.fill((await source.inputValue()).replace('Be brief.', 'Be kind.'));
  await press('Put the next version');
  must(/Be kind/.test(await page.locator('#diff .plus').first().innerText()), 'the difference is not there');
  for (const version of ['1', '2']) {
    await unfold('Promote a version');
    await page.locator('#promote').getByLabel('Version').selectOption(version);
    await press('Promote');
    await page.locator('.flash.good').waitFor();
  }
  await unfold('Roll back');
  await press('Roll back');
  must(/production is version 1 again/.test(await page.locator('.flash.good').innerText()), 'it is not rolled back');
  clean();
});

await step('charges are exported as FOCUS', async () => {
  await page.goto('/ui/explorer');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'FOCUS' }).click()]);
  const text = readFileSync(await download.path(), 'utf8');
  must(/BilledCost/.test(text.split('\n')[0]) && text.trim().split('\n').length > 1, `the file begins with ${text.slice(0, 200)}`);
  clean();
});

await step('a budget is deleted with the keyboard alone, after it was asked twice', async () => {
  await page.goto('/ui/budgets/journey');
  const focus = async (what) => {
    for (let i = 0; i < 200; i++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate((text) => document.activeElement.closest('#delete, summary, button')?.textContent.trim() === text || document.activeElement.id === text, what)) return;
    }
    throw new Error(`the keyboard does not reach ${what}`);
  };
  await focus('Delete');
  await page.keyboard.press('Enter');
  await focus('delete-confirm');
  await page.keyboard.press('Space');
  await focus('Delete the budget');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/ui/budgets');
  must(!(await page.locator('main table').allInnerTexts()).join().includes('journey'), 'it is still there');
  clean();
});

await step('every change is in the audit trail, as the person\'s', async () => {
  await go(page, '/ui/audit');
  const text = await page.locator('main').innerText();
  for (const action of ['budget.put', 'key.put', 'policy.put', 'template.put', 'prompt.put']) must(text.includes(action), `${action} is not there`);
  must(text.includes('root'), 'nobody is named');
  clean();
});

await step('who may only read sees no button that is not theirs, and is told why a page is not', async () => {
  const res = await fetch(task.url + '/admin/v1/tokens', { method: 'POST', headers: { authorization: 'Bearer ' + task.token, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'reader', role: 'finance' }) });
  const reader = await tab(browser, task, { expected });
  await login(reader.page, (await res.json()).secret);
  const places = await reader.page.locator('nav[aria-label=Main]').innerText();
  must(/Budgets/.test(places) && !/Cluster|Audit|Policies/.test(places), `the navigation has: ${places}`);
  must(await go(reader.page, '/ui/keys') === 200 && await reader.page.getByRole('link', { name: 'New key' }).count() === 0, 'a reader may make keys');
  must(await go(reader.page, '/ui/keys?new') === 403, 'a reader gets the form');
  must(await go(reader.page, '/ui/cluster') === 403, 'a reader gets the cluster');
  must(/Your role does not include this/.test(await reader.page.locator('main').innerText()), 'it is not said why');
  await shoot(reader.page, task, 'journey-forbidden');
  reader.clean();
  await reader.context.close();
});

await step('without JavaScript every page can be read', async () => {
  const plain = await browser.newContext({ baseURL: task.url, javaScriptEnabled: false, storageState: await context.storageState() });
  const p = await plain.newPage();
  for (const path of ['/ui/', '/ui/explorer', '/ui/budgets', '/ui/keys', '/ui/policies', '/ui/audit', '/ui/economics', '/ui/anomalies', '/ui/statements']) {
    must((await p.goto(path)).status() === 200, path);
    must((await p.locator('main h1').innerText()).length > 0, path);
  }
  await plain.close();
});

await browser.close();
