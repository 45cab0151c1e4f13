// node screenshots.mjs OUT: the pictures of README and docs, taken from a running platform (make screenshots; 5 minutes).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openBrowser, openPage, sleep, startStack, waitFor } from './stack.mjs';

const out = process.argv[2];
if (!out) {
    throw new Error('usage: node screenshots.mjs OUT');
}
mkdirSync(out, { recursive: true });
const stack = await startStack();
const browser = await openBrowser();

async function picture(name, path, options, ready) {
    const page = await openPage(browser, stack.url + path, options);
    await page.evaluate(() => localStorage.setItem('console.steps-done', '1'));
    if (ready) {
        await ready(page);
    }
    await sleep(4000);
    await page.mouse.move(2, 300);
    await page.screenshot({ path: join(out, `${name}.png`) });
    await page.context().close();
}

try {
    const first = await openPage(browser, stack.url);
    await first.waitForSelector('.step');
    await sleep(100000); // bars of more than a minute, rates, the first budgets
    await first.screenshot({ path: join(out, 'first-minute.png') });
    await first.context().close();
    const fault = { type: 'error_burst', service: 'payment-service', region: 'eu-west-1', magnitude: 0.35, duration: '170s' };
    await fetch(`${stack.url}/api/simulator/faults`, { method: 'POST', headers: { 'X-Console': '1', 'Content-Type': 'application/json' }, body: JSON.stringify(fault) });
    await waitFor('it fires', async () => (await (await fetch(`${stack.url}/api/firing`)).json()).alerts.length > 0, 30000);
    await sleep(45000);
    const phone = { viewport: { width: 390, height: 844 }, colorScheme: 'dark', deviceScaleFactor: 1 };
    await picture('overview', '/', { colorScheme: 'dark' });
    await picture('alert', '/alerts', { colorScheme: 'light' }, (p) => p.waitForSelector('.cell-firing'));
    await picture('dashboard', '/d/golden-signals?from=now-5m&to=now', { colorScheme: 'dark' }, (p) => p.waitForSelector('.dash-panel .u-over'));
    await picture('lab', '/lab', { colorScheme: 'light' });
    await picture('logs', '/logs?var-service=payment-service&var-region=eu-west-1', { colorScheme: 'dark' });
    await picture('slos', '/slos', { colorScheme: 'light' }, (p) => p.waitForSelector('.slo'));
    await picture('phone-overview', '/', phone);
    await picture('phone-alert', '/alerts', phone, async (p) => {
        await p.click('.alert-item');
        await p.waitForSelector('.why');
    });
} finally {
    await browser.close();
    await stack.stop();
}
