import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { gzipSync } from 'node:zlib';
import { launch, open, signIn, violations } from './browser.js';
import { ConsoleService, OPERATOR } from './service.js';

let browser: Browser;
let console: ConsoleService;

beforeAll(async () => {
  [browser, console] = await Promise.all([launch(), ConsoleService.start()]);
});

afterAll(async () => {
  await browser.close();
  await console.stop();
});

describe('signing in', () => {
  test('an access key opens the console, and its secret leaves the page in no request', async () => {
    const { page, complaints } = await open(browser);
    const sent: string[] = [];
    page.on('request', (request) =>
      sent.push(`${request.url()} ${JSON.stringify(request.headers())} ${request.postData() ?? ''}`),
    );
    await signIn(page, console.origin, OPERATOR);
    await page.getByText('operator', { exact: true }).waitFor();
    expect(sent.join('\n')).not.toContain(OPERATOR.secret);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('a wrong secret is told in words, and lets nobody in', async () => {
    const { page } = await open(browser);
    await page.goto(console.origin);
    await page.getByLabel('Access key ID').fill(OPERATOR.id);
    await page.getByLabel('Secret access key').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('the secret is not its own').waitFor();
    await page.context().close();
  });

  test('a local link signs in once, and its token is in no address and no line of the log', async () => {
    const { page, requested, complaints } = await open(browser);
    const link = console.service.consoleLink() ?? '';
    const token = link.split('/').at(-1) ?? '';
    await page.goto(link);
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    expect(page.url()).not.toContain(token);
    expect(requested.join('\n')).not.toContain(token);
    expect(console.log.join('')).not.toContain(token);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    await page.goto('about:blank');
    await page.goto(link);
    await page.getByText('This link was used').waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('when its key is removed, the page says that the session has ended, and opens no view', async () => {
    const own = await ConsoleService.start();
    const { page } = await open(browser);
    await signIn(page, own.origin, OPERATOR);
    own.removeKey(OPERATOR.id);
    await own.service.reload();
    await page.goto(`${own.origin}/#/device/lock-17`);
    await page.getByText('Your session has ended').waitFor();
    await page.context().close();
    await own.stop();
  });

  test.each([
    [1280, 'light'],
    [1280, 'dark'],
    [360, 'light'],
    [360, 'dark'],
  ] as const)('the form has no violation of WCAG AA at %i px, %s', async (width, colorScheme) => {
    const { page, complaints } = await open(browser, { viewport: { width, height: 800 }, colorScheme });
    await page.goto(console.origin);
    await page.getByLabel('Access key ID').waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('the first view takes 150 KB at the most, from nowhere but the service', async () => {
    const { page, requested } = await open(browser);
    const bodies: Promise<Buffer>[] = [];
    page.on('response', (response) => bodies.push(response.body()));
    await page.goto(console.origin);
    await page.getByLabel('Access key ID').waitFor();
    const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).byteLength);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
    expect(requested.filter((url) => !url.startsWith(`${console.origin}/`))).toEqual([]);
    await page.context().close();
  });
});
