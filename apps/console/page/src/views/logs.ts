// Logs: the live tail of logs.raw, filtered where it is kept; newest on top, opened in place.
import * as alerts from '../alerts.ts';
import { get, query } from '../api.ts';
import { h, replace, replaceWhen, setText } from '../dom.ts';
import * as f from '../format.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';
import { color, makePlot } from '../plot.ts';
import { param, params, setParams } from '../router.ts';
import { button, copy, pinnedLink, problem, select } from '../ui.ts';
import type { View } from '../view.ts';

interface Line {
    n: number;
    appended_unix_ms: number;
    record: { time_unix_ms: number; 'service.name': string; 'cloud.region': string; severity_text: string; body: string; trace_id?: string; span_id?: string };
}
interface Answer {
    lines: Line[];
    last: number;
    matched: number;
    kept: number;
    oldest_unix_ms: number;
    bars?: [number, number, number, number][];
}

const KEPT = 5000;
const SHOWN_MS = 300000; // of the bars
const LATENCY_PANEL = 5; // of golden-signals
const AROUND = 20; // rows drawn above and below those that are seen
const SEVERITIES: [string, string][] = [['', 'All'], ['DEBUG', 'DEBUG and above'], ['INFO', 'INFO and above'], ['WARN', 'WARN and above'], ['ERROR', 'ERROR and above']];

function lineElement(line: Line, open: () => void, isOpen: boolean): HTMLElement {
    const r = line.record;
    const bad = r.severity_text === 'ERROR' || r.severity_text === 'FATAL';
    const row = h(`div.log${bad ? '.log-error' : ''}${isOpen ? '.is-open' : ''}` as 'div', {},
        h('button.log-line', { type: 'button', onclick: open, 'aria-expanded': String(isOpen) }, h('span.log-time', {}, f.clock(r.time_unix_ms), h('span.log-ms', {}, f.clockMs(r.time_unix_ms).slice(-4))),
            h('span', { class: `log-severity ${bad ? 'critical' : r.severity_text === 'WARN' ? 'warning' : 'muted'}` }, r.severity_text),
            h('span.log-service', {}, r['service.name']), h('span.log-region.muted', {}, r['cloud.region']), h('span.log-body', {}, r.body), h('span.log-trace', {}, r.trace_id?.slice(0, 8) ?? '')));
    return row;
}

/** How many lines its trace has is known when the answer is here; until then the link says less. */
function traceLink(trace: string): HTMLElement {
    const link = h('a', { href: `/logs?${query({ trace })}` }, 'the lines of this trace');
    void get<Answer>(`/api/logs?${query({ trace, limit: 100 })}`).then((a) => setText(link, a.lines.length === 1 ? 'the only line of this trace' : `${a.lines.length === 100 ? '100 and more' : a.lines.length} lines of this trace`), () => undefined);
    return link;
}

function lineDetail(line: Line): HTMLElement {
    const r = line.record;
    const moment = h('a', { href: `/d/golden-signals?${query({ 'var-service': r['service.name'], 'var-region': r['cloud.region'], from: r.time_unix_ms - 300000, to: r.time_unix_ms + 120000, viewPanel: LATENCY_PANEL })}` }, 'latency panel at this moment');
    const pair = (name: string, ...value: (Node | string)[]): HTMLElement => h('div', {}, h('dt.faint', {}, name), h('dd', {}, value));
    return h('dl.log-detail', {}, r.body.length > 90 ? pair('message', r.body) : '',
        r.trace_id ? pair('trace', h('code', {}, r.trace_id), ' · ', traceLink(r.trace_id), ' · ', moment) : '',
        r.span_id ? pair('span', h('code', {}, r.span_id)) : '',
        pair('event time', `${f.clockMs(r.time_unix_ms)} ${f.zone()}, on the bus ${Math.max(0, line.appended_unix_ms - r.time_unix_ms)} ms later`, ...(r.trace_id ? [] : [' · ', moment])));
}

export function makeLogs(): View {
    let lines: Line[] = []; // newest first
    let newer: Line[] = []; // came while it was paused
    let last = 0;
    let paused = false;
    let opened = 0;
    let failure = '';
    let loaded = false;
    let epoch = 0;
    const filters = h('div.filters');
    const body = h('div.log-body-list', { tabindex: '0', role: 'region', 'aria-label': 'Log lines, newest first' });
    const pausedButton = button('', () => resume(), { class: 'newer' });
    const pause = button('Pause', () => (paused ? resume() : stop()), { key: 'space' });
    const count = h('span.faint.small.num');
    const share = h('span.legend');
    const plot = makePlot({ label: 'Lines by severity, last five minutes', height: 104, format: (v) => f.count(v), tooltip: true,
        lines: [{ label: 'all', color: '--spark', bars: true }, { label: 'ERROR', color: '--critical', bars: true }],
        onSelect: (from, to) => setParams({ from: String(Math.round(from)), to: String(Math.round(to)) }) });
    const timeName = h('span');
    const element = h('div.page.logs', {}, h('h1.hidden', {}, 'Logs'), filters, h('section.panel', {}, h('div.section-head', {}, h('h2', {}, 'Lines'), h('span.faint.small', {}, 'a bar is 3 s; last 5 min'), share), plot.element),
        h('section.panel.log-list', {}, h('div.log-head', { 'aria-hidden': 'true' }, timeName, h('span', {}, 'Severity'), h('span', {}, 'Service'), h('span', {}, 'Region'), h('span', {}, 'Message'), h('span', {}, 'Trace')), pausedButton, body), count);

    const filterQuery = (): Record<string, string | undefined> => {
        const text = param('q') ?? '';
        return { service: params('var-service').join(',') || undefined, region: param('var-region') ?? undefined, severity: param('severity') ?? undefined,
            trace: param('trace') ?? undefined, q: text || undefined, from: param('from') ?? undefined, until: param('to') ?? undefined };
    };
    const fixed = (): boolean => /^\d+$/.test(param('to') ?? '');
    const clean = (q: Record<string, string | undefined>): Record<string, string | undefined> => ({ ...q, from: /^\d+$/.test(q['from'] ?? '') ? q['from'] : undefined, until: fixed() ? q['until'] : undefined });

    const paintLines = (): void => {
        if (failure !== '') {
            replace(body, problem('The lines can’t be read', failure, () => void poll()));
            return;
        }
        if (lines.length === 0) {
            const services = [...new Set(live.pairs().map((s) => s.service))].sort();
            const what = Object.entries(clean(filterQuery())).filter(([, v]) => v).map(([k, v]) => `${k} = ${v}`).join(', ');
            replace(body, !loaded ? h('p.muted.pad', {}, 'Loading the last lines') : what === '' ? h('p.muted.pad', {}, 'No line has come yet') : h('div.pad', {}, h('p', {}, h('b', {}, `Nothing matches ${what}`)),
                h('p.muted', {}, `Services: ${services.join(', ')}`), h('p', {}, button('Show everything', () => setParams({ 'var-service': null, 'var-region': null, severity: null, trace: null, q: null, from: null, to: null, alert: null })))));
            return;
        }
        draw();
    };

    // Only the rows that are seen, and some around, are in the document. All have one height but the one that is open.
    const above = h('div', { 'aria-hidden': 'true' });
    const below = h('div', { 'aria-hidden': 'true' });
    const drawn = new Map<number, HTMLElement>();
    let rowHeight = 22;
    let openHeight = 0; // of the detail
    function draw(): void {
        if (above.parentElement !== body) {
            drawn.clear();
            replace(body, above, below);
        }
        const openAt = opened === 0 ? -1 : lines.findIndex((l) => l.n === opened);
        const extra = (rows: number): number => (openAt >= 0 && openAt < rows ? openHeight : 0);
        const plain = Math.floor(body.scrollTop / rowHeight);
        const top = extra(plain) > 0 ? Math.max(openAt, Math.floor((body.scrollTop - openHeight) / rowHeight)) : plain;
        const first = Math.max(0, Math.min(top, lines.length - 1) - AROUND);
        const end = Math.min(lines.length, top + Math.ceil(body.clientHeight / rowHeight) + AROUND);
        const wanted = lines.slice(first, end);
        const numbers = new Set(wanted.map((l) => l.n));
        for (const [n, row] of drawn) {
            if (!numbers.has(n)) {
                row.remove();
                drawn.delete(n);
            }
        }
        let last_: Element = above;
        for (const line of wanted) { // what is there already isn't touched: it may have the focus
            const row = drawn.get(line.n) ?? rowOf(line);
            drawn.set(line.n, row);
            if (last_.nextElementSibling !== row) {
                last_.after(row);
            }
            last_ = row;
        }
        above.style.height = `${first * rowHeight + extra(first)}px`;
        below.style.height = `${(lines.length - end) * rowHeight + extra(lines.length) - extra(end)}px`;
        measure(wanted);
    }
    /** The rows' height changes with the width of the page and its type. */
    function measure(wanted: Line[]): void {
        const closed = wanted.find((l) => l.n !== opened);
        const height = closed ? drawn.get(closed.n)!.offsetHeight : 0;
        const detail = drawn.get(opened);
        openHeight = detail ? detail.offsetHeight - (height || rowHeight) : openHeight;
        if (height > 0 && height !== rowHeight) {
            rowHeight = height;
            draw();
        }
    }
    const rowOf = (line: Line): HTMLElement => {
        const isOpen = opened === line.n;
        const row = lineElement(line, () => {
            const before = opened;
            opened = isOpen ? 0 : line.n;
            for (const n of [before, line.n]) {
                drawn.get(n)?.remove();
                drawn.delete(n);
            }
            if (opened !== 0) {
                stop();
            }
            draw();
            drawn.get(line.n)?.querySelector<HTMLElement>('.log-line')?.focus();
        }, isOpen);
        if (isOpen) {
            row.append(lineDetail(line));
        }
        return row;
    };

    const paintState = (): void => {
        pausedButton.hidden = !paused || newer.length === 0;
        setText(pausedButton, `Paused, ${f.count(newer.length)}${newer.length >= KEPT ? '+' : ''} newer lines`);
        pause.firstChild!.textContent = paused ? 'Go on' : 'Pause';
        pause.setAttribute('aria-pressed', String(paused));
        setText(timeName, `Time, ${f.zone()}`);
        setText(count, loaded ? `${f.count(lines.length)} lines kept here, ${f.count(KEPT)} at most` : '');
    };
    function stop(): void {
        paused = true;
        paintState();
    }
    function resume(): void {
        paused = false;
        opened = 0;
        lines = [...newer, ...lines].slice(0, KEPT);
        newer = [];
        body.scrollTop = 0;
        paintLines();
        paintState();
    }

    async function poll(): Promise<void> {
        const of = epoch;
        try {
            const answer = await get<Answer>(`/api/logs?${query({ ...clean(filterQuery()), after: last, limit: 1000 })}`);
            if (of !== epoch) {
                return;
            }
            failure = '';
            const isFirst = !loaded;
            loaded = true;
            if (answer.last < last) { // the console began anew
                last = 0;
                lines = []; // it numbers from one again
                newer = [];
                return;
            }
            last = answer.last;
            if (paused) {
                newer = [...answer.lines, ...newer].slice(0, KEPT);
            } else if (answer.lines.length > 0) {
                lines = [...answer.lines, ...lines].slice(0, KEPT);
                paintLines();
            } else if (isFirst) {
                paintLines();
            }
        } catch (e) {
            failure = live.state.connected && of === epoch ? (e as Error).message : failure;
            if (failure !== '' && lines.length === 0) {
                paintLines();
            }
        }
        paintState();
    }

    async function pollBars(): Promise<void> {
        const of = epoch;
        const answer = await get<Answer>(`/api/logs?${query({ ...clean(filterQuery()), severity: undefined, limit: 1, bars: 1 })}`).catch(() => null);
        if (!answer?.bars || of !== epoch) {
            return;
        }
        const bars = answer.bars;
        const total = bars.map((b) => b[1] + b[2] + b[3]);
        plot.setData([bars.map((b) => b[0] / 1000), total, bars.map((b) => b[1])]);
        plot.setRange(bars[0]![0], bars.at(-1)![0] + 3000);
        const errors = bars.reduce((n, b) => n + b[1], 0);
        const all = total.reduce((a, b) => a + b, 0);
        replaceWhen(share, `${errors}/${all}`, () => {
            const red = h('i.swatch');
            red.style.background = color('--critical');
            const grey = h('i.swatch');
            grey.style.background = color('--spark');
            return [h('span.row', {}, red, 'ERROR ', h('b.num', {}, f.join(f.percent(all === 0 ? null : errors / all)))), h('span.row', {}, grey, 'other')];
        });
        const of_ = alertOf();
        plot.setMarks(of_ ? [{ at: of_.since, label: `${of_.name} fired` }] : []);
    }

    const alertOf = (): { name: string; since: number } | null => {
        const key = param('alert');
        if (!key) {
            return null;
        }
        const found = alerts.store.alerts.find((a) => a.key === key);
        const [fingerprint, sequence] = key.split('/');
        const t = live.state.transitions.find((x) => x.fingerprint === fingerprint && x.sequence === Number(sequence));
        return found ? { name: found.name, since: t ? Date.parse(t.detected_at) : found.since } : t ? { name: t.rule, since: Date.parse(t.detected_at) } : null;
    };

    const paintFilters = (): void => {
        const services = [...new Set([...live.pairs().map((s) => s.service), ...params('var-service')])].sort();
        const regions = [...new Set([...live.pairs().map((s) => s.region), ...(param('var-region') ? [param('var-region')!] : [])])].sort();
        const from = alertOf();
        const key = JSON.stringify([services, regions, params('var-service'), param('var-region'), param('severity'), param('trace'), param('from'), param('to'), from]);
        replaceWhen(filters, key, () => {
            const search = h('input', { type: 'search', placeholder: 'Text or trace id', 'aria-label': 'Text or trace id', class: 'grow', oninput: () => {
                const text = search.value.trim();
                setParams({ q: text === '' ? null : text }, true);
            } });
            search.value = param('q') ?? '';
            const any = (list: string[]): [string, string][] => [['', 'All'], ...list.map((x): [string, string] => [x, x])];
            return [
                from ? h('button.chip.chip-alert', { type: 'button', onclick: () => setParams({ alert: null, 'var-service': null, 'var-region': null }) }, icons.critical(), ` from ${from.name} ×`) : null,
                select('service', any(services), params('var-service')[0] ?? '', (v) => setParams({ 'var-service': v === '' ? null : v })),
                select('region', any(regions), param('var-region') ?? '', (v) => setParams({ 'var-region': v === '' ? null : v })),
                select('severity', SEVERITIES, param('severity') ?? '', (v) => setParams({ severity: v === '' ? null : v })),
                param('trace') ? h('button.chip', { type: 'button', onclick: () => setParams({ trace: null }) }, h('code', {}, `trace ${param('trace')!.slice(0, 8)}…`), ' ×') : null,
                fixed() ? h('button.chip', { type: 'button', onclick: () => setParams({ from: null, to: null }) }, `${f.clock(Number(param('from')))} – ${f.clock(Number(param('to')))} ×`) : null,
                search, pause,
            ];
        });
    };

    const restart = (): void => {
        epoch++;
        lines = [];
        newer = [];
        last = 0;
        loaded = false;
        opened = 0;
        paused = false;
        paintFilters();
        paintLines();
        void poll();
        void pollBars();
    };
    let turn = 0;
    const timer = window.setInterval(() => {
        if (document.hidden) {
            return;
        }
        turn++;
        void poll();
        if (turn % 3 === 0) {
            void pollBars();
        }
    }, 1000);
    body.addEventListener('scroll', () => {
        if (body.scrollTop > 30 && !paused) {
            stop();
        }
        if (lines.length > 0 && above.parentElement === body) {
            draw();
        }
    });
    const open = (): HTMLElement[] => [...body.querySelectorAll<HTMLElement>('.log-line')];
    const move = (by: number): void => {
        if (!paused) {
            stop(); // a line that has the focus would be pushed out of sight
        }
        const all = open();
        const at = all.indexOf(document.activeElement as HTMLElement);
        all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
    };
    restart();
    return {
        element, title: 'Logs', update: paintFilters,
        navigated: () => {
            restart();
            return true;
        },
        keys: { space: () => (paused ? resume() : stop()), '/': () => filters.querySelector<HTMLElement>('input')?.focus(), c: () => void copy(pinnedLink(fixed() ? undefined : [live.now() - SHOWN_MS, live.now()])), j: () => move(1), k: () => move(-1) },
        destroy: () => {
            clearInterval(timer);
            plot.destroy();
        },
    };
}
