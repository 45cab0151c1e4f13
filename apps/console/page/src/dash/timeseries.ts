// Time series: colours that stay, limits in words, incidents, exemplars, the last values in the legend.
import { get, query } from '../api.ts';
import { h, replace } from '../dom.ts';
import { type Band, type Exemplar, makePlot, type Plot } from '../plot.ts';
import { colorName, fieldOf, type Panel } from './model.ts';
import { align, type Asked, lastOf } from './query.ts';
import * as units from './units.ts';
import type { Scope } from './variables.ts';

const MOST = 6;
const OTHERS = '--spark';
const colors = new Map<string, number>();

/** By sorted name, fixed for the page's life. */
function colorFor(name: string): string {
    return `--series-${(colors.get(name)! % 6) + 1}`;
}
function register(names: string[]): void {
    [...names].sort().forEach((n) => colors.has(n) || colors.set(n, colors.size));
}

export interface TimeSeries {
    element: HTMLElement;
    draw: (asked: Asked[], scope: Scope, bands: Band[]) => boolean;
    setExemplars: (list: Exemplar[]) => void;
    destroy: () => void;
}

export function makeTimeSeries(panel: Panel, height: number, onSelect: (from: number, to: number) => void, onReset: () => void): TimeSeries {
    const holder = h('div');
    const legend = h('div.legend');
    const element = h('div', {}, holder, legend);
    let plot: Plot | null = null;
    let shape = '';
    let alone: string | null = null;
    let off = new Set<string>();
    const stacked = panel.fieldConfig?.defaults.custom?.['stacking'] !== undefined;
    const defaults = fieldOf(panel, '');

    const limits = (): { value: number; label: string; color: string }[] => (defaults.custom!['thresholdsStyle'] === undefined ? [] :
        (defaults.thresholds?.steps ?? []).filter((s) => s.value !== null && s.color !== 'transparent' && s.color !== 'text')
            .map((s) => ({ value: s.value!, label: `limit ${units.axis(defaults, s.value!)}`, color: colorName(s.color) })));

    const toneOf = (name: string, isOther: boolean): string => {
        const fixed = fieldOf(panel, name).color;
        return fixed?.mode === 'fixed' && fixed.fixedColor ? ({ blue: '--p95', 'dark-blue': '--p50', 'super-light-blue': '--p99' }[fixed.fixedColor] ?? colorName(fixed.fixedColor)) : isOther ? OTHERS : colorFor(name);
    };

    const draw = (asked: Asked[], scope: Scope, bands: Band[]): boolean => {
        const { times, series } = align(asked, scope);
        const filled = series.filter((s) => s.values.some((v) => v !== null));
        if (filled.length === 0) {
            return false;
        }
        register(filled.map((s) => s.name));
        const ranked = [...filled].sort((a, b) => (lastOf(b.values) ?? -1) - (lastOf(a.values) ?? -1));
        const others = new Set(filled.length > MOST ? ranked.slice(MOST).map((s) => s.name) : []);
        const ordered = stacked ? [...filled].sort((a, b) => a.name.localeCompare(b.name)) : [...ranked].reverse();
        const key = ordered.map((s) => s.name).sort().join('|');
        let rows = ordered.map((s) => s.values);
        if (stacked) {
            rows = rows.map((_, i) => times.map((__, t) => rows.slice(i).reduce<number | null>((n, r) => (r[t] === null || r[t] === undefined ? n : (n ?? 0) + r[t]!), null)));
        }
        // The lines' order is part of the plot; a new one is made only when the set of names changed.
        if (key !== shape || !plot) {
            plot?.destroy();
            shape = key;
            plot = makePlot({
                label: `${panel.title}: ${ordered.map((s) => s.name).slice(0, 8).join(', ')}`, height, sync: 'dashboard', format: (v) => units.axis(defaults, v), limits: limits(), onSelect, onReset,
                lines: ordered.map((s) => {
                    const field = fieldOf(panel, s.name);
                    const dash = (field.custom!['lineStyle'] as { dash?: number[] } | undefined)?.dash;
                    return { label: s.name, color: toneOf(s.name, others.has(s.name)), width: Number(field.custom!['lineWidth'] ?? 1) >= 2 ? 2 : 1.5, ...(dash ? { dash } : {}), ...(stacked ? { fill: true } : {}) };
                }),
                ...(defaults.max !== undefined && !limits().length ? { max: defaults.max } : {}),
            });
            order = ordered.map((s) => s.name);
            replace(holder, plot.element);
        }
        const byName = new Map(ordered.map((s, i) => [s.name, rows[i]!]));
        plot.setData([times, ...order.map((n) => byName.get(n) ?? times.map(() => null))]);
        plot.setRange(scope.from, scope.to);
        plot.setBands(bands);
        paintLegend(ranked.map((s) => ({ name: s.name, last: lastOf(s.values) })), others);
        return true;
    };
    let order: string[] = [];

    const show = (): void => plot?.setLines((i) => (alone !== null ? order[i] === alone : !off.has(order[i]!)));
    const paintLegend = (list: { name: string; last: number | null }[], others: Set<string>): void => {
        const shown = list.filter((s) => !others.has(s.name));
        replace(legend, shown.map((s) => {
            const swatch = h('i.swatch');
            swatch.style.background = `var(${toneOf(s.name, false)})`;
            return h('button', { type: 'button', title: 'Click: alone; Ctrl: off', 'aria-pressed': String(alone !== null ? alone === s.name : !off.has(s.name)), onclick: (e: MouseEvent) => {
                if (e.ctrlKey || e.metaKey) {
                    alone = null;
                    off = new Set(off.has(s.name) ? [...off].filter((x) => x !== s.name) : [...off, s.name]);
                } else {
                    alone = alone === s.name ? null : s.name;
                }
                show();
                paintLegend(list, others);
            } }, swatch, s.name, ' ', h('b.num', {}, units.text(fieldOf(panel, s.name), s.last)));
        }), others.size > 0 ? h('span.row.faint', {}, (() => {
            const grey = h('i.swatch');
            grey.style.background = `var(${OTHERS})`;
            return grey;
        })(), `others, ${others.size}`) : null);
        show();
    };
    return { element, draw, setExemplars: (list) => plot?.setExemplars(list), destroy: () => plot?.destroy() };
}

/** The largest of each twelfth of the time: a dozen diamonds, not a cloud. */
export async function readExemplars(exprs: string[], scope: Scope, text: (v: number) => string): Promise<Exemplar[]> {
    const best = new Map<number, Exemplar>();
    for (const expr of exprs.slice(-1)) {
        const answer = await get<{ data: { seriesLabels: Record<string, string>; exemplars: { labels: Record<string, string>; value: string; timestamp: number }[] }[] }>(
            `/api/prometheus/query_exemplars?${query({ query: expr, start: scope.from / 1000, end: scope.to / 1000 })}`).catch(() => ({ data: [] }));
        for (const series of answer.data) {
            for (const e of series.exemplars) {
                const trace = e.labels['trace_id'];
                const at = e.timestamp * 1000;
                const slot = Math.floor(((at - scope.from) / (scope.to - scope.from)) * 12);
                const value = Number(e.value);
                if (trace && (best.get(slot)?.value ?? -1) < value) {
                    best.set(slot, { at, value, href: `/logs?${query({ trace })}`, label: `One request of ${text(value)}, ${series.seriesLabels['service_name'] ?? ''} ${series.seriesLabels['http_route'] ?? ''}: its log lines` });
                }
            }
        }
    }
    return [...best.values()];
}
