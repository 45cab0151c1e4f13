// One panel: its frame, its queries, its states.
import { ApiError } from '../api.ts';
import { h, replace, setText } from '../dom.ts';
import { blocks } from '../markdown.ts';
import { overlaps } from '../plot/bands.ts';
import type { Band } from '../plot.ts';
import { copy, problem } from '../ui.ts';
import { whyEmpty } from './empty.ts';
import { type Heatmap, makeHeatmap, rowName, toHeat } from './heatmap.ts';
import { fieldOf, type Panel } from './model.ts';
import { align, askAll, type Asked } from './query.ts';
import { drawBarGauge, drawStat } from './stat.ts';
import { drawSummary, drawTable } from './table.ts';
import { spanWords, stepFor } from './time.ts';
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
const AXIS = 58; // px: all plots begin at the same edge

export function makePanel(panel: Panel, context: PanelContext): PanelView {
    const body = h('div.dash-body');
    const more = h('div.dash-more');
    const state = h('span.dash-state');
    const about = h('span.dash-description', { title: panel.description ?? '' }, panel.description ?? '');
    const element = h('section.panel.dash-panel', { 'aria-label': panel.title, tabindex: '-1' }, h('header.dash-head', {}, h('h2', { title: panel.title }, panel.title), state, about, more), body);
    element.classList.add(`dash-${panel.type}`);
    element.classList.toggle('dash-alone', context.isAlone);
    for (const [name, value] of [['--x', panel.gridPos.x + 1], ['--y', panel.gridPos.y + 1], ['--w', panel.gridPos.w], ['--h', panel.gridPos.h]] as const) {
        element.style.setProperty(name, String(value));
    }
    let scope: Scope = { from: 0, to: 0, step: SCRAPE_S };
    let asked: Asked[] = [];
    let series: TimeSeries | null = null;
    let heat: Heatmap | null = null;
    let abort: AbortController | null = null;
    let visible = false;
    let loadedOnce = false;
    let again = 0;
    const observer = new IntersectionObserver((entries) => {
        const was = visible;
        visible = entries.at(-1)!.isIntersecting;
        if (visible && !was && !loadedOnce) {
            void refresh();
        }
    }, { rootMargin: '300px' });
    observer.observe(element);

    const plotOptions = { axis: AXIS, sync: 'dashboard', onSelect: context.onSelect, onReset: context.onReset };
    const put = (text: string): string => context.variables.put(text, scope, context.time());
    const promql = (): string => (panel.targets ?? []).map((t) => put(t.expr)).join('\n');
    const bandsHere = (): Band[] => {
        const exprs = (panel.targets ?? []).map((t) => t.expr);
        const metrics = asked.flatMap((a) => a.matrix.map((m) => m.metric));
        return context.bands().filter((b) => overlaps(b, exprs, metrics));
    };

    const paintMore = (): void => {
        const links = (panel.links ?? []).map((l) => h('a', { href: put(l.url), title: l.title }, l.title));
        replace(more, links, panel.targets ? h('button.linklike', { type: 'button', onclick: (e: Event) => void copy(promql(), e.currentTarget as HTMLElement) }, 'Copy as PromQL') : null,
            h('button.linklike', { type: 'button', onclick: () => context.open(context.isAlone ? null : panel.id) }, context.isAlone ? 'Back to all' : 'Open alone'));
    };
    const inState = (word: string): void => {
        setText(state, word);
        about.hidden = word !== '';
    };

    const paintEmpty = async (): Promise<void> => {
        loadedOnce = true;
        const why = await whyEmpty(panel, context.variables, scope, context.time());
        inState(why.state);
        replace(body, h('div.dash-empty', { ondblclick: context.onReset }, h('p', {}, h('b', {}, why.head)), why.text === '' ? null : h('p.muted.small', {}, why.text)));
        if (why.againMs !== undefined) {
            clearTimeout(again);
            again = window.setTimeout(() => element.isConnected && void refresh(), why.againMs);
        }
    };

    /** A plot stays in the document while its figures change. */
    const hold = (plot: HTMLElement): void => {
        if (plot.parentElement !== body) {
            replace(body, plot);
        }
    };
    /** Alone a plot has a table below. */
    const tabulate = (list: { name: string; values: (number | null)[] }[], unit?: string): void => {
        body.querySelector('.alone-table')?.remove();
        if (context.isAlone) {
            body.append(drawSummary(panel, list, unit));
        }
    };
    const drawHeat = (): boolean => {
        const { times, series: rows } = align(asked, scope);
        if (rows.length === 0) {
            return false;
        }
        const made = toHeat(times, rows.map((r) => ({ le: r.metric['le'] ?? '', values: r.values })), (le) => units.axis({ ...fieldOf(panel, ''), unit: 's' }, le));
        heat ??= makeHeatmap(panel.title, (v) => units.text({ unit: 'reqps' }, v), plotOptions);
        hold(heat.element);
        heat.draw(made, scope.step, scope.from, scope.to, bandsHere());
        tabulate(made.bounds.map((_, r) => ({ name: rowName(made, r), values: made.cells.map((c) => c[r] ?? null) })), 'reqps');
        return made.bounds.length > 0;
    };
    const drawSeries = (): boolean => {
        if (align(asked, scope).series.every((s) => s.values.every((v) => v === null))) {
            return false;
        }
        series ??= makeTimeSeries(panel, plotOptions);
        hold(series.element);
        series.draw(asked, scope, bandsHere());
        tabulate(align(asked, scope).series);
        return true;
    };

    const draw = (): boolean => {
        loadedOnce = true;
        const only = (made: HTMLElement | null): boolean => {
            if (made) {
                replace(body, made);
            }
            return made !== null;
        };
        switch (panel.type) {
        case 'timeseries': return drawSeries();
        case 'heatmap': return drawHeat();
        case 'stat': return only(drawStat(panel, asked, scope));
        case 'gauge': case 'bargauge': return only(drawBarGauge(panel, asked, scope));
        case 'table': return only(drawTable(panel, asked));
        default: return only(h('p.muted', {}, `Panels of type ${panel.type} aren’t drawn here.`));
        }
    };

    const paintProblem = (e: unknown): void => {
        loadedOnce = true;
        inState('failed');
        const status = e instanceof ApiError ? e.status : 400;
        replace(body, problem(status === 0 ? 'The console doesn’t answer' : status >= 500 && status !== 503 ? 'Prometheus doesn’t answer' : 'Prometheus refused this query', (e as Error).message, () => void refresh(), promql()));
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
        const late = setTimeout(() => {
            if (!loadedOnce || body.querySelector('.problem')) {
                inState('loading');
                replace(body, h('div.dash-loading', {}, h('p.faint', {}, `Loading ${spanWords(context.time(), to - from)}`)));
            }
        }, 300);
        try {
            asked = await askAll(panel.targets ?? [], context.variables, scope, context.time(), abort.signal);
            clearTimeout(late);
            if (!draw()) {
                await paintEmpty();
                return;
            }
            inState('');
            const withTraces = (panel.targets ?? []).filter((t) => t.exemplar).map((t) => put(t.expr));
            if (series && withTraces.length > 0) {
                series.setExemplars(await readExemplars(withTraces, scope, (v) => units.text({ unit: 's' }, v)));
            }
        } catch (e) {
            clearTimeout(late);
            if (!(e instanceof DOMException && e.name === 'AbortError')) {
                paintProblem(e);
            }
        }
    }
    return {
        element, panel, refresh, promql, isVisible: () => visible,
        redraw: () => asked.length > 0 && body.querySelector('.problem') === null && draw(),
        destroy: () => {
            abort?.abort();
            clearTimeout(again);
            observer.disconnect();
            series?.destroy();
            heat?.destroy();
        },
    };
}
