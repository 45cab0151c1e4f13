// Parts of the page that need no browser: bundled as the build does it, and called.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { source } from './stack.mjs';

const page = join(source, 'apps/console/page');
const { build } = await import(pathToFileURL(createRequire(join(page, 'package.json')).resolve('esbuild')).href);
async function load(module) {
    const { outputFiles } = await build({ entryPoints: [join(page, 'src', module)], bundle: true, write: false, format: 'esm', target: 'node18', logLevel: 'error' });
    return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);
}
const { Palette, largest, COLORS } = await load('dash/colors.ts');
const axes = await load('plot/axes.ts');
const { flatten, overlaps, bandsAt } = await load('plot/bands.ts');
const { freeRow, gapsOf, placeWords } = await load('plot/paint.ts');

test('a name has one colour on every panel, whichever is drawn first', () => {
    const services = ['api', 'auth', 'inventory', 'payment'];
    const [one, two] = [new Palette(), new Palette()];
    one.assign(['4xx', '5xx']);
    const a = one.assign(services);
    const b = two.assign([...services].reverse());
    two.assign(['4xx', '5xx']);
    assert.deepEqual([...a].sort(), [...b].sort(), 'by sorted name, not by the order of the answers');
    assert.deepEqual(one.assign(['payment']).get('payment'), a.get('payment'));
    assert.equal(new Set(a.values()).size, 4);
});

test('no two names of a panel share a colour, and none changes it while it stays', () => {
    const seed = Date.now() % 100000;
    let state = seed;
    const random = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
    const palette = new Palette();
    const panels = Array.from({ length: 5 }, () => new Map());
    for (let round = 0; round < 2000; round++) {
        const i = random(panels.length);
        const names = new Set(Array.from({ length: 1 + random(COLORS) }, () => `series ${random(20)}`));
        const given = palette.assign([...names], panels[i]);
        assert.equal(given.size, names.size, `seed ${seed}`);
        assert.equal(new Set(given.values()).size, names.size, `seed ${seed}: two are alike`);
        assert.ok([...given.values()].every((c) => c >= 0 && c < COLORS));
        for (const [name, color] of given) {
            assert.ok(!panels[i].has(name) || panels[i].get(name) === color, `seed ${seed}: ${name} changed its colour`);
        }
        panels[i] = given;
    }
    assert.throws(() => palette.assign(['a', 'b', 'c', 'd', 'e', 'f', 'g']), RangeError);
});

test('a name leaves its colour only where another has it already', () => {
    const palette = new Palette();
    const first = palette.assign(['a', 'b', 'c', 'd', 'e', 'f']);
    const second = palette.assign(['b', 'c', 'd', 'e', 'f', 'g']); // g takes what a left
    assert.equal(second.get('g'), first.get('a'));
    const both = palette.assign(['a', 'g']);
    assert.equal(both.get('a'), first.get('a'), 'the older keeps it');
    assert.notEqual(both.get('g'), both.get('a'));
    assert.equal(palette.assign(['g']).get('g'), second.get('g'), 'alone it has its own again');
});

test('past six the largest are named, and near equals don’t change places', () => {
    const list = (sizes) => sizes.map((size, i) => ({ name: 'abcdefgh'[i], size }));
    const first = largest(list([8, 7, 6, 5, 4, 3, 2, 1]));
    assert.deepEqual([...first].sort(), ['a', 'b', 'c', 'd', 'e', 'f']);
    assert.ok(largest(list([8, 7, 6, 5, 4, 3, 3.2, 1]), first).has('f'), 'g is not a tenth larger');
    assert.ok(largest(list([8, 7, 6, 5, 4, 3, 3.4, 1]), first).has('g'));
});

test('labels of time never stand twice, in any range and width', () => {
    const start = Date.UTC(2026, 10, 24, 21, 43, 17) / 1000;
    for (const span of [45, 90, 300, 900, 3600, 3 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400, 30 * 86400]) {
        for (const width of [180, 300, 600, 1300]) {
            const splits = axes.timeSplits(start, start + span, width);
            const labels = axes.timeLabels(splits);
            assert.equal(new Set(labels).size, labels.length, `${span} s on ${width} px: ${labels}`);
            assert.ok(splits.length >= 1 && splits.every((t) => t >= start && t <= start + span));
        }
    }
    assert.deepEqual(axes.timeLabels([0, 120, 240].map((t) => t + 3600 * 3)), ['03:00', '03:02', '03:04']);
    assert.deepEqual(axes.timeLabels([30, 60, 90].map((t) => t + 3600 * 3)), ['03:00:30', '03:01:00', '03:01:30']);
    assert.deepEqual(axes.timeLabels([82800, 86400, 90000]), ['23:00', '2 Jan', '01:00']);
    assert.ok(axes.timeSplits(0, 86400, 300, 19800).every((t) => (t + 19800) % 3600 === 0), 'full hours in a zone half an hour off');
});

test('an axis has three to five lines, told apart, and reaches its limits', () => {
    for (let max = 1e-4; max < 1e6; max *= 1.37) {
        for (const scale of ['decimal', 'time', 'bytes']) {
            const [low, high] = axes.valueRange(0, max, [], 0);
            const lines = axes.valueSplits(low, high, scale);
            assert.ok(lines.length >= 3 && lines.length <= 5, `${max} ${scale}: ${lines}`);
            assert.equal(lines[0], 0);
        }
    }
    assert.ok(axes.valueRange(0, 0.2, [0.5], 0)[1] > 0.5, 'a limit is reached');
    assert.ok(axes.valueRange(0, 0.04, [0.5], 0)[1] < 0.1, 'unless the figures are under a tenth of it');
    assert.ok(axes.valueRange(-0.2, 0.5, [], 0)[0] < -0.2, 'an overspent budget is seen');
    const [low, high] = axes.valueRange(0.995, 0.9999, [], 0, true);
    assert.ok(low > 0.99 && high < 1.01);
    const labels = axes.valueLabels(axes.valueSplits(low, high), (v, digits) => Number((v * 100).toPrecision(digits)) + ' %');
    assert.equal(new Set(labels).size, labels.length, String(labels));
});

test('incidents never lie on each other, and stand only where their labels do', () => {
    const flat = flatten([{ from: 0, to: 50, level: 'critical' }, { from: 30, to: 90, level: 'critical' }, { from: 20, to: 120, level: 'warning' }], 10, 100);
    assert.deepEqual(flat.map((b) => [b.level, b.from, b.to]), [['warning', 90, 100], ['critical', 10, 90]]);
    assert.deepEqual(bandsAt([{ from: 0, to: null, level: 'warning' }, { from: 5, to: 8, level: 'critical' }], 6).map((b) => b.level), ['critical', 'warning']);
    const band = { from: 0, to: null, level: 'critical', labels: { service_name: 'api', cloud_region: 'eu' } };
    assert.ok(overlaps(band, ['x'], [{ service_name: 'api' }]));
    assert.ok(!overlaps(band, ['x'], [{ service_name: 'auth', cloud_region: 'eu' }]));
    assert.ok(overlaps(band, ['sum(rate(a{service_name=~"$service"}[1m]))'], [{}]), 'a sum over the chosen services');
    assert.ok(!overlaps(band, ['kafka_lag{topic="t"}'], [{ topic: 't' }]), 'nothing in common');
});

test('a gap is more than three steps between two samples, of all lines together', () => {
    const times = [...Array(12).keys()].map((i) => i * 15);
    const line = (known) => times.map((_, i) => (known.includes(i) ? 1 : null));
    assert.deepEqual(gapsOf(times, [line([2, 3, 4, 9, 10])]), [{ from: 75, to: 135 }]);
    assert.deepEqual(gapsOf(times, [line([2, 3, 4, 8, 9])]), [], 'three steps are none');
    assert.deepEqual(gapsOf(times, [line([2, 3, 9]), line([6])]), [], 'another line has a sample');
    assert.deepEqual(gapsOf(times, [line([6, 7])]), [], 'before the first and after the last nothing is between');
});

test('words of two moments at the right edge stand below each other', () => {
    const first = placeWords(995, 90, 'right', 0, 1000); // "first violated", left of its line
    const fired = placeWords(1005, 30, 'left', 0, 1000); // "fired", right of its line, where there is no room
    assert.deepEqual([first, fired], [[905, 995], [970, 1000]]);
    assert.equal(freeRow([], first), 0);
    assert.equal(freeRow([[first]], fired), 1);
    assert.equal(freeRow([[first]], placeWords(400, 30, 'left', 0, 1000)), 0, 'with room it stays on top');
    assert.equal(freeRow([[first], [fired]], [990, 999]), 2);
});
