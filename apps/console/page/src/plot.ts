// One look for all plots: uPlot with our colours, limits in words on their line, incidents as a tint, gaps hatched.
import uPlot from 'uplot';
import { h } from './dom.ts';
import * as f from './format.ts';
import { type Scale, timeLabels, timeSplits, valueLabels, valueRange, valueSplits } from './plot/axes.ts';
import type { Band } from './plot/bands.ts';
import { addHover, type Figure } from './plot/hover.ts';
import { color, type Limit, type Mark, paintBands, paintGaps, paintLimits, paintMarks } from './plot/paint.ts';

export { type Band, flatten } from './plot/bands.ts';
export type { Figure } from './plot/hover.ts';
export { color, type Limit, type Mark } from './plot/paint.ts';

export interface Line {
    label: string;
    color: string; // a custom property's name: "--series-1"
    width?: number;
    dash?: number[];
    fill?: boolean;
    bars?: boolean;
}
export interface Exemplar {
    at: number; // ms
    value: number;
    href: string;
    label: string;
}
export interface PlotOptions {
    label: string; // for those who can't see it
    height?: number; // without it the plot is as high as what it is put into
    format: (value: number, digits?: number) => string; // of the ticks; and of what is said, unless figure is there
    figure?: (value: number, line: string) => string;
    lines: Line[];
    limits?: Limit[];
    max?: number; // the scale reaches at least so far
    scale?: Scale;
    fit?: boolean; // around the figures, not from 0
    rare?: boolean; // of events that needn't happen: a stretch without them is no gap
    axis?: number; // px for the figures beside y, at least: plots below each other begin at the same edge
    sync?: string;
    onSelect?: (from: number, to: number) => void;
    onReset?: () => void;
    tooltip?: boolean;
    ticks?: number[]; // of y
    /** The lines' own figures, where what is drawn stands on top of others. */
    own?: () => (number | null)[][];
    /** A picture of its own in place of lines, behind the incidents; y then goes from 0 to rows, named at their edges. */
    cells?: { rows: () => number; edges: () => { at: number; label: string }[]; paint: (u: uPlot) => void; figures: (index: number, row: number | null) => Figure[] };
}
export interface Plot {
    element: HTMLElement;
    setData: (data: (number | null)[][]) => void; // first the times, s
    setRange: (from: number, to: number) => void; // ms
    setBands: (bands: Band[]) => void;
    setMarks: (marks: Mark[]) => void;
    setLimits: (limits: Limit[]) => void;
    setLines: (visible: (i: number) => boolean) => void;
    setExemplars: (list: Exemplar[]) => void;
    /** Nothing is known from then on: hatched to the right edge. */
    setUnknown: (from: number | null) => void;
    destroy: () => void;
    u: uPlot;
}

const plots = new Set<() => void>();
/** After the theme or the zone changed. */
export const redrawAll = (): void => plots.forEach((p) => p());

const FONT = '11px Inter, system-ui, sans-serif';
const offsetOf = (at: number): number => (f.isLocal() ? -new Date(at * 1000).getTimezoneOffset() * 60 : 0);

function axes(options: PlotOptions): uPlot.Axis[] {
    const look: uPlot.Axis = { stroke: () => color('--faint'), font: FONT, ticks: { show: false }, grid: { show: true, stroke: () => color('--grid'), width: 1 }, gap: 6 };
    const width = (values: string[] | null): number => Math.max(options.axis ?? 34, 12 + 6.3 * Math.max(0, ...(values ?? []).map((v) => v.length)));
    const { cells } = options;
    return [
        { ...look, grid: { show: false }, size: 22, splits: (u, _i, min, max) => timeSplits(min, max, u.bbox.width / devicePixelRatio, offsetOf(max)), values: (_u, splits) => timeLabels(splits) },
        cells ? { ...look, grid: { show: false }, size: (_u, values) => width(values), splits: () => cells.edges().map((e) => e.at), values: () => cells.edges().map((e) => e.label) }
            : { ...look, size: (_u, values) => width(values), splits: options.ticks ? () => options.ticks! : (_u, _i, min, max) => valueSplits(min, max, options.scale), values: (_u, splits) => valueLabels(splits, options.format) },
    ];
}

/** Hollow diamonds at their value, 24 px to hit. */
function placeExemplars(u: uPlot, list: { e: Exemplar; link: HTMLAnchorElement }[]): void {
    for (const { e, link } of list) {
        const x = u.valToPos(e.at / 1000, 'x');
        const y = u.valToPos(e.value, 'y');
        const inside = x >= 0 && x <= u.over.clientWidth && y >= 0 && y <= u.over.clientHeight;
        link.hidden = !inside;
        if (inside) {
            link.style.left = `${x - 12}px`;
            link.style.top = `${y - 12}px`;
        }
    }
}

function figuresAt(u: uPlot, options: PlotOptions, index: number, top: number | null): Figure[] {
    if (options.cells) {
        return options.cells.figures(index, top === null ? null : Math.floor(u.posToVal(top, 'y')));
    }
    const values = options.own?.() ?? (u.data.slice(1) as (number | null)[][]);
    return options.lines.map((l, i) => ({ l, value: values[i]?.[index] ?? null, shown: u.series[i + 1]!.show !== false }))
        .filter((r) => r.value !== null && r.shown).sort((a, b) => b.value! - a.value!)
        .map((r) => ({ color: r.l.color, name: r.l.label, value: options.figure?.(r.value!, r.l.label) ?? options.format(r.value!) }));
}

function seriesOf(l: Line): uPlot.Series {
    return {
        label: l.label, stroke: () => color(l.color), width: l.width ?? 1.5, spanGaps: false, points: { show: false },
        ...(l.dash ? { dash: l.dash } : {}),
        ...(l.bars ? { width: 0, fill: () => color(l.color), paths: uPlot.paths.bars!({ size: [0.78, 40], align: 1 }) } : {}),
        ...(l.fill ? { fill: () => `color-mix(in srgb, ${color(l.color)} 14%, transparent)` } : {}),
    };
}

export function makePlot(options: PlotOptions): Plot {
    const speaks = options.tooltip !== false;
    const element = h(options.height === undefined ? 'div.plot.plot-fills' : 'div.plot', { role: speaks ? 'application' : 'group', 'aria-label': options.label + (speaks ? '. Arrows move through time.' : '') });
    let bands: Band[] = [];
    let marks: Mark[] = [];
    let limits: Limit[] = options.limits ?? [];
    let range: [number, number] | null = null;
    let unknownFrom: number | null = null;
    let exemplars: { e: Exemplar; link: HTMLAnchorElement }[] = [];

    const u = new uPlot({
        width: 300, height: options.height ?? 150, padding: [10, 8, 0, 0], legend: { show: false },
        cursor: {
            show: true, y: false, points: { size: 7, ...(options.cells ? { show: false } : {}) },
            drag: { x: options.onSelect !== undefined, y: false, setScale: false },
            // The crosshair is shared; what is dragged or pressed here is this plot's own.
            ...(options.sync ? { sync: { key: options.sync, scales: ['x', null] as [string, null], filters: { pub: (type: string) => type === 'mousemove' || type === 'mouseleave', sub: () => true } } } : {}),
        },
        scales: {
            x: { time: true, range: (_u, min, max) => range ?? [min, max] },
            y: { range: options.cells ? () => [0, Math.max(1, options.cells!.rows())] : (_u, min, max) => valueRange(min, max, limits.map((l) => l.value), options.max ?? 0, options.fit) },
        },
        axes: axes(options),
        series: [{}, ...options.lines.map(seriesOf)],
        hooks: {
            drawAxes: [(self) => {
                options.cells?.paint(self);
                paintBands(self, bands);
                if (!options.rare) {
                    paintGaps(self, unknownFrom);
                }
            }],
            draw: [(self) => {
                paintLimits(self, limits);
                paintMarks(self, marks);
                placeExemplars(self, exemplars);
            }],
            setSelect: [(self) => {
                if (self.select.width > 4 && options.onSelect) {
                    options.onSelect(self.posToVal(self.select.left, 'x') * 1000, self.posToVal(self.select.left + self.select.width, 'x') * 1000);
                }
                self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            }],
        },
    }, [[]] as unknown as uPlot.AlignedData, element);
    element.tabIndex = speaks ? 0 : -1;
    if (options.onReset) {
        u.over.addEventListener('dblclick', options.onReset);
    }
    if (speaks && options.lines.length > 0) {
        addHover({ u, element, bands: () => bands, figures: (index, top) => figuresAt(u, options, index, top) });
    }
    const observer = new ResizeObserver(() => {
        const width = element.clientWidth;
        const height = options.height ?? element.clientHeight;
        if (width > 0 && height > 40 && (width !== u.width || height !== u.height)) {
            u.setSize({ width, height });
        }
    });
    observer.observe(element);
    const redraw = (): void => u.redraw(false, true);
    plots.add(redraw);
    return {
        element, u,
        setData: (data) => u.setData(data as uPlot.AlignedData),
        setRange: (from, to) => {
            range = [from / 1000, to / 1000];
            u.setScale('x', { min: range[0], max: range[1] });
        },
        setBands: (b) => {
            bands = b;
            redraw();
        },
        setMarks: (m) => {
            marks = m;
            redraw();
        },
        setLimits: (l) => {
            limits = l;
            u.setData(u.data);
        },
        setLines: (visible) => options.lines.forEach((_, i) => u.series[i + 1]!.show !== visible(i) && u.setSeries(i + 1, { show: visible(i) })),
        setUnknown: (from) => {
            if (unknownFrom !== from) {
                unknownFrom = from;
                redraw();
            }
        },
        setExemplars: (list) => {
            exemplars.forEach((x) => x.link.remove());
            exemplars = list.map((e) => ({ e, link: h('a.exemplar', { href: e.href, title: e.label, 'aria-label': e.label }, '◇') }));
            u.over.append(...exemplars.map((x) => x.link));
            placeExemplars(u, exemplars);
        },
        destroy: () => {
            observer.disconnect();
            plots.delete(redraw);
            u.destroy();
        },
    };
}
