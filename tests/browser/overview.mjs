// Overview over what no simulator makes: its first seconds, and hundreds of pairs. console.test.mjs has the stack and the browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProcessor } from './processor.mjs';
import { waitFor } from './stack.mjs';

const text = (page, selector) => page.locator(selector).first().textContent();

export function overviewTests(of) {
    test('before the first window is full the overview counts down, with names and dashes', async (t) => {
        const processor = await startProcessor();
        t.after(processor.stop); // left open it would keep node alive
        const own = await of.console({ streamProcessor: processor.url });
        const page = await of.open(own.url);
        await page.waitForSelector('h1.verdict:has-text("First rates 10 s after the first request")');
        processor.pairs = ['ledger', 'orders'].flatMap((service) => ['north', 'south'].map((region) => ({ service, region })));
        const left = async () => Number(/First rates in (\d+)\ss/.exec(await text(page, 'h1.verdict'))?.[1] ?? -1);
        await page.waitForSelector('a.tile');
        const first = await left();
        assert.ok(first >= 7 && first <= 10, `${first}`);
        assert.match(await text(page, '.num-words'), /2 services in 2 regions so far/);
        assert.deepEqual(await page.locator('a.tile .figure-value .num').allTextContents(), new Array(12).fill('–'));
        assert.deepEqual((await page.locator('.row-name b').allTextContents()).sort(), ['ledger', 'orders']);
        await waitFor('it counts', async () => (await left()) < first, 5000);
        await page.waitForSelector('h1.verdict:has-text("All 4 are healthy")', { timeout: 20000 });
        assert.match(await text(page, '.num-words'), /^80 requests a second/, 'the rate is of the window that is full, not of the minute');
        await of.finish(page);
        await own.kill();
    });

    test('of four hundred pairs the worst come first, the rest is named and found', async (t) => {
        const processor = await startProcessor();
        t.after(processor.stop); // left open it would keep node alive
        const regions = ['north', 'east', 'south', 'west'];
        processor.pairs = Array.from({ length: 400 }, (_, i) => ({ service: `service-${String(Math.floor(i / 4)).padStart(3, '0')}`, region: regions[i % 4] }));
        processor.pairs.slice(370).forEach((p, i) => Object.assign(p, { fires: true, errors: 0.1 + i / 60 }));
        const own = await of.console({ streamProcessor: processor.url });
        const page = await of.open(own.url);
        await page.waitForSelector('h1.verdict:has-text("30 alerts in 8 services")');
        await page.waitForFunction(() => document.querySelectorAll('a.tile.is-firing').length === 30);
        assert.equal(await page.locator('a.tile').count(), 120);
        assert.ok(await page.evaluate(() => [...document.querySelectorAll('a.tile')].slice(0, 30).every((t) => t.classList.contains('is-firing'))), 'one in trouble stands behind one that isn’t');
        assert.match(await text(page, 'a.tile'), /^service-099, west: Firing/);
        assert.match(await text(page, '.tiles-note'), /120 of 400 shown: all 30 in trouble or near a limit/);
        assert.equal(await page.locator('a.incident-row').count(), 6);
        await page.click('button:has-text("Show 2 more services in trouble")');
        assert.equal(await page.locator('a.incident-row').count(), 8);
        await page.keyboard.press('/');
        await page.keyboard.type('service-042 we');
        await page.waitForFunction(() => document.querySelectorAll('a.tile').length === 1);
        assert.match(page.url(), /q=service-042/);
        assert.match(await text(page, '.tiles-note'), /1 of 400 shown/);
        await page.goto(`${own.url}/?var-service=billing`);
        await page.waitForSelector('.tiles-note:has-text("Nothing matches service = billing")');
        assert.match(await text(page, '.tiles-note'), /Services: service-000, .*and 76 more.*Regions: east, north, south, west/);
        await of.axeFindsNothing(page, 'a filter that nothing matches');
        await page.click('button:has-text("Show all services")');
        await page.waitForFunction(() => document.querySelectorAll('a.tile').length === 120);
        await of.finish(page);
        await own.kill();
    });
}
