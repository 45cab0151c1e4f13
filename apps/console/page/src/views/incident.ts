// The card of one alert on the Overview, and the rows of several.
import type { Alert } from '../alerts.ts';
import { drawBars } from '../bars.ts';
import { h, replaceWhen, setText } from '../dom.ts';
import * as f from '../format.ts';
import { History } from '../history.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';
import { makePlot, type Plot } from '../plot.ts';
import { openSilence } from '../silence.ts';
import { button, link } from '../ui.ts';

export const logsHref = (a: Alert): string =>
    `/logs?${new URLSearchParams([['var-service', a.service], ['var-region', a.region], ['alert', a.key]]).toString()}`;

const NAMES: Record<string, [string, string]> = {
    error_rate: ['Share of failed requests', 'of requests fail'],
    latency_p99: ['P99 latency', 'P99 latency'],
    latency_p95: ['P95 latency', 'P95 latency'],
    latency_p50: ['P50 latency', 'P50 latency'],
    request_rate: ['Requests a second', 'requests a second'],
    cpu: ['CPU', 'CPU utilisation'],
    memory: ['Memory', 'memory utilisation'],
};
export const signalName = (signal: string): [string, string] => NAMES[signal] ?? [signal, signal];

export class IncidentCard {
    readonly element: HTMLElement;
    private readonly history: History;
    private readonly plot: Plot;
    private readonly value = h('span.incident-number.num');
    private readonly unit = h('span.muted');
    private readonly facts = h('dl.facts');
    private readonly origin = h('span.muted');
    private timer: number;

    constructor(public alert: Alert) {
        const signal = alert.evidence?.signal ?? 'error_rate';
        const [title, words] = signalName(signal);
        const limit = alert.evidence?.threshold ?? null;
        this.history = new History(alert.service, alert.region, alert.route);
        const tone = alert.severity === 'critical' ? '--critical' : '--warning-mark';
        this.plot = makePlot({
            label: `${title} of ${alert.service} in ${alert.region}, last five minutes`, height: 168,
            format: (v) => f.limit(signal, v),
            lines: [{ label: '10 s window', color: tone, width: 2, fill: true }],
            limits: limit === null ? [] : [{ value: limit, label: `limit ${f.limit(signal, limit)}`, color: tone }],
        });
        this.element = h(`section.card.card-${alert.severity === 'critical' ? 'critical' : 'warning'}` as 'section', { 'aria-label': `${alert.name}, ${alert.service}, ${alert.region}` },
            h('div.card-left', {},
                h('p.card-title', {}, icons.ofState('firing', alert.severity), h('b', { class: alert.severity === 'critical' ? 'critical' : 'warning' }, alert.severity === 'critical' ? 'Critical' : 'Warning'),
                    ' ', this.origin),
                h('p.incident-line', {}, this.value, ' ', this.unit),
                this.facts,
                h('p.row', {}, link('Why it fired', `/alerts/${alert.key}`, { key: 'w', primary: true }), link('Logs', logsHref(alert), { key: 'l' }),
                    alert.runbook ? link('Runbook', `/runbooks/${alert.runbook}`) : null, button('Silence', () => openSilence(alert), { key: 's' }))),
            h('div.card-right', {}, h('p.card-plot-title', {}, h('b', {}, title), ' ', h('span.sub', {}, '10 s window, last 5 min')), this.plot.element));
        setText(this.unit, `${words}, limit ${f.limit(signal, limit)}`);
        this.timer = window.setInterval(() => document.hidden || void this.poll(), 1000);
        void this.poll();
        this.update(alert);
    }

    private async poll(): Promise<void> {
        await this.history.poll();
        this.plot.setData(this.history.data(this.alert.evidence?.signal ?? 'error_rate', 1));
        const end = Math.max(live.state.newest, this.history.rows.at(-1)?.time_unix_ms ?? 0);
        this.plot.setRange(end - 300000, live.isStale() ? live.now() : end);
        this.plot.setUnknown(live.isStale() ? end : null);
        this.plot.setMarks([{ at: this.alert.since, label: `first violated ${f.clock(this.alert.since)}`, left: true }]);
    }

    update(alert: Alert): void {
        this.alert = alert;
        const signal = alert.evidence?.signal ?? 'error_rate';
        setText(this.value, f.join(f.measure(signal, alert.value)));
        setText(this.origin, `${alert.name} · ${alert.source}${alert.state === 'silenced' ? ' · silenced' : ''}`);
        const end = live.isStale() ? live.state.newest : live.now();
        const failed = this.history.errorsSince(alert.since);
        const facts: [string, string][] = [['Since', f.when(alert.since, live.now(), true)], [live.isStale() ? `For, at ${f.clock(end)}` : 'For', f.duration(end - alert.since)]];
        if (signal === 'error_rate' && failed > 0) {
            facts.push([end - alert.since > 298000 ? 'Failed in 5 min' : 'Failed so far', f.count(failed)]);
        }
        replaceWhen(this.facts, JSON.stringify(facts), () => facts.map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd.num', {}, v))));
    }

    destroy(): void {
        clearInterval(this.timer);
        this.plot.destroy();
    }
}

const FIRST = 6;

/** Two to six alerts as rows; more grouped by service, the first six and the rest on demand. */
export class IncidentRows {
    readonly element = h('div.card.card-rows');
    private canvases = new Map<string, HTMLCanvasElement>();
    private values = new Map<string, HTMLElement>();
    private open = false;
    private list: Alert[] = [];

    update(list: Alert[]): void {
        this.list = list;
        const of = new Map<string, Alert[]>(); // worst first, and so are the services
        list.forEach((a) => of.set(a.service, [...(of.get(a.service) ?? []), a]));
        const groups = list.length > FIRST ? [...of.values()] : list.map((a) => [a]);
        const shown = this.open ? groups : groups.slice(0, FIRST);
        const oneRegion = new Set(list.map((a) => a.region)).size === 1;
        replaceWhen(this.element, JSON.stringify([oneRegion, groups.length, shown.map((g) => [g[0]!.key, g[0]!.state, g.length])]), () => {
            this.canvases.clear();
            this.values.clear();
            return [shown.map((g) => this.row(g, oneRegion)), groups.length > FIRST ? h('p.incident-more', {}, h('button.linklike', { type: 'button', onclick: () => {
                this.open = !this.open;
                this.update(this.list);
            } }, this.open ? `Show the ${FIRST} worst services only` : `Show ${f.count(groups.length - FIRST)} more services in trouble`)) : null];
        });
        for (const a of shown.map((g) => g[0]!)) {
            setText(this.values.get(a.key)!, f.join(f.measure(a.evidence?.signal ?? '', a.value)));
            const series = live.findSeries(a.service, a.region);
            if (series) {
                drawBars(this.canvases.get(a.key)!, live.barsOf(series));
            }
        }
    }

    private row(group: Alert[], oneRegion: boolean): HTMLElement {
        const a = group[0]!;
        const value = h('b.num.row-value', { class: a.severity === 'critical' ? 'critical' : 'warning' });
        const canvas = h('canvas.bars', { 'aria-hidden': 'true' });
        this.canvases.set(a.key, canvas);
        this.values.set(a.key, value);
        const also = group.length > 1 ? `, and ${group.length - 1} more` : '';
        const signal = a.evidence?.signal ?? '';
        return h(`a.incident-row.is-${a.severity}` as 'a', { href: `/alerts/${a.key}` }, h('span.row-where', {}, icons.ofState(a.state, a.severity), ' ', h('b', {}, a.service), ' ',
            h('span.muted', {}, `${oneRegion ? '' : `${a.region} · `}${a.name}${a.state === 'silenced' ? ' · silenced' : ''}${also}`)), value,
        h('span.muted.row-limit', {}, `${signal === 'error_rate' ? 'fail, ' : ''}limit ${f.limit(signal, a.evidence?.threshold)}`),
        h('span.num.row-since', {}, f.clock(a.since)), canvas, h('span.button.row-why', {}, 'Why'));
    }
}
