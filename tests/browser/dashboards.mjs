// The Dashboards view as people use it; console.test.mjs has the stack and the browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep, waitFor } from './stack.mjs';

const panel = (page, title) => page.locator('.dash-panel').filter({ has: page.locator(`h2:text-is("${title}")`) });
const drawn = (page, title) => panel(page, title).locator('.u-over').waitFor({ timeout: 60000 });
const asWritten = (request) => decodeURIComponent((request.url() + (request.postData() ?? '')).replaceAll('+', ' '));
/** Keeps what is asked of Prometheus, whole addresses and bodies. */
function listen(page) {
    const asked = [];
    page.on('request', (r) => r.url().includes('/query') && asked.push(asWritten(r)));
    return asked;
}
const ends = (q) => /start=(\d+)&end=(\d+)/.exec(q)?.slice(1).map(Number);
/** The point of a plot at a share of its width and height. */
async function point(page, title, x, y = 0.5) {
    const over = panel(page, title).locator('.u-over');
    await over.scrollIntoViewIfNeeded();
    const box = await over.boundingBox();
    return [box.x + box.width * x, box.y + box.height * y];
}
/** Puts the pointer on the newest column that has figures: the last ones may still be without. */
async function hoverNewest(page, title, y = 0.5) {
    const names = panel(page, title).locator('.tip-name');
    return waitFor(`${title} has figures to hover`, async () => {
        for (const x of [0.98, 0.96, 0.94, 0.92, 0.9, 0.87, 0.84]) {
            await page.mouse.move(...await point(page, title, x - 0.3, y));
            await page.mouse.move(...await point(page, title, x, y));
            const found = await names.allTextContents();
            if (found.length > 0) {
                return found;
            }
        }
        return null;
    }, 20000);
}
const crosshairs = (page) => page.evaluate(() => [...document.querySelectorAll('.dash-panel .u-cursor-x')].filter((e) => e.checkVisibility() && new DOMMatrix(getComputedStyle(e).transform).e >= 0).length);

export function dashboardTests({ open, finish, axeFindsNothing }) {
    test('the dashboards draw every panel, and nothing says that there is no data', async () => {
        for (const uid of ['golden-signals', 'kafka-consumer-lag', 'slo-dashboard']) {
            const page = await open(`/d/${uid}`, { viewport: { width: 1440, height: 4200 } });
            const state = () => page.evaluate(() => ({
                waiting: [...document.querySelectorAll('.dash-panel')].filter((p) => p.querySelector('.dash-loading') || p.querySelector('.dash-body').childElementCount === 0 || /First rates/.test(p.textContent)).map((p) => p.querySelector('h2').textContent),
                problems: [...document.querySelectorAll('.dash-panel .problem')].map((p) => p.closest('.dash-panel').querySelector('h2').textContent),
                empty: [...document.querySelectorAll('.dash-empty')].map((p) => `${p.closest('.dash-panel').querySelector('h2').textContent}: ${p.querySelector('b').textContent}`).filter((x) => /No data|N\/A|Nothing for|None in/.test(x)),
                panels: document.querySelectorAll('.dash-panel').length,
            }));
            await waitFor(`${uid} is drawn`, async () => {
                const s = await state();
                return s.panels > 5 && s.waiting.length === 0 && s.problems.length === 0;
            }, 100000).catch(async (e) => assert.fail(`${e.message} ${JSON.stringify(await state())}`));
            const s = await state();
            assert.deepEqual(s.problems, []);
            // The first minutes of a platform have no dead letter, no restart, no month: those panels say so in words of their own.
            assert.ok(s.empty.length <= 3, JSON.stringify(s.empty));
            assert.equal(await page.getByText('No data').count(), 0);
            // Plots that stand below each other begin at the same edge.
            const edges = await page.evaluate(() => [...document.querySelectorAll('.dash-panel .u-over')].map((o) => Math.round(o.getBoundingClientRect().left - o.closest('.dash-panel').getBoundingClientRect().left)));
            assert.equal(new Set(edges).size, edges.length > 0 ? 1 : 0, `${uid}: ${edges}`);
            await finish(page);
        }
    });

    test('the dashboard of a cluster opens without one, and each panel says what it waits for', async () => {
        const page = await open('/d/kubernetes-platform', { viewport: { width: 1440, height: 4200 } });
        await waitFor('every panel is drawn', () => page.evaluate(() => {
            const panels = [...document.querySelectorAll('.dash-panel')];
            return panels.length > 5 && panels.every((p) => !p.querySelector('.dash-loading') && p.querySelector('.dash-body').childElementCount > 0);
        }), 60000);
        assert.equal(await page.locator('.dash-panel .problem').count(), 0);
        assert.equal(await page.getByText('No data').count(), 0);
        await finish(page);
    });

    test('variables and time range change the queries and the address, on each dashboard', async () => {
        for (const [uid, variable, value, matcher] of [
            ['golden-signals', 'service', 'api-service', 'service_name=~"api-service"'],
            ['kafka-consumer-lag', 'group', 'metrics-bridge', 'consumergroup=~"metrics-bridge"'],
            ['slo-dashboard', 'service', 'auth-service', 'service=~"auth-service"'],
        ]) {
            const page = await open(`/d/${uid}`);
            const asked = listen(page);
            await page.getByRole('button', { name: `${variable} All` }).click();
            await page.getByRole('option', { name: value }).click();
            await waitFor(`${uid}: a query has the ${variable}`, () => asked.some((q) => q.includes(matcher)), 10000);
            assert.equal(new URL(page.url()).searchParams.get(`var-${variable}`), value);
            await page.getByRole('button', { name: `${variable} ${value}` }).waitFor();
            asked.length = 0;
            await page.keyboard.press('Escape');
            await page.keyboard.press('t');
            await page.getByRole('option', { name: 'Last 5 minutes' }).click();
            await waitFor(`${uid}: a query has the range`, () => asked.some((q) => ends(q) && Math.abs(ends(q)[1] - ends(q)[0] - 300) <= 15), 10000);
            assert.match(page.url(), /from=now-5m&to=now/);
            asked.length = 0;
            await page.keyboard.press('[');
            await waitFor(`${uid}: a query is of earlier`, () => asked.some((q) => ends(q) && ends(q)[1] < Date.now() / 1000 - 60), 10000);
            assert.match(page.url(), /from=\d+&to=\d+/);
            await page.keyboard.press(']');
            await page.waitForFunction(() => location.search.includes('from=now-5m&to=now'), null, { timeout: 5000 }); // as late as now it follows the time again
            assert.ok(asked.every((q) => !q.includes('$')), `${uid}: a variable was left in a query`);
            await finish(page);
        }
    });

    test('a stretch of time is written by hand, and what isn’t one is said', async () => {
        const page = await open('/d/golden-signals');
        await page.locator('.dash-panel').first().waitFor();
        await page.keyboard.press('t');
        await page.getByLabel('From', { exact: true }).fill('half past three');
        await page.getByLabel('From', { exact: true }).press('Enter');
        await page.getByText('“half past three” isn’t a time').waitFor();
        await page.getByLabel('From', { exact: true }).fill('2026-01-02 03:04');
        await page.getByLabel('To', { exact: true }).fill('2026-01-02 03:34:30');
        await axeFindsNothing(page, 'the time range', [['dark', { width: 1440, height: 900 }]]);
        await page.getByLabel('To', { exact: true }).press('Enter');
        await page.waitForFunction(() => location.search.includes(`from=${Date.UTC(2026, 0, 2, 3, 4)}&to=${Date.UTC(2026, 0, 2, 3, 34, 30)}`));
        // The list goes by keys alone: letters find, arrows move, several can be chosen.
        await page.keyboard.press('/');
        await page.keyboard.press('End');
        assert.ok(await page.getByRole('listbox', { name: 'service' }).isVisible());
        await page.keyboard.press('Escape');
        assert.equal(await page.getByRole('listbox', { name: 'service' }).isVisible(), false);
        assert.match(await page.evaluate(() => document.activeElement.textContent), /service/);
        await finish(page);
    });

    test('a legend names six and greys the rest; a click shows one alone, Control takes one away', async () => {
        const page = await open('/d/golden-signals?viewPanel=8&from=now-5m&to=now');
        const title = 'Error ratio by service and region';
        await drawn(page, title);
        const entries = panel(page, title).locator('.legend button');
        await entries.filter({ hasText: 'others, 6' }).waitFor({ timeout: 30000 });
        assert.equal(await entries.count(), 7);
        const tones = await entries.evaluateAll((list) => list.map((b) => b.querySelector('.swatch').style.getPropertyValue('--tone')));
        assert.equal(new Set(tones).size, 7, `two are alike: ${tones}`);
        const cut = await entries.evaluateAll((list) => list.map((b) => b.querySelector('.legend-name')).filter((n) => n.scrollWidth > n.clientWidth + 1).map((n) => n.textContent));
        assert.deepEqual(cut, [], 'names are cut');
        assert.match(await entries.first().locator('b').textContent(), /%$/);
        const shown = () => hoverNewest(page, title);
        const one = await entries.first().locator('.legend-name').textContent();
        await entries.first().click();
        assert.deepEqual(await shown(), [one]);
        assert.equal(await panel(page, title).locator('.legend button[aria-pressed="true"]').count(), 1);
        await entries.first().click();
        assert.equal((await shown()).length, 10, 'at most ten of twelve');
        await entries.first().click({ modifiers: ['Control'] });
        assert.ok(!(await shown()).includes(one));
        await entries.last().click(); // the grey ones alone
        assert.equal((await shown()).length, 6);
        // All twelve stand in the table.
        assert.equal(await page.locator('.alone-table tbody tr').count(), 12);
        await finish(page);
    });

    test('a panel opens alone with its table, and back', async () => {
        const page = await open('/d/golden-signals');
        const title = 'Latency distribution';
        await drawn(page, title);
        await panel(page, title).hover();
        await panel(page, title).getByRole('button', { name: 'Open alone' }).click();
        await page.waitForFunction(() => location.search.includes('viewPanel=6') && document.querySelectorAll('.dash-panel').length === 1);
        await page.waitForSelector('.alone-table td:has-text("25 ms to 50 ms")');
        await axeFindsNothing(page, 'a heatmap alone', [['light', { width: 390, height: 844 }]]);
        await page.reload();
        await page.waitForSelector('.alone-table td:has-text("25 ms to 50 ms")');
        await page.getByRole('button', { name: 'Back to all' }).click();
        await page.waitForFunction(() => !location.search.includes('viewPanel') && document.querySelectorAll('.dash-panel').length > 10);
        await finish(page);
    });

    test('arrows move the crosshair of all plots and speak its figures; Escape and leaving take it away', async () => {
        const page = await open('/d/golden-signals');
        await drawn(page, 'Latency quantiles');
        await drawn(page, 'Latency distribution');
        await page.waitForFunction(() => document.querySelectorAll('.legend button').length >= 3);
        assert.equal(await crosshairs(page), 0);
        const plot = panel(page, 'Latency quantiles').locator('.plot');
        await plot.focus();
        await page.keyboard.press('ArrowLeft');
        const said = () => plot.locator('[aria-live]').textContent();
        await waitFor('a figure is spoken', async () => /^\d\d:\d\d:\d\d: P99 \d+/.test(await said()), 3000);
        const first = await said();
        assert.ok(await crosshairs(page) >= 2, 'the others follow');
        await page.keyboard.press('Shift+ArrowLeft');
        assert.notEqual(await said(), first);
        assert.ok(await panel(page, 'Latency quantiles').locator('.tip').isVisible());
        await page.keyboard.press('Escape');
        assert.equal(await crosshairs(page), 0);
        assert.match(page.url(), /golden-signals/, 'Escape went no further');
        await hoverNewest(page, 'Latency distribution');
        await waitFor('the crosshair is on both', async () => await crosshairs(page) >= 2, 3000);
        assert.match(await panel(page, 'Latency distribution').locator('.tip').textContent(), /ms to \d+ m?s/);
        await page.mouse.move(2, 300);
        await waitFor('the crosshair is gone', async () => await crosshairs(page) === 0, 3000);
        await finish(page);
    });

    test('a drag zooms, a double click goes back, an exemplar opens its trace’s lines', async () => {
        const page = await open('/d/golden-signals?from=now-5m&to=now');
        await drawn(page, 'Latency quantiles');
        const entries = await page.evaluate(() => history.length);
        const [x0, y] = await point(page, 'Latency quantiles', 0.55, 0.8);
        const [x1] = await point(page, 'Latency quantiles', 0.95, 0.8);
        await page.mouse.move(x0, y);
        await page.mouse.down();
        await page.mouse.move(x1, y, { steps: 5 });
        await page.mouse.up();
        await page.waitForFunction(() => /from=\d+&to=\d+/.test(location.search));
        const { searchParams } = new URL(page.url());
        const span = Number(searchParams.get('to')) - Number(searchParams.get('from'));
        assert.ok(Math.abs(span - 120000) < 6000, `${span} ms of 300 s`);
        assert.equal(await page.evaluate(() => history.length), entries + 1, 'one step of history');
        await page.mouse.dblclick(x0, y);
        await page.waitForFunction(() => location.search.includes('from=now-5m&to=now'));
        const diamond = panel(page, 'Latency quantiles').locator('.exemplar:visible').first();
        await diamond.waitFor({ timeout: 30000 });
        const box = await diamond.boundingBox();
        assert.ok(box.width >= 24 && box.height >= 24, `${box.width} × ${box.height}`);
        await diamond.click();
        await page.waitForFunction(() => location.pathname === '/logs' && new URLSearchParams(location.search).get('trace')?.length === 32);
        await finish(page);
    });

    test('an incident on a plot is named, opens its alert, and stands where its labels do', async () => {
        const page = await open('/lab');
        const labels = { alertname: 'HighErrorRate', severity: 'critical', service_name: 'auth-service', cloud_region: 'us-east-1' };
        await page.route(/query_range/, (route) => {
            const q = asWritten(route.request());
            if (!q.includes('ALERTS') || !q.includes('critical')) {
                return route.continue();
            }
            const [from, to] = ends(q);
            const values = Array.from({ length: 200 }, (_, i) => from + 15 * i).filter((t) => t <= to && t > from + (to - from) / 2).map((t) => [t, '1']);
            return route.fulfill({ json: { status: 'success', data: { resultType: 'matrix', result: [{ metric: { __name__: 'ALERTS', alertstate: 'firing', ...labels }, values }] } } });
        });
        await page.goto(`${new URL(page.url()).origin}/d/golden-signals?from=now-15m&to=now`);
        await drawn(page, 'Latency quantiles');
        await sleep(500);
        const tip = panel(page, 'Latency quantiles').locator('.tip');
        const seen = async (x) => {
            await page.mouse.move(...await point(page, 'Latency quantiles', x - 0.01, 0.9));
            await page.mouse.move(...await point(page, 'Latency quantiles', x, 0.9));
            return tip.textContent();
        };
        await waitFor('it is named', async () => /HighErrorRate.*auth-service.*firing/.test(await seen(0.97)), 10000);
        // A double click is no click.
        await page.mouse.dblclick(...await point(page, 'Latency quantiles', 0.97, 0.9));
        await sleep(400);
        assert.match(page.url(), /\/d\/golden-signals/);
        await drawn(page, 'Latency quantiles');
        await waitFor('it is named again', async () => /HighErrorRate/.test(await seen(0.97)), 10000);
        await page.mouse.click(...await point(page, 'Latency quantiles', 0.97, 0.9));
        await page.waitForFunction(() => location.pathname === '/alerts/prometheus/HighErrorRate');
        assert.match(new URL(page.url()).searchParams.get('of'), /service_name=auth-service/);
        // Lag of Kafka is no service's.
        await page.goto(`${new URL(page.url()).origin}/d/kafka-consumer-lag?from=now-15m&to=now`);
        await drawn(page, 'Lag by group and topic');
        await sleep(500);
        await page.mouse.move(...await point(page, 'Lag by group and topic', 0.96));
        await page.mouse.move(...await point(page, 'Lag by group and topic', 0.97));
        assert.doesNotMatch(await panel(page, 'Lag by group and topic').locator('.tip').textContent(), /firing/);
        await finish(page);
    });

    test('a panel says when it waits, when its query fails and where samples are missing; the others go on', async () => {
        const page = await open('/lab');
        let mode = 'wait';
        let release;
        const released = new Promise((done) => (release = done));
        await page.route(/query_range/, async (route) => {
            const q = asWritten(route.request());
            if (!q.includes('sum by (service_name) (')) {
                return route.continue();
            }
            if (mode === 'wait') {
                await released;
                return route.fulfill({ status: 400, json: { status: 'error', errorType: 'bad_data', error: 'parse error at char 41: unexpected end of input' } });
            }
            const [from, to] = ends(q);
            const times = Array.from({ length: 400 }, (_, i) => from + 15 * i).filter((t) => t <= to);
            const third = (to - from) / 3;
            return route.fulfill({ json: { status: 'success', data: { resultType: 'matrix', result: [{ metric: { service_name: 'api-service' }, values: times.filter((t) => t < from + third || t > to - third).map((t) => [t, '100']) }] } } });
        });
        await page.goto(`${new URL(page.url()).origin}/d/golden-signals?from=now-15m&to=now&refresh=`, { waitUntil: 'commit' });
        const title = 'Traffic by service';
        await panel(page, title).scrollIntoViewIfNeeded();
        await panel(page, title).getByText('Loading 15 minutes').waitFor();
        await drawn(page, 'Traffic by region');
        release();
        await panel(page, title).getByText('Prometheus refused this query').waitFor();
        await panel(page, title).getByText('parse error at char 41: unexpected end of input').waitFor();
        assert.equal(await panel(page, title).locator('.dash-state').textContent(), 'failed');
        await axeFindsNothing(page, 'a failed panel', [['dark', { width: 1440, height: 900 }], ['light', { width: 1440, height: 900 }]]);
        mode = 'gap';
        await panel(page, title).getByRole('button', { name: 'Try again' }).click();
        await drawn(page, title);
        await sleep(500);
        assert.equal(await panel(page, title).locator('.dash-state').textContent(), '');
        // In the gap there is hatching, no line: several shades where elsewhere a column has the line's.
        const [inGap, onLine] = await panel(page, title).locator('canvas').evaluate((canvas) => {
            const over = canvas.parentElement.querySelector('.u-over');
            const scale = canvas.width / canvas.clientWidth;
            const image = canvas.getContext('2d').getImageData(0, Math.round(over.offsetTop * scale), canvas.width, Math.round(over.clientHeight * scale));
            return [0.4, 0.15].map((share) => {
                const x = Math.round((over.offsetLeft + over.clientWidth * share) * scale);
                const at = (y) => image.data.slice((y * image.width + x) * 4, (y * image.width + x) * 4 + 3).join();
                return Array.from({ length: image.height }, (_, y) => at(y)).filter((c) => c !== at(0)).length;
            });
        });
        assert.ok(inGap > 2 * onLine, `${inGap} pixels drawn in the gap, ${onLine} elsewhere`);
        // The browser itself notes the answer of 400.
        assert.deepEqual(page.complaints.filter((c) => !/Failed to load resource/.test(c)), []);
        await page.context().close();
    });
}
