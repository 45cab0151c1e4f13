// One alert with its why: measured against needed, the chance of it, the seconds that counted, what happened, first steps.
import * as alerts from '../alerts.ts';
import { get, query } from '../api.ts';
import * as chance from '../chance.ts';
import { h, replace, replaceWhen, type Child } from '../dom.ts';
import * as f from '../format.ts';
import { History } from '../history.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';
import { makePlot, type Plot } from '../plot.ts';
import { endSilence, extendSilence, openSilence } from '../silence.ts';
import { button, copy, link, pinnedLink } from '../ui.ts';
import { firstSteps } from './first_steps.ts';
import { logsHref, signalName } from './incident.ts';

interface Needed {
    min_samples: number;
    min_bad: number;
    confidence: number;
    clear_odds: number;
    evaluations: number;
}

export const promqlOf = (a: alerts.Alert): string => {
    if (a.query !== '') {
        return a.query;
    }
    const labels = `service_name="${a.service}", cloud_region="${a.region}"`;
    return a.evidence?.signal.startsWith('latency')
        ? `histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket{${labels}}[2m])))`
        : `sum(rate(http_server_requests_total{${labels}, status_class="5xx"}[2m])) / sum(rate(http_server_requests_total{${labels}}[2m]))`;
};

export interface Detail {
    element: HTMLElement;
    update: (alert: alerts.Alert | null) => void;
    destroy: () => void;
    alert: () => alerts.Alert | null;
}

const bySignal = (signal: string, v: number | null | undefined): string => f.join(f.measure(signal, v));

export function makeStreamDetail(fingerprint: string, sequence: number): Detail {
    let alert: alerts.Alert | null = null;
    let needed: Needed | null = null;
    let history: History | null = null;
    let plot: Plot | null = null;
    let shape = '';
    const head = h('div.detail-head');
    const why = h('p.why');
    const actions = h('p.row');
    const silences = h('div.silences');
    const chartTitle = h('h2');
    const chart = h('div.plot-box');
    const legend = h('div.legend');
    const cells = h('div.cells');
    const conditions = h('div');
    const happened = h('div');
    const steps = h('ol.first-steps');
    const stepsBox = h('section.detail-section', {}, h('h2', {}, 'First steps ', h('span.faint.small.steps-from', {}, 'from the runbook')), steps);
    const element = h('article.panel.detail', {}, h('div.detail-section', {}, head, why, actions, silences),
        h('section.detail-section', {}, chartTitle, chart, legend, cells, h('div.two', {}, h('section', {}, h('h2', {}, 'Conditions'), conditions), h('section', {}, h('h2', {}, 'What happened'), happened))), stepsBox);

    const transitions = (): { fired: live.Transition | undefined; cleared: live.Transition | undefined } => {
        const of = live.state.transitions.filter((t) => t.fingerprint === fingerprint);
        const exact = of.find((t) => t.sequence === sequence);
        const fired = exact?.state === 'resolved' ? of.find((t) => t.sequence === sequence - 1) : exact;
        const cleared = exact?.state === 'resolved' ? exact : of.find((t) => t.sequence === sequence + 1 && t.state === 'resolved');
        return { fired, cleared };
    };

    void get<{ needed: Needed }>(`/api/transition/${fingerprint}/${sequence}`).then((a) => {
        needed = a.needed;
        paint();
    }, () => undefined); // known only to the processor that published it: the conditions then go without

    const whyText = (t: live.Transition | undefined, cleared: live.Transition | undefined): Child => {
        const e = alert?.evidence;
        const signal = e?.signal ?? t?.signal ?? '';
        const threshold = e?.threshold ?? t?.threshold ?? null;
        const value = cleared ? t?.value ?? null : e?.value ?? t?.value ?? null;
        const samples = cleared || !e ? t?.samples : e.samples;
        const bad = cleared || !e ? t?.bad : e.bad;
        const window = cleared || !e ? t?.window_seconds : e.window_seconds;
        const isShare = signal === 'error_rate' || signal.startsWith('latency');
        const at = t ? [' It fired at ', h('b.num', {}, f.when(Date.parse(t.detected_at), live.now(), true)), ` after ${t.evaluations === 1 ? 'one violating second' : `${t.evaluations === 2 ? 'two' : t.evaluations === 3 ? 'three' : t.evaluations} violating seconds in a row`}`,
            cleared ? [' and cleared at ', h('b.num', {}, f.when(Date.parse(cleared.detected_at), live.now(), true)), '.'] : '.'] : '.';
        if (!isShare || t?.samples === undefined && !e) {
            return [t?.summary ?? e?.why ?? '', at];
        }
        const p = chance.badShare(signal, threshold ?? NaN);
        const odds = t ? chance.tail(t.samples, t.bad, p) : NaN;
        const what = signal === 'error_rate' ? (cleared ? 'requests failed in' : 'requests failed in the last') : `requests were slower than ${f.limit(signal, threshold)} in${cleared ? '' : ' the last'}`;
        return [h('b.num', {}, `${f.count(bad)} of ${f.count(samples)}`), ` ${what} ${window} s: `, h(`b.num.${(alert?.severity ?? t?.severity) === 'critical' ? 'critical' : 'warning'}` as 'b', {}, bySignal(signal, value)), `, limit ${f.limit(signal, threshold)}.`,
            Number.isFinite(odds) && t && t.bad > 0 ? ` When it fired, chance alone would have done this ${chance.inWords(odds)}.` : '', at];
    };

    const conditionRows = (t: live.Transition | undefined): [string, string, string, string, boolean][] => {
        const e = alert?.evidence;
        const signal = e?.signal ?? t?.signal ?? '';
        const threshold = e?.threshold ?? t?.threshold ?? NaN;
        const p = chance.badShare(signal, threshold);
        const rows: [string, string, string, string, boolean][] = [[`${signal === 'error_rate' ? 'Error ratio' : signalName(signal)[0]}, ${e?.window_seconds ?? t?.window_seconds} s`, `${signal === 'request_rate' ? '<' : '>'} ${f.limit(signal, threshold)}`,
            bySignal(signal, t?.value), e ? bySignal(signal, e.value) : f.DASH, e ? (signal === 'request_rate' ? (e.value ?? 0) < threshold : (e.value ?? 0) > threshold) : false]];
        if (Number.isFinite(p)) {
            const minBad = needed?.min_bad ?? e?.min_bad ?? 0;
            const least = needed?.confidence ?? 0;
            rows.push(['Requests', needed && needed.min_samples > 0 ? `≥ ${needed.min_samples}` : 'any', f.count(t?.samples), f.count(e?.samples), true]);
            rows.push([signal === 'error_rate' ? 'Failed' : 'Slow', `≥ ${minBad}`, f.count(t?.bad), f.count(e?.bad), (e?.bad ?? 0) >= minBad]);
            const now = e ? chance.tail(e.samples, e.bad, p) : NaN;
            rows.push(['Not by chance', least > 0 ? `≥ ${Number((least * 100).toFixed(3))} %` : f.DASH, t ? chance.confidence(chance.tail(t.samples, t.bad, p)) : f.DASH, e ? chance.confidence(now) : f.DASH, e ? now <= 1 - (least || 0.999) : false]);
        }
        rows.push(['In a row', String(e?.for_violations ?? needed?.evaluations ?? f.DASH), String(t?.evaluations ?? f.DASH), e ? String(Math.max(e.violations, inARow())) : f.DASH, e ? e.verdict === 'violated' : false]);
        if (e && e.firing && e.clear_odds !== null) {
            rows.push(['To clear: odds that it is over', `≥ ${e.clear_odds} to 1`, f.DASH, e.odds === null ? f.DASH : `${f.count(Math.max(1, Math.floor(e.odds)))} to 1`, (e.odds ?? 0) >= e.clear_odds * 0.999]);
            rows.push(['To clear: quiet seconds', String(e.for_clear), f.DASH, String(e.clears), e.clears >= e.for_clear]);
        }
        return rows;
    };

    const ruleIndex = (): number => history?.rules.indexOf(alert?.name ?? transitions().fired?.rule ?? '') ?? -1;
    const inARow = (): number => {
        const i = ruleIndex();
        let n = 0;
        for (let k = (history?.rows.length ?? 0) - 1; k >= 0 && i >= 0 && ['violated', 'firing'].includes(history!.rows[k]!.evaluations[i] ?? ''); k--) {
            n++;
        }
        return n;
    };

    const paintCells = (t: live.Transition | undefined): void => {
        const i = ruleIndex();
        const rows = history?.rows ?? [];
        const first = t ? live.firstViolated(t) : NaN;
        const k = rows.findIndex((r) => r.time_unix_ms >= first);
        if (i < 0 || k < 0 || rows.length === 0 || rows[0]!.time_unix_ms > first) {
            cells.hidden = true;
            return;
        }
        cells.hidden = false;
        const shown = rows.slice(Math.max(0, k - 6), k + 19);
        const key = shown.map((r) => `${r.time_unix_ms}${r.evaluations[i]}`).join();
        replaceWhen(cells, key, () => {
            let n = 0;
            let firedAt = 0;
            const boxes = shown.map((r) => {
                const v = r.evaluations[i] ?? 'unknown';
                n = v === 'clear' ? 0 : v === 'unknown' ? n : n + 1; // unknown neither advances nor resets
                const isFiring = v === 'firing';
                firedAt = isFiring && firedAt === 0 ? r.time_unix_ms : firedAt;
                const showsNumber = (v === 'violated' || isFiring) && n > 0 && n <= (t?.evaluations ?? 2);
                return h(`span.cell.cell-${v}` as 'span', { title: `${f.clock(r.time_unix_ms)} ${v}` }, showsNumber ? String(n) : '');
            });
            const last = shown.at(-1)!.time_unix_ms;
            const under = (ms: number, words: string, name = ''): HTMLElement => {
                const label = h('span', { class: name }, words);
                label.style.gridColumn = `${shown.findIndex((r) => r.time_unix_ms >= ms) + 1} / span 1`;
                return label;
            };
            const short = (ms: number): string => f.clock(ms).slice(-3);
            return [h('h2', {}, 'Evaluations, one a second ', h('span.faint.small', {}, `filled: violated; ${(t?.evaluations ?? 2) === 1 ? 'one fires' : `${t?.evaluations ?? 2} in a row fire`}`)),
                h('div.cell-row', { role: 'img', 'aria-label': `Seconds from ${f.clock(shown[0]!.time_unix_ms)} to ${f.clock(last)}` }, boxes),
                h('div.cell-row.cell-times.num.faint', {}, k > 0 ? under(shown[0]!.time_unix_ms, f.clock(shown[0]!.time_unix_ms)) : null, firedAt > first ? under(first, short(first)) : null,
                    firedAt > 0 ? under(firedAt, `${short(firedAt)} fired`, 'cell-fired') : null, h('span.cell-last', {}, `${f.clock(last)}${k + 19 < rows.length ? ', and on' : ''}`))];
        });
    };

    const timeline = (t: live.Transition | undefined, cleared: live.Transition | undefined): [number, string][] => {
        const list: [number, string][] = [];
        if (!t) {
            return list;
        }
        list.push([live.firstViolated(t), 'First violated second (event time)'], [Date.parse(t.detected_at), `Fired, committed once, sequence ${t.sequence}`]);
        const told = live.state.notifications.filter((n) => n.received_unix_ms >= Date.parse(t.detected_at) - 1000 && n.webhook.alerts?.some((a) => a.labels['alertname'] === t.rule && a.labels['detector'] === 'stream' &&
            a.labels['service_name'] === t.labels['service.name'] && a.labels['cloud_region'] === t.labels['cloud.region']));
        const first = told.find((n) => n.webhook.status === 'firing');
        const page = told.find((n) => n.webhook.alerts?.some((a) => a.labels['page'] === 'true'));
        const took = live.state.accepted.get(t.alert_id);
        if (took !== undefined) {
            list.push([took, 'Alertmanager accepted it']);
        }
        if (first) {
            list.push([first.received_unix_ms, 'Notification arrived (local receiver)']);
        }
        if (page) {
            list.push([page.received_unix_ms, `Marked to page: ${f.duration(page.received_unix_ms - Date.parse(t.detected_at))} of firing`]);
        }
        if (cleared) {
            list.push([Date.parse(cleared.ends_at ?? cleared.detected_at) - 1000, 'First clear second (event time)'], [Date.parse(cleared.detected_at), `Resolved, ${cleared.reason === 'clear' ? 'enough evidence that it is over' : (cleared.reason ?? '').replace('_', ' ')}`]);
        }
        return list.sort((a, b) => a[0] - b[0]);
    };

    const makeChart = (signal: string, threshold: number | null, severity: string, service: string, region: string, route: string): void => {
        history = new History(service, region, route);
        const tone = severity === 'critical' ? '--critical' : '--warning-mark';
        replace(chartTitle, signalName(signal)[0], ' ', h('span.faint.small', {}, 'a point a second'));
        plot?.destroy();
        plot = makePlot({
            label: `${signalName(signal)[0]}, last five minutes`, height: 210,
            format: (v) => f.limit(signal, v), lines: [{ label: '10 s window', color: tone, width: 2 }, { label: '60 s window', color: '--series-1' }],
            limits: threshold === null ? [] : [{ value: threshold, label: `limit ${f.limit(signal, threshold)}`, color: tone }],
        });
        replace(chart, plot.element);
    };

    const paint = (): void => {
        const { fired: t, cleared } = transitions();
        const name = alert?.name ?? t?.rule;
        if (!name) {
            replaceWhen(head, 'unknown', () => h('h1.detail-title', {}, live.state.everConnected ? 'No such alert is known any more' : 'Loading'));
            return;
        }
        const service = alert?.service ?? t!.labels['service.name'] ?? '';
        const region = alert?.region ?? t!.labels['cloud.region'] ?? '';
        const signal = alert?.evidence?.signal ?? t?.signal ?? '';
        const severity = alert?.severity ?? t!.severity;
        const threshold = alert?.evidence?.threshold ?? t?.threshold ?? null;
        const isOver = cleared !== undefined;
        const stateWord = isOver ? 'Resolved' : alert?.state === 'silenced' ? 'Silenced' : alert?.state === 'inhibited' ? `Inhibited: ${alert.reason}` : '';
        if (shape !== `${service}|${region}|${signal}`) {
            shape = `${service}|${region}|${signal}`;
            makeChart(signal, threshold, severity, service, region, alert?.route ?? t?.labels['http.route'] ?? '');
            void fillSteps(service, region, alert?.runbook || alerts.runbookName(t?.runbook_url), signal);
        }
        replaceWhen(head, `${name}${service}${region}${stateWord}${severity}`, () => h('h1.detail-title', { class: `sev-${isOver ? 'done' : severity}` }, icons.ofState(isOver ? 'resolved' : alert?.state ?? 'firing', severity), ' ', name, ' ',
            h('span.muted', {}, [service, region, alert?.route ?? ''].filter((x) => x !== '').join(', ')), stateWord === '' ? null : h('span.tag', {}, stateWord)));
        const text = h('p', {}, whyText(t, cleared));
        replaceWhen(why, text.textContent ?? '', () => [...text.childNodes]);
        const runbook = alert?.runbook || alerts.runbookName(t?.runbook_url);
        const self = alert;
        replaceWhen(actions, `${runbook}${self?.key}${isOver}`, () => [link('Logs of this alert', self ? logsHref(self) : `/logs?${query({ 'var-service': service, 'var-region': region })}`, { key: 'l', primary: true }),
            self && !isOver ? button('Silence', () => openSilence(alert ?? self), { key: 's' }) : null, runbook ? link('Runbook', `/runbooks/${runbook}`, { key: 'b' }) : null,
            self ? button('Copy as PromQL', () => void copy(promqlOf(self), actions.querySelector<HTMLElement>('.copy-promql') ?? undefined), { key: 'p', class: 'copy-promql' }) : null,
            button('Copy link', () => void copy(pinnedLink(), actions.querySelector<HTMLElement>('.copy-link') ?? undefined), { key: 'c', class: 'copy-link' })]);
        paintSilences(silences, alert?.silences ?? []);
        const rows = conditionRows(t);
        replaceWhen(conditions, JSON.stringify(rows), () => h('div.scroll-x', { tabindex: '0' }, h('table.conditions', {}, h('thead', {}, h('tr', {}, h('th', {}, 'Condition'), h('th', {}, 'Needs'), h('th.r', {}, 'When it fired'), h('th.r', {}, 'Now'))),
            h('tbody', {}, rows.map((r) => h('tr', {}, h('td', {}, h('span.condition-mark', { class: r[4] ? 'done' : 'faint' }, r[4] ? icons.check() : '·'), r[0]), h('td.num.muted', {}, r[1]), h('td.r', {}, r[2]), h('td.r', {}, h('b', {}, r[3]))))))));
        const line = timeline(t, cleared);
        replaceWhen(happened, JSON.stringify(line) + f.zone(), () => (line.length === 0 ? h('p.muted', {}, 'Its transition isn’t among those that are kept.') : h('table.timeline', {}, h('tbody', {}, line.map(([at, what]) => h('tr', {}, h('td.num', {}, f.clockMs(at)),
            h('td.r.muted', {}, at <= line[0]![0] ? '' : `+${f.delay(at - line[0]![0])}`), h('td', {}, what)))))));
        paintChart(t, cleared, severity);
        cells.classList.toggle('is-warning', severity !== 'critical');
        paintCells(t);
    };

    const paintChart = (t: live.Transition | undefined, cleared: live.Transition | undefined, severity: string): void => {
        if (!plot || !history || history.rows.length === 0) {
            return;
        }
        const signal = alert?.evidence?.signal ?? t?.signal ?? '';
        const data = history.data(signal, 2);
        plot.setData(data);
        const end = Math.max(history.rows.at(-1)!.time_unix_ms, live.isStale() ? live.now() : 0);
        const since = t ? live.firstViolated(t) : alert?.since ?? 0;
        const from = since > end - 270000 && since < end ? Math.max(end - 300000, Math.min(since - 30000, end - 90000)) : end - 300000;
        plot.setRange(from, end);
        plot.setUnknown(live.isStale() ? history.rows.at(-1)!.time_unix_ms : null);
        const firedAt = t ? Date.parse(t.detected_at) : alert?.since ?? 0;
        plot.setBands(t || alert ? [{ from: firedAt, to: cleared ? Date.parse(cleared.detected_at) : null, level: severity === 'critical' ? 'critical' : 'warning', label: `${t?.rule ?? alert?.name} firing` }] : []);
        plot.setMarks(t ? [{ at: since, label: 'first violated', left: true }, { at: firedAt, label: 'fired', left: false }] : []);
        const last = (i: number): string => f.join(f.measure(signal, data[i]?.at(-1)));
        replaceWhen(legend, `${last(1)}${last(2)}${severity}`, () => ['10 s window', '60 s window'].map((name, i) => {
            const swatch = h('i.swatch');
            swatch.style.background = `var(${i === 0 ? (severity === 'critical' ? '--critical' : '--warning-mark') : '--series-1'})`;
            return h('span.row', {}, swatch, h('span.muted', {}, name), ' ', h('b.num', {}, last(i + 1)));
        }).concat(t || alert ? [h('span.row', {}, h('i.swatch.swatch-firing', { class: severity === 'critical' ? null : 'is-warning' }), h('span.muted', {}, 'firing'))] : []));
    };

    const fillSteps = async (service: string, region: string, runbook: string, signal: string): Promise<void> => {
        const items = await firstSteps(service, region, runbook, signal);
        replace(steps, items.map((i) => h('li', {}, i)));
        stepsBox.hidden = items.length === 0;
    };

    const timer = window.setInterval(() => {
        if (!document.hidden && history) {
            void history.poll().then(paint);
        }
    }, 1000);
    paint();
    void (history as History | null)?.poll().then(paint);
    return {
        element, alert: () => alert,
        update: (a) => {
            alert = a;
            paint();
        },
        destroy: () => {
            clearInterval(timer);
            plot?.destroy();
        },
    };
}

export function paintSilences(into: HTMLElement, list: alerts.Silence[]): void {
    replaceWhen(into, list.map((s) => s.id + s.endsAt).join(), () => list.map((s) => silenceLine(s)));
}

export function silenceLine(s: alerts.Silence): HTMLElement {
    const error = h('span.critical', { role: 'alert' });
    const act = (what: () => Promise<void>) => (): void => void what().catch((e: Error) => (error.textContent = e.message));
    return h('div.silence', {}, icons.silenced(), h('div', {}, h('p', {}, h('b', {}, `Silenced until ${f.when(Date.parse(s.endsAt), live.now())}`), ` by ${s.createdBy}: “${s.comment}”`),
        h('p.small.faint', {}, s.matchers.map((m) => `${m.name}${m.isEqual ? (m.isRegex ? '=~' : '=') : (m.isRegex ? '!~' : '!=')}${m.value}`).join(', ')), error),
    h('span.row', {}, button('1 h more', act(() => extendSilence(s, 3600000))), button('End it', act(() => endSilence(s.id)))));
}

export function bar(share: number, color: string, mark?: number): HTMLElement {
    const fill = h('i');
    fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
    fill.style.background = `var(${color})`;
    const element = h('span.meter', { 'aria-hidden': 'true' }, fill);
    if (mark !== undefined) {
        const tick = h('b');
        tick.style.left = `${mark * 100}%`;
        element.append(tick);
    }
    return element;
}
