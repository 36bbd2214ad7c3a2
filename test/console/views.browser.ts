import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { launch, open, signIn, violations } from './browser.js';
import { ConsoleService, DASHBOARD, OPERATOR } from './service.js';

/** Those of the views in docs/. */
const PICTURED = ['now', 'events', 'message'];
/** Where `npm run docs:screenshots` wants pictures of the views; none are made without. */
const PICTURES = process.env['TIGHTBEAM_TEST_SCREENSHOTS'];

let browser: Browser;
let console: ConsoleService;
let cookie: string;

beforeAll(async () => {
  [browser, console] = await Promise.all([launch(), ConsoleService.start()]);
  cookie = await console.cookie();
  await console.device('lock-17');
  await console.device('lock-18', { silent: true });
  // It may connect under no other name than its own, so this is the one that may receive no commands.
  await console.device('lock-99');
});

afterAll(async () => {
  await browser.close();
  await console.stop();
});

async function send(clientId: string, timeout = 5): Promise<{ readonly reason?: string; readonly traceId: string }> {
  const path = `/connections/${encodeURIComponent(clientId)}/messages?topic=cmd/open&confirmation=true&timeout=${timeout}`;
  const response = await console.ask(path, { method: 'POST', body: 'now', cookie });
  return (await response.json()) as { traceId: string };
}

async function opened(view: string, options: Parameters<typeof open>[1] = {}) {
  const page = await open(browser, options);
  await signIn(page.page, console.origin, OPERATOR);
  await page.page.goto(`${console.origin}/#/${view}`);
  return page;
}

const rowOf = (page: Page, text: string) => page.getByRole('row').filter({ hasText: text });

describe('the events', () => {
  test('a confirmed, a refused and a timed-out message arrive live, and each one’s page says what became of it', async () => {
    const { page, complaints } = await opened('events?event-type=SendDirectMessage');
    await page.getByText('Live', { exact: true }).waitFor();
    const told: { outcome: string; clientId: string; statement: string }[] = [
      { outcome: 'DELIVERED', clientId: 'lock-17', statement: 'operator/TryLocks' },
      { outcome: 'RECEIVER_NOT_AUTHORIZED', clientId: 'lock-99', statement: 'device-without-commands/NoCommands' },
      { outcome: 'PUBACK_TIMEOUT', clientId: 'lock-18', statement: 'operator/TryLocks' },
    ];
    for (const { outcome, clientId, statement } of told) {
      const { traceId } = await send(clientId, 1);
      const row = rowOf(page, traceId.slice(0, 8)).filter({ hasText: outcome });
      await row.waitFor();
      await row.getByRole('link', { name: traceId.slice(0, 8) }).click();
      await page.getByText('Is it safe to send it again?').waitFor();
      await page.locator('mark', { hasText: statement }).first().waitFor();
      await page.goBack();
      await page.getByText('Live', { exact: true }).waitFor();
    }
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('paused, the list stays as it is, and goes on where it is', async () => {
    const { page } = await opened('events?client-id=lock-17&event-type=SendDirectMessage');
    await page.getByRole('button', { name: 'Pause' }).click();
    const { traceId } = await send('lock-17');
    const { page: other } = await opened('events?client-id=lock-17');
    await rowOf(other, traceId.slice(0, 8)).first().waitFor();
    expect(await rowOf(page, traceId.slice(0, 8)).count()).toBe(0);
    await page.getByRole('button', { name: 'Go on' }).click();
    await rowOf(page, traceId.slice(0, 8)).waitFor();
    await page.context().close();
    await other.context().close();
  });

  test('filters stand in the address, so that a link shows the same', async () => {
    const { page } = await opened('events');
    await page.getByLabel('Only what failed').check();
    await page.getByLabel('Client ID').fill('lock-9*');
    await page.getByLabel('Client ID').press('Enter');
    expect(page.url()).toContain('failures=true');
    await page.reload();
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await page.getByLabel('Client ID').inputValue()).toBe('lock-9*');
    await page.context().close();
  });

  test('what is being typed into a filter stays while events arrive', async () => {
    const { page } = await opened('events?event-type=SendDirectMessage');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByLabel('Client ID').fill('lock-1');
    const { traceId } = await send('lock-17');
    await rowOf(page, traceId.slice(0, 8)).waitFor();
    expect(await page.getByLabel('Client ID').inputValue()).toBe('lock-1');
    await page.context().close();
  });

  test('who may not see them is told so, and sees none', async () => {
    const { page } = await open(browser);
    await signIn(page, console.origin, DASHBOARD);
    await page.goto(`${console.origin}/#/events`);
    await page.getByRole('alert').getByText('The events cannot be shown.').waitFor();
    expect(await page.getByRole('row').count()).toBeLessThanOrEqual(1);
    await page.context().close();
  });
});

describe('a device', () => {
  test('is shown, is sent to with leave, and not without', async () => {
    const { page, complaints } = await opened('device/lock-17');
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.getByLabel('Payload').fill('{"open":true}');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByText('DELIVERED').waitFor();
    await page.goto(`${console.origin}/#/device/door-1`);
    await page.getByText('Not connected', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByText('SENDER_NOT_AUTHORIZED').waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test.each(['curl', 'CLI', 'JavaScript', 'Python'])('the form is copied as %s', async (language) => {
    const { page } = await opened('device/lock-17');
    await page.getByRole('button', { name: language, exact: true }).click();
    await page.locator('pre').filter({ hasText: 'lock-17' }).first().waitFor();
    await page.context().close();
  });
});

describe('policies', () => {
  test('a decision is explained, with the statement that made it', async () => {
    const { page, complaints } = await opened('policies');
    await page.getByLabel('Username').fill('lock-99');
    await page.getByLabel('Client ID').fill('lock-99');
    await page.getByLabel('Action').selectOption('iot:Receive');
    await page.getByLabel('On', { exact: true }).fill('topic/cmd/open');
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.getByText('Denied', { exact: true }).waitFor();
    await page.locator('mark', { hasText: 'device-without-commands/NoCommands' }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('who can, and what can', async () => {
    const { page } = await opened('policies?ask=who-can');
    await page.getByLabel('On', { exact: true }).fill('client/lock-17');
    await page.getByRole('button', { name: 'Ask' }).click();
    await rowOf(page, 'operator').first().waitFor();
    await page.getByRole('tab', { name: 'What can?' }).click();
    await page.getByLabel('Principal').fill('dashboard');
    await page.getByRole('button', { name: 'Ask' }).click();
    await rowOf(page, 'iot:GetConnection').first().waitFor();
    await page.context().close();
  });
});

describe('names that somebody hostile chose', () => {
  const HOSTILE = '<img src=x onerror=alert(1)>"\'{{7*7}}\u202e';

  test.each(['events', 'device', 'message', 'policies'])('are text in the view %s', async (view) => {
    await send(`lock-${HOSTILE}`);
    const client = encodeURIComponent(`lock-${HOSTILE}`);
    const { traceId } = await send(`lock-${HOSTILE}`);
    const paths: Record<string, string> = {
      events: `events?client-id=${client}`,
      device: `device/${client}`,
      message: `message/${traceId}`,
      policies: `policies?ask=explain&clientId=${client}&username=${client}&resource=${client}`,
    };
    const { page, complaints } = await opened(paths[view] ?? '');
    let dialogs = 0;
    page.on('dialog', (dialog) => {
      dialogs += 1;
      void dialog.dismiss();
    });
    if (view === 'policies') await page.locator('input[name=clientId]').waitFor();
    else await page.getByText('onerror=alert(1)').first().waitFor();
    expect(await page.locator('img[src="x"]').count()).toBe(0);
    expect(await page.locator('body').innerText()).not.toContain('\u202e');
    expect([dialogs, complaints]).toEqual([0, []]);
    await page.context().close();
  });
});

describe('every view', () => {
  const VIEWS = ['now', 'events', 'message', 'device/lock-17', 'policies?ask=explain'];

  test.each([
    [1280, 'light'],
    [1280, 'dark'],
    [360, 'light'],
    [360, 'dark'],
  ] as const)('has no violation of WCAG AA and fits at %i px, %s', async (width, colorScheme) => {
    for (let count = 0; count < 8; count += 1) await send('lock-17');
    const { traceId } = await send('lock-99');
    const { page, complaints } = await opened('now', { viewport: { width, height: 900 }, colorScheme });
    for (const view of VIEWS) {
      await page.goto(`${console.origin}/#/${view === 'message' ? `message/${traceId}` : view}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      if (view === 'events') await page.getByText('Live', { exact: true }).waitFor();
      if (view === 'message') await page.locator('mark').first().waitFor();
      if (view === 'now') await page.getByText('p99').first().waitFor();
      expect([view, await violations(page)]).toEqual([view, []]);
      expect([view, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([view, width]);
      if (PICTURES !== undefined && width === 1280 && PICTURED.includes(view)) {
        mkdirSync(PICTURES, { recursive: true });
        await page.screenshot({ path: join(PICTURES, `console-${view}-${colorScheme}.png`) });
      }
    }
    // What a view says while there is nothing to show.
    for (const view of ['events?client-id=nobody', 'device', 'message/0']) {
      await page.goto(`${console.origin}/#/${view}`);
      await page.locator('.empty').waitFor();
      expect([view, await violations(page)]).toEqual([view, []]);
    }
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
