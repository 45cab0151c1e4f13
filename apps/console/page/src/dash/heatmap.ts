// A heatmap of cumulative buckets: one hue, square-root scale, light to dark on light and the reverse on dark.
import { h } from '../dom.ts';
import { type Band, color, type Figure, makePlot, type Plot, type PlotOptions } from '../plot.ts';

export interface Heat {
    times: number[]; // s, the columns' middles
    lowest: string; // where the first row begins
    bounds: { label: string; le: number }[]; // ascending, each row's upper end
    /** [column][row], a second; null: no sample */
    cells: (number | null)[][];
}

function mix(a: string, b: string, t: number): string {
    const parse = (c: string): number[] => [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16));
    const [x, y] = [parse(a), parse(b)];
    return `rgb(${x.map((v, i) => Math.round(v + (y[i]! - v) * t)).join(',')})`;
}

/** Cumulative counts by le into those of each bucket; empty rows at both ends go. */
export function toHeat(times: number[], series: { le: string; values: (number | null)[] }[], label: (le: number) => string): Heat {
    const sorted = series.map((s) => ({ le: s.le === '+Inf' ? Infinity : Number(s.le), values: s.values })).sort((a, b) => a.le - b.le);
    const cells = times.map((_, c) => sorted.map((s, r) => {
        const v = s.values[c] ?? null;
        const below = r === 0 ? 0 : sorted[r - 1]!.values[c] ?? 0;
        return v === null ? null : Math.max(0, v - below);
    }));
    const used = sorted.map((_, r) => cells.some((c) => (c[r] ?? 0) > 1e-9));
    const first = Math.max(0, used.indexOf(true));
    const last = Math.max(first, used.lastIndexOf(true));
    return { times, lowest: first === 0 ? '0' : label(sorted[first - 1]!.le), bounds: sorted.slice(first, last + 1).map((s) => ({ le: s.le, label: s.le === Infinity ? '+Inf' : label(s.le) })), cells: cells.map((c) => c.slice(first, last + 1)) };
}

export const rowName = (heat: Heat, r: number): string => `${r > 0 ? heat.bounds[r - 1]!.label : heat.lowest} to ${heat.bounds[r]!.label}`;

export interface Heatmap {
    element: HTMLElement;
    draw: (heat: Heat, step: number, from: number, to: number, bands: Band[]) => void;
    destroy: () => void;
}

export function makeHeatmap(title: string, cell: (v: number) => string, plotOptions: Pick<PlotOptions, 'axis' | 'sync' | 'onSelect' | 'onReset'>): Heatmap {
    let heat: Heat = { times: [], lowest: '0', bounds: [], cells: [] };
    let step = 15;
    let most = 1e-12;
    const low = h('span.num');
    const high = h('span.num');

    const paint = (u: Plot['u']): void => {
        const { ctx, bbox } = u;
        const [lowColor, highColor] = [color('--heat-low'), color('--heat-high')];
        const right = bbox.left + bbox.width;
        const gap = devicePixelRatio;
        heat.cells.forEach((column, c) => {
            const x0 = Math.max(bbox.left, u.valToPos(heat.times[c]! - step / 2, 'x', true));
            const x1 = Math.min(right, u.valToPos(heat.times[c]! + step / 2, 'x', true));
            column.forEach((v, r) => {
                if (v !== null && v > 0 && x1 > x0) {
                    const y0 = u.valToPos(r + 1, 'y', true);
                    ctx.fillStyle = mix(lowColor, highColor, Math.sqrt(v / most));
                    ctx.fillRect(x0, y0, Math.max(1, x1 - x0 - gap), Math.max(1, u.valToPos(r, 'y', true) - y0 - gap));
                }
            });
        });
    };
    const figures = (index: number, row: number | null): Figure[] => {
        const column = heat.cells[index] ?? [];
        const rows = column.map((value, r) => ({ value, r })).filter((x): x is { value: number; r: number } => x.value !== null && (row === null ? x.value > 0 : x.r === row));
        return rows.sort((a, b) => b.value - a.value).slice(0, 3).map((x) => ({ name: rowName(heat, x.r), value: cell(x.value) }));
    };
    /** The rows' edges, as many as can be read. */
    const edges = (): { at: number; label: string }[] => {
        const every = Math.max(1, Math.ceil((heat.bounds.length + 1) / Math.max(2, Math.floor(plot.u.over.clientHeight / 20))));
        return [heat.lowest, ...heat.bounds.map((b) => b.label)].map((label, at) => ({ at, label })).filter((e) => e.at % every === 0);
    };
    const plot: Plot = makePlot({
        ...plotOptions, label: title, format: cell, lines: [{ label: title, color: 'transparent', width: 0 }],
        cells: { rows: () => heat.bounds.length, edges: () => (heat.bounds.length === 0 ? [] : edges()), paint, figures },
    });
    const element = h('div.dash-plot', {}, h('div.dash-holder', {}, plot.element), h('div.legend.heat-legend', {}, low, h('i.heat-scale'), high));
    return { element, draw: (made, s, from, to, bands) => {
        heat = made;
        step = s;
        most = Math.max(1e-12, ...heat.cells.flat().map((v) => v ?? 0));
        low.textContent = cell(0);
        high.textContent = cell(most);
        plot.setData([heat.times, heat.cells.map((c) => (c.some((v) => v !== null) ? 0 : null))]);
        plot.setRange(from, to);
        plot.setBands(bands);
    }, destroy: plot.destroy };
}
