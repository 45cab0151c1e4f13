// Time series: colours that stay, limits in words, incidents, exemplars, the last values in the legend.
import { get, query } from '../api.ts';
import { h, replace } from '../dom.ts';
import type { Scale } from '../plot/axes.ts';
import { type Band, type Exemplar, type Limit, makePlot, type Plot, type PlotOptions } from '../plot.ts';
import { COLORS, largest, Palette } from './colors.ts';
import { makeLegend } from './legend.ts';
import { colorName, fieldOf, isTrouble, type Panel } from './model.ts';
import { align, type Asked, lastOf } from './query.ts';
import * as units from './units.ts';
import type { Scope } from './variables.ts';

const OTHERS = '--spark';
const palette = new Palette(); // for the page's life

export interface TimeSeries {
    element: HTMLElement;
    draw: (asked: Asked[], scope: Scope, bands: Band[]) => void;
    setExemplars: (list: Exemplar[]) => void;
    destroy: () => void;
}
interface Row {
    name: string;
    values: (number | null)[];
    last: number | null;
}

/** The places where a step turns into trouble or out of it, as dashed lines. */
export function limitsOf(panel: Panel): Limit[] {
    const field = fieldOf(panel, '');
    const steps = field.custom!['thresholdsStyle'] === undefined ? [] : field.thresholds?.steps ?? [];
    return steps.flatMap((s, i): Limit[] => {
        const tone = isTrouble(s.color) ? s.color : steps[i - 1]?.color ?? '';
        return s.value === null || !isTrouble(tone) ? [] : [{ value: s.value, label: `${tone === 'red' ? 'alert' : 'limit'} ${units.axis(field, s.value)}`, color: colorName(tone) }];
    });
}

const scaleOf = (unit: string | undefined): Scale => (unit === 's' || unit === 'dtdurations' ? 'time' : unit === 'bytes' || unit === 'decbytes' ? 'bytes' : 'decimal');
const FIXED: Record<string, string> = { blue: '--p95', 'dark-blue': '--p50', 'super-light-blue': '--p99' };

/** A colour that the dashboard itself gives. */
function fixedColor(panel: Panel, name: string): string | null {
    const fixed = fieldOf(panel, name).color;
    return fixed?.mode === 'fixed' && fixed.fixedColor ? FIXED[fixed.fixedColor] ?? colorName(fixed.fixedColor) : null;
}

/** Each on top of those before it. */
function stack(rows: (number | null)[][], length: number): (number | null)[][] {
    return rows.map((_, i) => Array.from({ length }, (__, t) => rows.slice(i).reduce<number | null>((n, r) => (r[t] === null || r[t] === undefined ? n : (n ?? 0) + r[t]!), null)));
}

export function makeTimeSeries(panel: Panel, plotOptions: Pick<PlotOptions, 'axis' | 'sync' | 'onSelect' | 'onReset'>): TimeSeries {
    const holder = h('div.dash-holder');
    let plot: Plot | null = null;
    let order: string[] = [];
    let times: number[] = [];
    let values: (number | null)[][] = []; // in the order's
    let shape = '';
    let exemplars: Exemplar[] = [];
    let colors = new Map<string, number>();
    let shown = new Set<string>();
    const stacked = panel.fieldConfig?.defaults.custom?.['stacking'] !== undefined;
    const defaults = fieldOf(panel, '');
    const limits = limitsOf(panel);
    const othersName = (): string => `others, ${order.filter((n) => !isNamed(n)).length}`;
    const isNamed = (name: string): boolean => shown.has(name) || fixedColor(panel, name) !== null;
    const toneOf = (name: string): string => fixedColor(panel, name) ?? (shown.has(name) ? `--series-${colors.get(name)! + 1}` : OTHERS);
    const isShown = (name: string): boolean => legend.isShown(isNamed(name) ? name : othersName());
    const show = (): void => {
        plot?.setLines((i) => isShown(order[i]!));
        if (stacked) { // what is off carries nothing
            plot?.setData([times, ...stack(values.map((v, i) => (isShown(order[i]!) ? v : times.map(() => null))), times.length)]);
        }
    };
    const legend = makeLegend(panel.title, show);
    const element = h('div.dash-plot', {}, holder, legend.element);
    const dashOf = (name: string): number[] | undefined => (fieldOf(panel, name).custom!['lineStyle'] as { dash?: number[] } | undefined)?.dash;

    const choose = (rows: Row[]): void => {
        const free = rows.filter((r) => fixedColor(panel, r.name) === null);
        // Where the scale begins at 0 the highest are the largest; else those that move most.
        const size = (r: Row): number => {
            const known = r.values.filter((v): v is number => v !== null);
            return Math.max(...known) - (defaults.min === undefined ? Math.min(...known) : 0);
        };
        shown = free.length > COLORS ? largest(free.map((r) => ({ name: r.name, size: size(r) })), shown) : new Set(free.map((r) => r.name));
        colors = palette.assign([...shown], colors);
    };
    const make = (ordered: Row[]): void => {
        plot?.destroy();
        order = ordered.map((r) => r.name);
        plot = makePlot({
            ...plotOptions, own: () => values, label: `${panel.title}: ${order.slice(-8).reverse().join(', ')}`, format: (v, digits) => units.axis(defaults, v, digits), figure: (v, name) => units.text(fieldOf(panel, name), v), fit: defaults.min === undefined, rare: defaults.noValue !== undefined, limits, scale: scaleOf(defaults.unit),
            lines: order.map((name) => {
                const dash = dashOf(name);
                return { label: name, color: toneOf(name), width: Number(fieldOf(panel, name).custom!['lineWidth'] ?? 1) >= 2 ? 2 : isNamed(name) ? 1.5 : 1, ...(dash ? { dash } : {}), ...(stacked ? { fill: true } : {}) };
            }),
            ...(defaults.max !== undefined && limits.length === 0 ? { max: defaults.max } : {}),
        });
        replace(holder, plot.element);
        plot.setExemplars(exemplars);
    };

    const draw = (asked: Asked[], scope: Scope, bands: Band[]): void => {
        const aligned = align(asked, scope);
        const rows = aligned.series.filter((s) => s.values.some((v) => v !== null)).map((s): Row => ({ name: s.name, values: s.values, last: lastOf(s.values) }));
        choose(rows);
        const ranked = [...rows].sort((a, b) => Number(isNamed(b.name)) - Number(isNamed(a.name)) || (b.last ?? -1) - (a.last ?? -1));
        const ordered = stacked ? [...rows].sort((a, b) => a.name.localeCompare(b.name)) : [...ranked].reverse();
        // The lines' order and colours are part of the plot; a new one is made only when these changed.
        const key = rows.map((r) => `${r.name} ${toneOf(r.name)}`).sort().join('|');
        if (key !== shape || !plot) {
            shape = key;
            make(ordered);
        }
        const byName = new Map(rows.map((r) => [r.name, r.values]));
        times = aligned.times;
        values = order.map((n) => byName.get(n) ?? times.map(() => null));
        plot!.setData([times, ...(stacked ? stack(values, times.length) : values)]);
        plot!.setRange(scope.from, scope.to);
        plot!.setBands(bands);
        plot!.setUnknown(unknownFrom(times, values, scope));
        paintLegend(ranked);
    };
    const paintLegend = (ranked: Row[]): void => {
        const named = ranked.filter((r) => isNamed(r.name));
        const others = ranked.filter((r) => !isNamed(r.name));
        legend.paint([...named.map((r) => ({ name: r.name, title: r.name, color: toneOf(r.name), dash: dashOf(r.name) !== undefined, value: units.text(fieldOf(panel, r.name), r.last) })),
            ...(others.length > 0 ? [{ name: othersName(), title: `Others: ${others.map((r) => r.name).join('; ')}`, color: OTHERS, dash: false, value: '' }] : [])]);
        show();
    };
    return {
        element, draw,
        setExemplars: (list) => {
            exemplars = list;
            plot?.setExemplars(list);
        },
        destroy: () => plot?.destroy(),
    };
}

/** Every line ended more than three steps, and half a minute, before the right edge: nothing is known from then on. */
function unknownFrom(times: number[], lines: (number | null)[][], scope: Scope): number | null {
    let last = times.length - 1;
    while (last >= 0 && lines.every((l) => l[last] === null)) {
        last--;
    }
    const silence = scope.to / 1000 - (times[last] ?? 0);
    return last >= 0 && silence > Math.max(30, 4 * scope.step) ? times[last]! * 1000 : null;
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
