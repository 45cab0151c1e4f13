// SLOs: budget left, how fast it burns, when it ends at this rate.
import * as alerts from '../alerts.ts';
import * as api from '../api.ts';
import { h, replace, replaceWhen } from '../dom.ts';
import * as f from '../format.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';
import { makePlot, type Plot } from '../plot.ts';
import { currentPath, navigate } from '../router.ts';
import { problem, select } from '../ui.ts';
import type { View } from '../view.ts';
import { bar } from './alert_detail.ts';

const PAIRS: [string, string, string, number][] = [['Fast', '1h', '5m', 14], ['Slow', '6h', '30m', 3], ['Slowest', '3d', '6h', 1]];
const WINDOW_NAMES: Record<string, string> = { '5m': '5 min', '30m': '30 min', '1h': '1 h', '6h': '6 h', '3d': '3 d' };
const DAY = 86400;

interface Slo {
    id: string;
    service: string;
    name: string;
    objective: number;
    left: number | null;
    covered: number;
    measured: number | null;
    burn: Record<string, number | null>;
    days: number;
}

async function readSlos(): Promise<Slo[]> {
    const [objectives, left, covered, measured, days, ratios] = await Promise.all(['slo:objective:ratio', 'slo:period_error_budget_remaining:ratio', 'slo:history_covered:ratio', 'slo:sli_error:ratio_rate30d', 'slo:time_period:days',
        '{__name__=~"slo:sli_error:ratio_rate(5m|30m|1h|6h|3d)"}'].map((q) => api.instant(q)));
    const value = (list: api.Sample[], id: string): number | null => {
        const s = list.find((x) => x.metric['sloth_id'] === id);
        return s ? Number(s.value[1]) : null;
    };
    return objectives!.map((o): Slo => {
        const id = o.metric['sloth_id']!;
        const objective = Number(o.value[1]);
        const burn: Record<string, number | null> = {};
        for (const w of Object.keys(WINDOW_NAMES)) {
            const s = ratios!.find((r) => r.metric['sloth_id'] === id && r.metric['__name__'] === `slo:sli_error:ratio_rate${w}`);
            burn[w] = s ? Number(s.value[1]) / (1 - objective) : null;
        }
        const error = value(measured!, id);
        return { id, service: o.metric['sloth_service'] ?? '', name: o.metric['sloth_slo'] ?? '', objective, left: value(left!, id), covered: value(covered!, id) ?? 0, measured: error === null ? null : 1 - error, burn, days: value(days!, id) ?? 30 };
    });
}

/** When the budget ends at the last hour's rate, ms; Infinity: not at this rate. */
function endsIn(s: Slo): number {
    const burn = s.burn['1h'] ?? s.burn['5m'] ?? 0;
    if (s.left !== null && s.left <= 0) {
        return 0;
    }
    return burn <= 1 || s.left === null ? Infinity : (s.left * s.days * DAY * 1000) / burn;
}

const times = (x: number | null): string => (x === null ? f.DASH : `${x >= 99.5 ? Math.round(x) : Number(x.toPrecision(2))}×`);
const objectiveWords = (s: Slo): string => (s.name === 'availability' ? `Availability: ${Number((s.objective * 100).toFixed(3))} % of requests succeed` : `${s.name[0]?.toUpperCase()}${s.name.slice(1)}: ${Number((s.objective * 100).toFixed(3))} % ${s.name === 'latency' && alerts.latencyLimit(s.id) ? `under ${f.limit('latency_p99', alerts.latencyLimit(s.id))}` : 'are good'}`);

function burnTable(s: Slo): HTMLElement {
    const cell = (w: string, mark: number): HTMLElement => {
        const b = s.burn[w] ?? null;
        const over = b !== null && b > mark;
        return h('td.r', {}, h('span.burn', {}, h('span.muted.small', {}, WINDOW_NAMES[w]!), ' ', h(`b.num${over ? '.critical' : ''}` as 'b', {}, times(b)), bar((b ?? 0) / (mark * 1.5), over ? '--critical' : '--series-1', 1 / 1.5)));
    };
    const passed = PAIRS.map(([name, long, short, mark]) => ({ name, long: (s.burn[long] ?? 0) > mark, short: (s.burn[short] ?? 0) > mark }));
    const firing = passed.filter((p) => p.long && p.short);
    const shortOnly = passed.some((p) => p.short && !p.long);
    const longOnly = passed.some((p) => p.long && !p.short);
    const words = firing.length > 0 ? `${firing.map((p) => p.name).join(' and ')}: both windows have passed the mark.` : shortOnly ? 'Both windows must pass the mark to fire. Only short ones have: no page from the SLO rules yet.'
        : longOnly ? 'Both windows must pass the mark to fire. Only long ones have: it was, and is over.' : 'Both windows must pass the mark to fire. None is near.';
    return h('div', {}, h('table.burns', {}, h('thead', {}, h('tr', {}, h('th', {}, ''), h('th.r', {}, 'Long window'), h('th.r', {}, 'Short window'), h('th.r', {}, 'Mark'))),
        h('tbody', {}, PAIRS.map(([name, long, short, mark]) => h('tr', {}, h('td', {}, name), cell(long, mark), cell(short, mark), h('td.r.muted', {}, `${mark}×`))))), h('p.muted.small', {}, words));
}

export function makeSlos(): View {
    const title = h('div.section-head.slo-head');
    const list = h('div.slo-list');
    const routes = h('section.panel.flush');
    const element = h('div.page', {}, title, list, routes);
    const rows = new Map<string, { element: HTMLElement; text: HTMLElement; left: HTMLElement; burn: HTMLElement; plot: Plot }>();
    let slos: Slo[] = [];
    const chosen = (): string => decodeURIComponent(currentPath().slice('/slos/'.length));

    const forecast = (s: Slo, p: Plot): void => {
        const now = live.now() / 1000;
        const seen = Math.max(3600, s.covered * s.days * DAY);
        const from = now - Math.min(s.days * DAY, seen);
        void api.range(`slo:period_error_budget_remaining:ratio{sloth_id="${s.id}"}`, from, now, Math.max(15, Math.ceil((now - from) / 240 / 15) * 15)).then((r) => {
            const points = r[0]?.values.map(([t, v]): [number, number] => [t, Number(v)]) ?? [];
            const ahead = Math.max((now - from) / 2, 1800);
            const burn = s.burn['1h'] ?? s.burn['5m'] ?? 0;
            const left = s.left ?? 1;
            const times_ = [...points.map((x) => x[0]), now, now + ahead];
            const end = Math.max(0, left - ((burn - 1 > 0 ? burn : 0) * ahead) / (s.days * DAY));
            const ahead_ = [...points.map(() => null), Math.max(0, left), end];
            const none = times_.map(() => null);
            const ends = burn > 1;
            p.element.setAttribute('aria-label', `Budget left of ${s.service} ${s.name}: ${f.join(f.percent(left))}; at the last hour’s rate ${left <= 0 ? 'it is spent' : ends ? `it ends ${f.when(live.now() + endsIn(s), live.now())}` : 'it doesn’t end'}`);
            p.setData([times_, [...points.map((x) => Math.max(0, x[1])), Math.max(0, left), null], ends ? ahead_ : none, ends ? none : ahead_]);
            p.setRange(from * 1000, (now + ahead) * 1000);
            p.setMarks([{ at: now * 1000, label: 'now', left: false }]);
        }, () => undefined);
    };

    const makeRow = (s: Slo): void => {
        const plot = makePlot({ label: `Budget left of ${s.service} ${s.name}, and its forecast`, height: 138, format: (v) => `${Math.round(v * 100)} %`, max: 1.14, ticks: [0, 0.25, 0.5, 0.75, 1], tooltip: false,
            lines: [{ label: 'budget left', color: '--series-1', width: 2 }, { label: 'at the last hour’s rate, it ends', color: '--warning-mark', dash: [4, 4] }, { label: 'at the last hour’s rate', color: '--control', dash: [4, 4] }] });
        const text = h('div.slo-text');
        const left = h('div.slo-left');
        const burn = h('div.slo-burn');
        const row = h('section.panel.slo', {}, text, left, h('div.slo-plot', {}, h('p.label', {}, 'Budget left, and where the last hour’s rate leads'), plot.element), burn);
        rows.set(s.id, { element: row, text, left, burn, plot });
    };

    const paint = (): void => {
        const only = chosen();
        const services = [...new Set(slos.map((s) => s.service))].sort();
        const covered = Math.min(...slos.map((s) => s.covered), 1);
        const coveredMs = covered * 30 * DAY * 1000;
        replaceWhen(title, JSON.stringify([services, only, f.duration(coveredMs), slos.length]), () => [h('h1.lab-title', {}, 'Error budgets'), h('span.muted', {}, slos.length === 0 ? '' : `30 days rolling. History: ${coveredMs < 60000 ? 'under 1 min' : f.duration(coveredMs)} of 30 d.`),
            h('span.push', {}, select('service', [['', 'All'], ...services.map((x): [string, string] => [x, x])], only, (v) => navigate(v === '' ? '/slos' : `/slos/${encodeURIComponent(v)}`)))]);
        const shown = slos.filter((s) => only === '' || s.service === only).sort((a, b) => endsIn(a) - endsIn(b) || (a.left ?? 9) - (b.left ?? 9) || a.id.localeCompare(b.id));
        for (const s of shown) {
            if (!rows.has(s.id)) {
                makeRow(s);
            }
            const row = rows.get(s.id)!;
            const end = endsIn(s);
            const burn = s.burn['1h'] ?? s.burn['5m'] ?? null;
            row.element.classList.toggle('slo-burning', end < 30 * DAY * 1000);
            replaceWhen(row.text, JSON.stringify([s.measured, objectiveWords(s)]), () => [h('h2', {}, s.service), h('p.muted', {}, objectiveWords(s)), h('p.label', {}, 'Measured'), h('p.slo-measured.num', {}, s.measured === null ? f.DASH : `${(s.measured * 100).toFixed(3)} %`)]);
            replaceWhen(row.left, JSON.stringify([s.left, end === Infinity ? '-' : f.duration(end), burn]), () => [h('p.label', {}, 'Budget left'), h('p.slo-number.num', {}, s.left === null ? f.DASH : f.percent(Math.max(s.left, -9.99)).value, ' ', h('small', {}, '%')),
                bar(s.left ?? 0, (s.left ?? 1) <= 0 ? '--critical' : '--series-1'), h('p.label', {}, 'Ends in'), end === Infinity ? [h('p', {}, h('b', {}, 'Not at this rate')), h('p.muted.small', {}, burn === null ? 'no rate yet' : `${times(burn)} spends less than it earns`)]
                    : end === 0 ? h('p.critical', {}, h('b', {}, 'It is spent')) : [h('p.warning', {}, icons.warning(), ' ', h('b.num', {}, f.duration(end))), h('p.muted.small', {}, `at the last hour’s ${times(burn)}`)]]);
            replaceWhen(row.burn, JSON.stringify(s.burn), () => burnTable(s));
            forecast(s, row.plot);
        }
        if (!list.matches(':hover, :focus-within') || list.children.length !== shown.length) {
            const wanted = shown.map((s) => rows.get(s.id)!.element);
            if (wanted.some((e, i) => list.children[i] !== e) || list.children.length !== wanted.length) {
                replace(list, wanted);
            }
        }
        if (slos.length === 0) {
            replace(list, h('div.panel.empty', {}, h('h2.verdict', {}, 'First budgets within 5 min'), h('p.muted', {}, 'Their rules are evaluated every 5 minutes, and have not been yet.')));
        }
    };

    const readRoutes = async (): Promise<void> => {
        const only = chosen();
        const labels = only === '' ? '' : `service_name="${only}"`;
        const by = 'sum by (service_name, http_request_method, http_route)';
        const metric = 'http_server_request_duration_seconds_count';
        const [failed, all] = await Promise.all([api.instant(`topk(8, ${by} (increase(${metric}{${labels}${labels ? ', ' : ''}http_response_status_code=~"5.."}[6h])) > 0)`), api.instant(`${by} (increase(${metric}{${labels}}[6h]))`)]);
        const total = failed.reduce((n, r) => n + Number(r.value[1]), 0);
        const same = (a: api.Sample, b: api.Sample): boolean => ['service_name', 'http_request_method', 'http_route'].every((n) => a.metric[n] === b.metric[n]);
        const list_ = failed.sort((a, b) => Number(b.value[1]) - Number(a.value[1]));
        replaceWhen(routes, JSON.stringify(list_), () => [h('div.section-head', {}, h('h2', {}, 'Routes that spent most'), h('span.faint.small', {}, 'last 6 h')), list_.length === 0 ? h('p.muted', {}, 'None in the last 6 h: no request failed') : h('div.scroll-x', { tabindex: '0' }, h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, 'Route'), h('th', {}, 'Service'), h('th.r', {}, 'Failed'), h('th.r', {}, 'Requests'), h('th.r', {}, 'Share of spend'))),
            h('tbody', {}, list_.map((r) => h('tr', {}, h('td', {}, h('code', {}, `${r.metric['http_request_method'] ?? ''} ${r.metric['http_route'] ?? ''}`)), h('td', {}, r.metric['service_name'] ?? ''), h('td.r', {}, f.count(Number(r.value[1]))), h('td.r', {}, f.count(Number(all.find((x) => same(x, r))?.value[1] ?? NaN))), h('td.r', {}, f.join(f.percent(Number(r.value[1]) / total))))))))]);
    };
    const load = (): void => {
        readSlos().then((s) => {
            slos = s;
            paint();
        }, (e: Error) => slos.length === 0 && replace(list, h('div.panel', {}, problem('Prometheus can’t be asked', e.message, load))));
        readRoutes().catch(() => undefined);
    };
    const timer = window.setInterval(() => document.hidden || load(), 15000);
    replace(list, h('div.panel.slo-loading', {}, h('p.muted', {}, 'Loading 30 days')));
    load();
    return { element, title: 'SLOs', navigated: () => {
        paint();
        void readRoutes().catch(() => undefined);
        return true;
    }, destroy: () => {
        clearInterval(timer);
        rows.forEach((r) => r.plot.destroy());
    } };
}
