// Lab: break something, and watch the truth beside what was detected.
import * as alerts from '../alerts.ts';
import { range, type Matrix } from '../api.ts';
import { tail } from '../chance.ts';
import { h, replaceWhen, setText, type Child } from '../dom.ts';
import { endFault, type Fault, faults, readFaults, startFault } from '../faults.ts';
import * as f from '../format.ts';
import { History } from '../history.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';
import { makePlot, type Plot } from '../plot.ts';
import { button, segments, select } from '../ui.ts';
import type { View } from '../view.ts';

interface Kind {
    type: string;
    name: string;
    what: string;
    label: string;
    min: number;
    max: number;
    step: number;
    value: number;
    show: (v: number) => string;
    magnitude: (v: number) => number | undefined;
    signal: string;
}
const share = (v: number): string => `${v} %`;
const factor = (v: number): string => `× ${v}`;
const KINDS: Kind[] = [
    { type: 'error_burst', name: 'Error burst', what: 'A share of requests answers 5xx', label: 'Share', min: 1, max: 100, step: 1, value: 30, show: share, magnitude: (v) => v / 100, signal: 'error_rate' },
    { type: 'latency_spike', name: 'Latency spike', what: 'Requests take a multiple of their time', label: 'Factor', min: 2, max: 20, step: 1, value: 5, show: factor, magnitude: (v) => v, signal: 'latency_p99' },
    { type: 'traffic_surge', name: 'Traffic surge', what: 'A multiple of the usual requests', label: 'Factor', min: 2, max: 10, step: 1, value: 3, show: factor, magnitude: (v) => v, signal: 'request_rate' },
    { type: 'saturation', name: 'Saturation', what: 'CPU and memory rise to a level', label: 'Level', min: 50, max: 100, step: 1, value: 95, show: share, magnitude: (v) => v / 100, signal: 'cpu' },
    { type: 'region_outage', name: 'Region outage', what: 'A region sends nothing', label: '', min: 0, max: 0, step: 1, value: 0, show: () => '', magnitude: () => undefined, signal: 'request_rate' },
];
const LEGENDS: Record<string, string> = { error_rate: 'failed requests, 10 s window', latency_p99: 'P99 latency, 10 s window', request_rate: 'requests each second' };
const kindOf = (type: string): Kind => KINDS.find((k) => k.type === type) ?? KINDS[0]!;
const ruleOf = (signal: string): string => [...alerts.store.limits].find(([, l]) => l.signal === signal)?.[0] ?? '';

function magnitudeText(fault: Fault): string {
    const m = fault.magnitude;
    return m === undefined || fault.type === 'region_outage' ? '' : fault.type === 'latency_spike' || fault.type === 'traffic_surge' ? ` ×${m}` : ` ${Number((m * 100).toFixed(1))} %`;
}
const where = (fault: Fault): string => fault.service || fault.region ? `${fault.service ?? 'all services'}, ${fault.region ?? 'all regions'}` : 'everywhere';
const beginOf = (fault: Fault): number => Date.parse(fault.begin);
const endOf = (fault: Fault): number => (fault.end ? Date.parse(fault.end) : Infinity);

interface Found {
    fired: live.Transition | undefined;
    cleared: live.Transition | undefined;
}
function look(fault: Fault): Found {
    const kind = kindOf(fault.type);
    const fits = (t: live.Transition): boolean => (!fault.service || t.labels['service.name'] === fault.service) && (!fault.region || t.labels['cloud.region'] === fault.region) &&
        (kind.signal === 'cpu' ? ['cpu', 'memory'].includes(t.signal) : kind.signal.startsWith('latency') ? t.signal.startsWith('latency') : t.signal === kind.signal);
    const fired = live.state.transitions.find((t) => t.state === 'firing' && fits(t) && Date.parse(t.detected_at) >= beginOf(fault) && Date.parse(t.detected_at) <= endOf(fault) + 60000);
    const cleared = fired && live.state.transitions.find((t) => t.state === 'resolved' && t.fingerprint === fired.fingerprint && t.sequence === fired.sequence + 1);
    return { fired, cleared };
}

// Rules of Prometheus that a kind of fault may make fire, and what of them fired over the faults of the table.
const PROMETHEUS_RULES: Record<string, RegExp> = { error_burst: /^HighErrorRate$|^ErrorBudgetBurnRate/, latency_spike: /^HighLatencyP99$/, region_outage: /^TelemetryAbsent$/ };
const STEP_S = 15;
let noted: Matrix[] = [];
async function readNoted(shown: Fault[]): Promise<void> {
    const now = live.now() / 1000;
    const from = Math.max(now - 6 * 3600, Math.min(...shown.map((x) => beginOf(x) / 1000)) - 60);
    noted = shown.length === 0 ? [] : await range('ALERTS{alertstate="firing"}', from, now, STEP_S);
}
/** The first that fired after the fault began and hadn't before; to the step of the query. */
function lookInPrometheus(fault: Fault): { name: string; at: number } | undefined {
    const begin = beginOf(fault) / 1000;
    const fits = (m: Record<string, string>): boolean => !!PROMETHEUS_RULES[fault.type]?.test(m['alertname'] ?? '') && (!fault.service || !m['service_name'] || m['service_name'] === fault.service) && (!fault.region || !m['cloud_region'] || m['cloud_region'] === fault.region);
    return noted.filter((a) => fits(a.metric) && !a.values.some(([t]) => t <= begin && t > begin - 60))
        .map((a) => ({ name: a.metric['alertname']!, at: (a.values.find(([t]) => t > begin)?.[0] ?? Infinity) * 1000 }))
        .filter((a) => a.at <= endOf(fault) + 600000).sort((a, b) => a.at - b.at)[0];
}

/** Seconds from a burst's begin until the shortest window shows it; null: it may never. */
function expectedSeconds(rate: number, bad: number, limit: number): number | null {
    for (let t = 1; t <= 60; t++) {
        const w = t <= 10 ? 10 : 60;
        const n = Math.round(rate * w);
        const failed = Math.floor(rate * bad * Math.min(t, w));
        if (failed >= 5 && failed / n > limit && tail(n, failed, limit) <= 0.001) {
            return t + 2;
        }
    }
    return null;
}

export function makeLab(): View {
    let kind = KINDS[0]!;
    let value = kind.value;
    let service = 'payment-service';
    let region = 'eu-west-1';
    let forS = '60';
    let history: History | null = null;
    let plot: Plot | null = null;
    let watched = '';
    let limited: number | null = null;
    const kinds = h('div.kinds', { role: 'radiogroup', 'aria-label': 'Kind of fault' });
    const places = h('div.form');
    const slider = h('input', { type: 'range', 'aria-label': 'Magnitude' });
    const number = h('output.num');
    const magnitude = h('div.lab-row', {}, h('span.lab-label'), slider, number);
    const note = h('p.note.lab-note', { 'aria-live': 'polite' });
    const error = h('p.critical', { role: 'alert' });
    const start = h('button.button.primary.wide', { type: 'submit' }, 'Start the fault');
    const fieldset = h('fieldset', {}, kinds, places, magnitude,
        h('div.lab-row', {}, h('span.lab-label', {}, 'For'), segments('For', [['30', '30 s'], ['60', '60 s'], ['120', '2 min'], ['300', '5 min']], forS, (v) => {
            forS = v;
            paintForm();
        })), note, error, start);
    const form = h('form.panel.lab-form', { onsubmit: (e: Event) => {
        e.preventDefault();
        setText(error, '');
        const m = kind.magnitude(value);
        start.disabled = true;
        startFault({ type: kind.type, ...(service ? { service } : {}), ...(region ? { region } : {}), ...(m === undefined ? {} : { magnitude: m }), duration: `${forS}s` })
            .then(paint, (x: Error) => setText(error, x.message)).finally(() => (start.disabled = false));
    } }, h('h1.lab-title', {}, 'Break something'), h('p.warning.no-simulator', { hidden: true }), fieldset);
    const running = h('section.panel.lab-running');
    const table = h('section.panel.flush');
    const element = h('div.page.lab', {}, form, h('div.lab-right', {}, running, table));

    kinds.append(...KINDS.map((k) => {
        const radio = h('input', { type: 'radio', name: 'kind', value: k.type, onchange: () => {
            kind = k;
            value = k.value;
            slider.min = String(k.min);
            slider.max = String(k.max);
            slider.step = String(k.step);
            slider.value = String(value);
            paintForm();
        } });
        radio.checked = k === kind;
        return h('label.kind', {}, radio, h('span', {}, h('b', {}, k.name), h('span.muted.small', {}, k.what)));
    }));
    slider.min = String(kind.min);
    slider.max = String(kind.max);
    slider.value = String(value);
    slider.addEventListener('input', () => {
        value = Number(slider.value);
        paintForm();
    });

    const affected = (): live.Series[] => live.pairs().filter((s) => (service === '' || s.service === service) && (region === '' || s.region === region));

    const words = (): Child[] => {
        const time = Number(forS) < 100 ? `${forS}\u00a0s` : `${Number(forS) / 60}\u00a0min`;
        const bold = (text: string): HTMLElement => h('b', {}, text);
        const place = [bold(service || 'every service'), ' in ', bold(region || 'all regions')];
        const m = kind.magnitude(value) ?? 0;
        const rule = ruleOf(kind.signal);
        const limit = alerts.limitOf(kind.signal);
        const slowest = affected().sort((a, b) => (live.shown(b).rate ?? 0) - (live.shown(a).rate ?? 0))[0];
        const rate = slowest ? live.shown(slowest).rate ?? 0 : 0;
        const clears = 'It clears about 25 s after it ends: 100 to 1 that it is over, and 20 quiet seconds.';
        switch (kind.type) {
        case 'error_burst': {
            const begin = [`For ${time}, `, bold(share(value)), ' of ', ...place, ' will fail. '];
            if (limit !== null && m <= limit) {
                return [...begin, `${rule} has its limit at ${f.limit('error_rate', limit)}, so nothing should fire: rightly quiet.`];
            }
            const s = expectedSeconds(rate, m, limit ?? 0.05);
            return [...begin, s === null || s > Number(forS) ? `With ${f.join(f.rate(rate))} that may be too few failures to rule out chance: ${rule || 'the alert'} may not fire.` : `Expect ${rule || 'an alert'} about ${s} s after it begins. ${clears}`];
        }
        case 'latency_spike': {
            const p99 = (slowest?.minute.p99 ?? 0.2) * m;
            const begin = [`For ${time}, requests to `, ...place, ' take ', bold(`${value} times`), ' as long. '];
            return [...begin, limit !== null && p99 <= limit ? `P99 would be about ${f.join(f.seconds(p99))}, under the limit of ${f.limit('latency_p99', limit)}: nothing should fire.` : `P99 would be about ${f.join(f.seconds(p99))}. Expect ${rule || 'an alert'} within about 5 s. ${clears}`];
        }
        case 'traffic_surge':
            return [`For ${time}, `, ...place, ' gets ', bold(`${value} times`), ' its requests. No rule looks at a surge: watch the bars grow, nothing fires.'];
        case 'saturation':
            return [`For ${time}, CPU and memory of `, ...place, ' rise to ', bold(share(value)), `. ${ruleOf('cpu') || ruleOf('memory') ? `Expect ${ruleOf('cpu') || ruleOf('memory')}.` : 'No rule of the stream looks at this; the dashboard shows it.'}`];
        default:
            return [`For ${time}, `, ...(service ? place : [bold(region || 'every region')]), ` sends nothing. TrafficLost fires once it has an hour of history, after its window of 60 s and three seconds; before that only Prometheus would notice, after 10 min.`];
        }
    };

    const paintForm = (): void => {
        const services = [...new Set(live.pairs().map((s) => s.service))].sort();
        const regions = [...new Set(live.pairs().map((s) => s.region))].sort();
        replaceWhen(places, JSON.stringify([services, regions]), () => [
            h('div.lab-row', {}, h('span.lab-label', { 'aria-hidden': 'true' }, 'Service'), labelled('Service', select('', [['', 'All services'], ...services.map((x): [string, string] => [x, x])], service, (v) => {
                service = v;
                paintForm();
            }))),
            h('div.lab-row', {}, h('span.lab-label', { 'aria-hidden': 'true' }, 'Region'), labelled('Region', select('', [['', 'All regions'], ...regions.map((x): [string, string] => [x, x])], region, (v) => {
                region = v;
                paintForm();
            })))]);
        magnitude.hidden = kind.label === '';
        setText(magnitude.firstElementChild!, kind.label);
        setText(number, kind.show(value));
        const said = h('p', {}, words());
        replaceWhen(note, said.textContent ?? '', () => [...said.childNodes]);
        const none = faults.loaded && faults.problem !== '';
        fieldset.disabled = none;
        const why = form.querySelector<HTMLElement>('.no-simulator')!;
        why.hidden = !none;
        setText(why, faults.problem);
    };
    const labelled = (name: string, element: HTMLLabelElement): HTMLLabelElement => {
        element.querySelector('select')!.setAttribute('aria-label', name);
        element.classList.add('grow');
        return element;
    };

    const verdictOf = (fault: Fault, found: Found): [string, 'done' | 'warning' | 'muted'] => {
        const limit = alerts.limitOf(kindOf(fault.type).signal);
        if (found.fired) {
            return ['found', 'done'];
        }
        if (lookInPrometheus(fault)) {
            return ['found by Prometheus', 'done'];
        }
        if (fault.state === 'cancelled') {
            return ['ended before it began', 'muted'];
        }
        if (fault.type === 'traffic_surge' || (fault.type === 'saturation' && !ruleOf('cpu') && !ruleOf('memory'))) {
            return ['no rule looks at this', 'muted'];
        }
        if (fault.type === 'error_burst' && limit !== null && (fault.magnitude ?? 0) <= limit) {
            return ['under the limit, rightly quiet', 'muted'];
        }
        if (fault.state !== 'ended') {
            return ['not yet found', 'muted'];
        }
        return fault.type === 'region_outage' ? ['not found: TrafficLost is still learning, or it was over too soon', 'warning'] : fault.type === 'latency_spike' ? ['not found: P99 stayed under the limit, or it was too short', 'muted'] : ['not found: too few failed to rule out chance', 'warning'];
    };

    const paintTable = (): void => {
        const list = latest();
        const rows = list.map((x) => {
            const found = look(x);
            const [text, tone] = verdictOf(x, found);
            const other = found.fired ? undefined : lookInPrometheus(x);
            return { id: x.id, name: kindOf(x.type).name + magnitudeText(x), where: where(x), began: f.when(beginOf(x), live.now(), true), found: found.fired ? f.delay(Date.parse(found.fired.detected_at) - beginOf(x)) : other ? `about ${f.duration(other.at - beginOf(x))}` : f.DASH,
                cleared: found.cleared ? f.delay(Math.max(0, Date.parse(found.cleared.detected_at) - endOf(x))) : x.state === 'active' ? 'running' : found.fired ? 'not yet' : f.DASH, text: other ? `${text}, ${other.name}` : text, tone, fired: found.fired };
        });
        replaceWhen(table, JSON.stringify(rows.map(({ fired, ...r }) => [r, fired?.alert_id])), () => [h('div.section-head', {}, h('h2', {}, 'How well it was found'), h('span.faint.small', {}, 'truth against detection, of this simulator’s faults')),
            rows.length === 0 ? h('p.muted', {}, 'No fault yet. Start one on the left; its truth and its detection show here.') : h('div.scroll-x', { tabindex: '0' }, h('table', {}, h('thead', {}, h('tr', {}, ['Fault', 'Where', 'Began'].map((x) => h('th', {}, x)), h('th.r', {}, 'Found after'), h('th.r', {}, 'Cleared after'), h('th.gap', {}, 'Verdict'))),
                h('tbody', {}, rows.map((r) => h('tr', {}, h('td', {}, r.name), h('td', {}, r.where), h('td.num', {}, r.began), h('td.r', {}, r.found), h('td.r', {}, r.cleared), h('td.gap', { class: r.tone === 'muted' ? 'muted' : '' }, r.tone === 'done' ? h('span.done', {}, icons.check(), ' ') : null,
                    r.fired ? h('a', { href: `/alerts/${r.fired.fingerprint}/${r.fired.sequence}` }, `${r.text}, ${r.fired.rule}`) : r.text)))))),
        ]);
    };

    const current = (): Fault | undefined => {
        const list = [...faults.list].sort((a, b) => beginOf(b) - beginOf(a));
        return list.find((x) => x.state === 'active') ?? list.find((x) => x.state === 'ended' && live.now() - endOf(x) < 240000);
    };

    const steps = (fault: Fault, found: Found): HTMLElement[] => {
        const told = found.fired && live.state.notifications.find((n) => n.received_unix_ms >= Date.parse(found.fired!.detected_at) - 500 && n.webhook.status === 'firing' &&
            n.webhook.alerts?.some((a) => a.labels['alertname'] === found.fired!.rule && a.labels['service_name'] === found.fired!.labels['service.name'] && a.labels['cloud_region'] === found.fired!.labels['cloud.region']));
        const after = (ms: number): string => `+${f.delay(ms - beginOf(fault))}`;
        const list: [string, string, boolean][] = [['Fault began', f.clockMs(beginOf(fault)).slice(0, -2), true],
            ['First violated', found.fired ? after(Math.max(beginOf(fault), live.firstViolated(found.fired))) : 'waiting', !!found.fired], ['Alert fired', found.fired ? after(Date.parse(found.fired.detected_at)) : 'waiting', !!found.fired],
            ['Notified', told ? after(told.received_unix_ms) : found.fired ? 'not measured yet' : 'waiting', !!told],
            ['Cleared', found.cleared ? `${f.delay(Math.max(0, Date.parse(found.cleared.detected_at) - endOf(fault)))} after its end` : fault.state === 'active' ? 'after it ends' : found.fired ? 'waiting' : f.DASH, !!found.cleared]];
        return list.map(([name, what, done]) => h(`li.lab-step${done ? '.done-step' : ''}` as 'li', {}, h('i'), h('b', {}, name), h('span.muted.num', {}, what)));
    };

    const lanes = h('div.lanes');
    const paintRunning = (): void => {
        const fault = current();
        if (!fault) {
            watched = '';
            plot?.destroy();
            plot = null;
            history = null;
            replaceWhen(running, 'none', () => h('p.muted', {}, 'Nothing is broken. A fault that runs shows here: its truth, and when each part of the platform noticed.'));
            return;
        }
        const found = look(fault);
        const series = found.fired ? live.findSeries(found.fired.labels['service.name']!, found.fired.labels['cloud.region']!) : live.pairs().filter((s) => (!fault.service || s.service === fault.service) && (!fault.region || s.region === fault.region)).sort((a, b) => (live.shown(b).rate ?? 0) - (live.shown(a).rate ?? 0))[0];
        const signal = kindOf(fault.type).signal === 'cpu' ? 'error_rate' : kindOf(fault.type).signal;
        const key = `${fault.id}|${series?.id ?? ''}`;
        if (key !== watched && series) {
            watched = key;
            plot?.destroy();
            history = new History(series.service, series.region);
            plot = makePlot({ label: 'What the fault does', height: 230, format: (v) => f.limit(signal, v), lines: [{ label: signal === 'request_rate' ? 'requests each second' : '10 s window', color: '--critical', width: 2 }] });
            limited = null;
        }
        const limit = signal === 'request_rate' ? null : alerts.limitOf(signal);
        if (plot && limit !== limited) { // the rules may come after the plot
            limited = limit;
            plot.setLimits(limit === null ? [] : [{ value: limit, label: `limit ${f.limit(signal, limit)}`, color: '--critical' }]);
        }
        const isActive = fault.state === 'active';
        replaceWhen(running, `${watched}|${isActive}`, () => [h('div.lab-head', {}, h('b', {}, `${isActive ? 'Running' : 'Ended'}: ${kindOf(fault.type).name.toLowerCase()}, ${where(fault)}${magnitudeText(fault).replace(' ', ', ')}`), h('span.muted.num.lab-time', {}),
            isActive ? button('End it now', () => void endFault(fault.id).then(paint)) : null), h('ol.lab-steps'), lanes, plot?.element, h('p.legend.lab-legend', {}, h('span.row', {}, h('i.swatch.swatch-critical'), h('span.muted.lab-what', {}), h('b.num.lab-value', {})), h('span.faint', {}, 'The gap between the two bars is the time to detect.'))]);
        setText(running.querySelector('.lab-time')!, isActive ? `${f.duration(live.now() - beginOf(fault))} of ${f.duration(endOf(fault) - beginOf(fault))}` : `over since ${f.clock(endOf(fault))}`);
        const made = steps(fault, found);
        replaceWhen(running.querySelector('.lab-steps')!, made.map((m) => m.outerHTML).join(''), () => made);
        if (plot && history && history.rows.length > 0) {
            const data = history.data(signal, 1);
            plot.setData(data);
            const end = history.rows.at(-1)!.time_unix_ms;
            const from = Math.max(end - 300000, Math.min(beginOf(fault) - 45000, end - 120000));
            plot.setRange(from, end);
            plot.setMarks([{ at: beginOf(fault), label: '', dotted: true }, ...(found.fired ? [{ at: Date.parse(found.fired.detected_at), label: '', dotted: true }] : [])]);
            setText(running.querySelector('.lab-what')!, `${LEGENDS[signal] ?? signal}${fault.service && fault.region ? '' : ` of ${series?.service}, ${series?.region}`}`);
            setText(running.querySelector('.lab-value')!, f.join(f.measure(signal, data[1]!.at(-1))));
            paintLanes(fault, found, from, end);
        }
    };
    const paintLanes = (fault: Fault, found: Found, from: number, end: number): void => {
        const place = (name: string, begin: number, until: number, kindOfLane: string): HTMLElement => {
            const bar = h(`i.lane-bar.${kindOfLane}` as 'i');
            const at = (t: number): number => Math.max(0, Math.min(100, ((t - from) / (end - from)) * 100));
            bar.style.left = `${at(begin)}%`;
            bar.style.width = `${Math.max(0, at(until) - at(begin))}%`;
            const label = h('span.lane-label', {}, name);
            label.style.right = `${100 - at(begin)}%`;
            return h('div.lane', {}, bar, label);
        };
        replaceWhen(lanes, `${end}${found.fired?.alert_id}${found.cleared?.alert_id}`, () => [place('fault, the truth', beginOf(fault), Math.min(end, endOf(fault)), 'lane-truth'),
            found.fired ? place('alert firing', Date.parse(found.fired.detected_at), found.cleared ? Date.parse(found.cleared.detected_at) : end, 'lane-firing') : h('div.lane', {}, h('span.lane-label.lane-wait', {}, 'alert firing: not yet'))]);
        const box = plot!.u;
        lanes.style.marginLeft = `${box.bbox.left / devicePixelRatio}px`;
        lanes.style.width = `${box.bbox.width / devicePixelRatio}px`;
    };

    function paint(): void {
        paintForm();
        paintTable();
        paintRunning();
    }
    let turn = 0;
    const latest = (): Fault[] => [...faults.list].sort((a, b) => beginOf(b) - beginOf(a)).slice(0, 12);
    const askPrometheus = (): void => void readNoted(latest()).then(paintTable, () => undefined);
    const timer = window.setInterval(() => {
        if (!document.hidden) {
            void Promise.all([readFaults(), history?.poll()]).then(paint);
            if (++turn % STEP_S === 0) {
                askPrometheus();
            }
        }
    }, 1000);
    void readFaults().then(() => {
        paint();
        askPrometheus();
    });
    return { element, title: 'Lab', update: paint, navigated: () => true, keys: { '/': () => slider.focus() }, destroy: () => {
        clearInterval(timer);
        plot?.destroy();
    } };
}
