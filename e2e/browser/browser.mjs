// One Chromium, and what is watched in every page: errors of the console, violations of
// the content security policy, dialogs, and requests to other origins.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
export const themes = ['light', 'dark'];

// told writes one line for the Go test: {"kind":"pass"|"fail"|"note"|"absent", ...}.
export function told(kind, name, more = {}) {
  process.stdout.write(JSON.stringify({ kind, name, ...more }) + '\n');
}

// step runs one part of a test, and tells how it went. It returns whether it passed.
export async function step(name, run) {
  const began = performance.now();
  try {
    await run();
    told('pass', name, { ms: Math.round(performance.now() - began) });
    return true;
  } catch (e) {
    told('fail', name, { why: String(e.stack ?? e).slice(0, 4000) });
    return false;
  }
}

export function must(ok, why) {
  if (!ok) throw new Error(why);
}

export async function launch(task) {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []; // as root Chromium has none
  const browser = await chromium.launch({ executablePath: task.chromium, args });
  mkdirSync(task.shots, { recursive: true });
  return browser;
}

// tab opens a page in a context of its own, logged in if state is given, and watches it.
export async function tab(browser, task, { size = 'desktop', theme = 'light', state, expected = [] } = {}) {
  const context = await browser.newContext({
    baseURL: task.url, viewport: sizes[size], colorScheme: theme, storageState: state, acceptDownloads: true, reducedMotion: 'reduce',
    isMobile: size === 'phone', hasTouch: size === 'phone',
  });
  const faults = [];
  const fault = (text) => { if (!expected.some((e) => e.test(text))) faults.push(text); };
  const origin = new URL(task.url).origin;
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => console.error(`CSP violation: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  context.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') fault(`console ${m.type()}: ${m.text()} (${m.location().url})`); });
  context.on('weberror', (e) => fault(`script error: ${e.error()}`));
  context.on('dialog', (d) => { fault(`dialog: ${d.message()}`); d.dismiss(); });
  context.on('request', (r) => {
    const to = new URL(r.url());
    if (to.origin !== origin && !['data:', 'blob:', 'about:'].includes(to.protocol)) fault(`request to another origin: ${r.url()}`);
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  return { context, page, faults, clean: () => must(faults.length === 0, faults.splice(0).join('\n')) };
}

// login logs in by the page, and gives the state for other contexts.
export async function login(page, token) {
  await page.goto('/ui/login');
  await page.getByLabel(/token/i).fill(token);
  await page.getByRole('button', { name: /log in/i }).click();
  await page.waitForURL((u) => u.pathname === '/ui/');
  return page.context().storageState();
}

// go opens a path and gives the answer's status; it waits until the network is quiet but
// for what is meant to stay open.
export async function go(page, path) {
  const answer = await page.goto(path, { waitUntil: 'load' });
  return answer.status();
}

// shoot keeps a picture of the whole page.
export async function shoot(page, task, name) {
  await page.screenshot({ path: join(task.shots, name + '.png'), fullPage: true, animations: 'disabled' });
}

// everything that axe has rules for, and what of it depends on colours.
export const rules = {
  all: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
  colours: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] },
};

// violations are what axe finds that is serious or critical. It is evaluated in the
// page's own context, past the content security policy, which no page of ours could do.
export async function violations(page, runOnly = rules.all) {
  await page.evaluate(axeSource);
  const found = await page.evaluate((runOnly) => window.axe.run(document, { runOnly, resultTypes: ['violations'] }), runOnly);
  return found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id} (${v.impact}): ${v.help}\n` + v.nodes.slice(0, 4).map((n) => `    ${n.target.join(' ')}  ${n.failureSummary.replace(/\s+/g, ' ').slice(0, 240)}`).join('\n'));
}

// overflows says which elements make the page wider than its window.
export async function overflows(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width + 1) return [];
    return [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > width + 1).slice(0, 5).map((e) => `${e.tagName.toLowerCase()}.${e.className} to ${Math.round(e.getBoundingClientRect().right)} of ${width}`);
  });
}

// ask sends a request to the gateway, as an application would.
export async function ask(task, key, body, headers = {}) {
  const res = await fetch(task.url + '/v1/chat/completions', {
    method: 'POST', headers: { authorization: 'Bearer ' + key, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'gpt-4o-mini', max_tokens: 40, messages: [{ role: 'user', content: 'hello' }], ...body }),
  });
  return { status: res.status, id: res.headers.get('x-purser-request-id'), body: await res.text(), headers: res.headers };
}

// soon tries until run does not throw, without end but its limit in milliseconds.
export async function soon(limit, what, run) {
  const began = performance.now();
  for (;;) {
    try {
      return await run();
    } catch (e) {
      if (performance.now() - began > limit) throw new Error(`waited ${limit} ms for this: ${what}; last: ${e.message}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}
