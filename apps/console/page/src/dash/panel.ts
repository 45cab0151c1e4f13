// One panel: its frame, its queries, its states.
import { instant } from '../api.ts';
import { h, replace, type Child } from '../dom.ts';
import * as f from '../format.ts';
import { blocks } from '../markdown.ts';
import type { Band } from '../plot.ts';
import { copy, problem } from '../ui.ts';
import { type Heat, makeHeatmap, toHeat } from './heatmap.ts';
import { fieldOf, type Panel } from './model.ts';
import { align, askAll, type Asked, lastOf } from './query.ts';
import { drawBarGauge, drawStat } from './stat.ts';
import { drawTable } from './table.ts';
import { isRelative, rangeWords, stepFor } from './time.ts';
import { makeTimeSeries, readExemplars, type TimeSeries } from './timeseries.ts';
import * as units from './units.ts';
import { type Scope, SCRAPE_S, type Variables } from './variables.ts';

export interface PanelContext {
    variables: Variables;
    time: () => { from: string; to: string };
    range: () => { from: number; to: number };
    bands: () => Band[];
    onSelect: (from: number, to: number) => void;
    onReset: () => void;
    open: (id: number | null) => void;
    isAlone: boolean;
}

export interface PanelView {
    element: HTMLElement;
    panel: Panel;
    refresh: () => Promise<void>;
    redraw: () => void;
    promql: () => string;
    isVisible: () => boolean;
    destroy: () => void;
}

export function makePanel(panel: Panel, context: PanelContext): PanelView {
    const body = h('div.dash-body');
    const more = h('div.dash-more');
    const element = h('section.panel.dash-panel', { 'aria-label': panel.title, tabindex: '-1' }, h('header.dash-head', {}, h('h2', { title: panel.description ?? '' }, panel.title), more), body);
    if (context.isAlone) {
        element.classList.add('dash-alone');
    }
    element.classList.add(`dash-${panel.type}`);
    element.style.setProperty('--x', String(panel.gridPos.x + 1));
    element.style.setProperty('--y', String(panel.gridPos.y + 1));
    element.style.setProperty('--w', String(panel.gridPos.w));
    element.style.setProperty('--h', String(panel.gridPos.h));
    let scope: Scope = { from: 0, to: 0, step: SCRAPE_S };
    let asked: Asked[] = [];
    let series: TimeSeries | null = null;
    let heat: ReturnType<typeof makeHeatmap> | null = null;
    let abort: AbortController | null = null;
    let visible = false;
    let loadedOnce = false;
    const observer = new IntersectionObserver((entries) => {
        const was = visible;
        visible = entries.at(-1)!.isIntersecting;
        if (visible && !was && !loadedOnce) {
            void refresh();
        }
    }, { rootMargin: '300px' });
    observer.observe(element);

    const height = context.isAlone ? 380 : panel.gridPos.h * 30 + (panel.gridPos.h - 1) * 8 - 74;
    const promql = (): string => (panel.targets ?? []).map((t) => context.variables.put(t.expr, scope, context.time())).join('\n');

    const paintMore = (): void => {
        const links = (panel.links ?? []).map((l) => h('a', { href: context.variables.put(l.url, scope, context.time()) }, l.title));
        replace(more, panel.description ? h('span.dash-description', {}, panel.description) : null, links,
            panel.targets ? h('button.linklike', { type: 'button', onclick: (e: Event) => void copy(promql(), e.currentTarget as HTMLElement) }, 'Copy as PromQL') : null,
            h('button.linklike', { type: 'button', onclick: () => context.open(context.isAlone ? null : panel.id) }, context.isAlone ? 'Back to all' : 'Open alone'));
    };

    /** Nothing came: is that good, young, or filtered away? */
    const paintEmpty = async (): Promise<void> => {
        loadedOnce = true;
        const noValue = panel.fieldConfig?.defaults.noValue;
        const say = (head: string, text: string): void => replace(body, h('div.dash-empty', {}, h('p', {}, h('b', {}, head)), h('p.muted.small', {}, text)));
        const samples = await instant('max(count_over_time(up{job="metrics-bridge"}[2m]))').then((r) => Number(r[0]?.value[1] ?? 0), () => NaN);
        if (samples < 4) {
            const left = Math.max(1, (4 - samples) * SCRAPE_S);
            say(`First rates in ${f.duration(left * 1000)}`, samples === 0 ? 'Prometheus has not scraped yet.' : `Prometheus has scraped ${samples === 1 ? 'once' : `${samples} times`}. A rate needs two scrapes, a rule an evaluation more.`);
            setTimeout(() => void refresh(), 5000);
            return;
        }
        const exprs = (panel.targets ?? []).map((t) => t.expr).join(' ');
        const isCluster = /\b(?:kube|container)_/.test(exprs);
        if (isCluster && await instant('count(kube_pod_status_phase) or count(container_cpu_usage_seconds_total)').then((r) => r.length === 0, () => false)) {
            say('No cluster is measured here', 'Prometheus has no figures of kube-state-metrics or the kubelet: nothing is known of pods and nodes.');
            return;
        }
        const covered = await instant(`max(count_over_time(up{job="metrics-bridge"}[${2 * scope.step}s]))`).then((r) => Number(r[0]?.value[1] ?? 0) * SCRAPE_S, () => Infinity);
        const budgets = /\bslo:/.test(exprs) ? await instant('count(slo:objective:ratio)').then((r) => Number(r[0]?.value[1] ?? 0), () => 1) : 1;
        if (budgets === 0) {
            say('First budgets within 5 min', 'Their rules are evaluated every 5 minutes.');
            setTimeout(() => void refresh(), 15000);
            return;
        }
        if (isRelative(context.time().to) && scope.step > SCRAPE_S && covered < 1.5 * scope.step) {
            say(`First points within ${f.duration(scope.step * 1500)}`, `A point of this range stands for ${f.duration(scope.step * 1000)}, and Prometheus is younger.`);
            return;
        }
        const chosen = context.variables.list.flatMap((v) => context.variables.chosen(v.name).map((c) => `${v.name} = ${c}`));
        const when = isRelative(context.time().from) ? rangeWords(context.time().from) : 'that time';
        say(noValue ?? (chosen.length > 0 ? `Nothing for ${chosen.join(', ')}` : `None in ${when}`), noValue ? `In ${when}.` : chosen.length > 0 ? `In ${when}.` : panel.description ?? '');
    };

    const drawHeat = (): boolean => {
        const a = asked[0]!;
        const { times } = align(asked, scope);
        const filled = a.matrix.map((m) => {
            const start = times[0]!;
            const values = new Array<number | null>(times.length).fill(null);
            m.values.forEach(([t, v]) => {
                const i = Math.round((t - start) / scope.step);
                values[i] = Number(v);
            });
            return { le: m.metric['le'] ?? '', values };
        });
        if (filled.length === 0) {
            return false;
        }
        const field = { ...fieldOf(panel, ''), unit: 's' };
        const made: Heat = toHeat(times, filled, (le) => units.axis(field, le));
        if (!heat) {
            heat = makeHeatmap(height, (v) => units.text({ unit: 'reqps' }, v));
        }
        if (heat.element.parentElement !== body) {
            replace(body, heat.element);
        }
        heat.draw(made, context.bands());
        return made.bounds.length > 0;
    };

    const drawSeries = (): boolean => {
        if (!series) {
            series = makeTimeSeries(panel, height, context.onSelect, context.onReset);
        }
        if (!series.draw(asked, scope, context.bands())) {
            return false;
        }
        if (series.element.parentElement !== body) {
            replace(body, series.element, context.isAlone ? aloneTable() : null);
        } else if (context.isAlone) {
            body.querySelector('.alone-table')?.replaceWith(aloneTable());
        }
        return true;
    };
    /** Every plot has a table: last, least, most and mean. */
    const aloneTable = (): HTMLElement => {
        const { series: list } = align(asked, scope);
        const field = (name: string) => fieldOf(panel, name);
        return h('div.scroll-x.alone-table', { tabindex: '0' }, h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, 'Series'), ['Last', 'Least', 'Most', 'Mean'].map((x) => h('th.r', {}, x)))), h('tbody', {}, list.map((s) => {
            const v = s.values.filter((x): x is number => x !== null);
            const show = (x: number | null): string => units.text(field(s.name), x);
            return h('tr', {}, h('td', {}, s.name), h('td.r', {}, show(lastOf(s.values))), h('td.r', {}, show(v.length ? Math.min(...v) : null)), h('td.r', {}, show(v.length ? Math.max(...v) : null)), h('td.r', {}, show(v.length ? v.reduce((a, b) => a + b, 0) / v.length : null)));
        }))));
    };

    const draw = (): boolean => {
        loadedOnce = true;
        const put = (made: HTMLElement | null): boolean => {
            if (made) {
                replace(body, made);
            }
            return made !== null;
        };
        switch (panel.type) {
        case 'timeseries': return drawSeries();
        case 'heatmap': return drawHeat();
        case 'stat': return put(drawStat(panel, asked, scope));
        case 'gauge': case 'bargauge': return put(drawBarGauge(panel, asked, scope));
        case 'table': return put(drawTable(panel, asked));
        default: return put(h('p.muted', {}, `Panels of type ${panel.type} aren’t drawn here.`));
        }
    };

    async function refresh(): Promise<void> {
        paintMore();
        if (panel.type === 'text') {
            loadedOnce = true;
            replace(body, h('div.runbook-text', {}, blocks(String(panel.options?.['content'] ?? '').split('\n'))));
            return;
        }
        const { from, to } = context.range();
        const width = Math.max(200, element.clientWidth - 60);
        scope = { from, to, step: stepFor(from, to, panel.type === 'heatmap' ? width / 12 : Math.min(width / 2, 400), SCRAPE_S) };
        abort?.abort();
        abort = new AbortController();
        const late = setTimeout(() => loadedOnce || replace(body, h('div.dash-loading', {}, h('p.faint', {}, `Loading ${f.duration(to - from)}`))), 300);
        try {
            asked = await askAll(panel.targets ?? [], context.variables, scope, context.time(), abort.signal);
            clearTimeout(late);
            if (!draw()) {
                await paintEmpty();
            } else if (series && (panel.targets ?? []).some((t) => t.exemplar)) {
                series.setExemplars(await readExemplars((panel.targets ?? []).filter((t) => t.exemplar).map((t) => context.variables.put(t.expr, scope, context.time())), scope, (v) => units.text({ unit: 's' }, v)));
            }
        } catch (e) {
            clearTimeout(late);
            if (e instanceof DOMException && e.name === 'AbortError') {
                return;
            }
            loadedOnce = true;
            const words: Child = (e as Error).message;
            replace(body, problem('Prometheus refused this query', String(words), () => void refresh(), promql()));
        }
    }
    return {
        element, panel, refresh, promql, isVisible: () => visible,
        redraw: () => asked.length > 0 && draw(),
        destroy: () => {
            abort?.abort();
            observer.disconnect();
            series?.destroy();
            heat?.destroy();
        },
    };
}
