// One look for all plots: uPlot with our colours, limits in words on their line, incidents as a tint, gaps hatched.
import uPlot from 'uplot';
import { h } from './dom.ts';
import * as f from './format.ts';

export interface Line {
    label: string;
    color: string; // a custom property's name: "--series-1"
    width?: number;
    dash?: number[];
    fill?: boolean;
    bars?: boolean;
}
export interface Band {
    from: number; // ms
    to: number | null;
    level: 'critical' | 'warning';
    label?: string;
}
export interface Mark {
    at: number;
    label: string;
    left?: boolean;
    dotted?: boolean;
}
export interface Exemplar {
    at: number; // ms
    value: number;
    href: string;
    label: string;
}
export interface Limit {
    value: number;
    label: string;
    color: string;
}
export interface PlotOptions {
    label: string; // for those who can't see it
    height: number;
    format: (value: number) => string;
    lines: Line[];
    limits?: Limit[];
    max?: number; // the scale reaches at least so far
    sync?: string;
    onSelect?: (from: number, to: number) => void;
    onReset?: () => void;
    tooltip?: boolean;
    ticks?: number[]; // of y
    noDataLabel?: string;
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

/** Stretches that overlap become one, so that a tint is never laid on a tint; critical hides warning. */
export function flatten(bands: Band[], from: number, to: number): Band[] {
    const merge = (level: Band['level']): [number, number][] => {
        const out: [number, number][] = [];
        const list = bands.filter((b) => b.level === level).map((b): [number, number] => [Math.max(from, b.from), Math.min(to, b.to ?? Infinity)]).filter(([a, b]) => b > a).sort((a, b) => a[0] - b[0]);
        for (const [a, b] of list) {
            const last = out.at(-1);
            if (last && a <= last[1]) {
                last[1] = Math.max(last[1], b);
            } else {
                out.push([a, b]);
            }
        }
        return out;
    };
    const critical = merge('critical');
    let warning = merge('warning');
    for (const [a, b] of critical) {
        warning = warning.flatMap(([x, y]): [number, number][] => (y <= a || x >= b ? [[x, y]] : [[x, Math.min(y, a)], [Math.max(x, b), y]])).filter(([x, y]) => y - x > 1);
    }
    return [...warning.map(([a, b]): Band => ({ from: a, to: b, level: 'warning' })), ...critical.map(([a, b]): Band => ({ from: a, to: b, level: 'critical' }))];
}

const styles = (): CSSStyleDeclaration => getComputedStyle(document.documentElement);
export const color = (name: string): string => (name.startsWith('--') ? styles().getPropertyValue(name).trim() : name);
const plots = new Set<() => void>();
/** After the theme or the zone changed. */
export const redrawAll = (): void => plots.forEach((p) => p());

/** The shared crosshair's time, s, for what uPlot doesn't draw; null: the pointer left. */
const followers = new Set<(at: number | null) => void>();
export function follow(fn: (at: number | null) => void): () => void {
    followers.add(fn);
    return () => followers.delete(fn);
}
const synced = new Set<uPlot>();
/** Puts the crosshair of all plots of a dashboard at a time. */
export function pointAt(at: number | null): void {
    synced.forEach((u) => u.setCursor(at === null ? { left: -10, top: -10 } : { left: u.valToPos(at, 'x'), top: 10 }));
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000];

function xSplits(_u: uPlot, _i: number, min: number, max: number): number[] {
    const most = Math.max(2, Math.floor((_u.bbox.width / devicePixelRatio) / 78));
    const step = STEPS.find((s) => (max - min) / s <= most) ?? 864000;
    const result: number[] = [];
    const edge = ((max - min) * 16 * devicePixelRatio) / Math.max(1, _u.bbox.width); // half a label
    for (let t = Math.ceil(min / step) * step; t <= max - edge; t += step) {
        result.push(t);
    }
    return result;
}
function xLabels(_u: uPlot, splits: number[]): string[] {
    const step = splits.length > 1 ? splits[1]! - splits[0]! : 60;
    return splits.map((t) => (step >= 86400 ? f.day(t * 1000) : step >= 60 ? f.clockShort(t * 1000) : f.clock(t * 1000)));
}

const NICE = [1, 2, 2.5, 5, 10];
function ySplits(_u: uPlot, _i: number, _min: number, max: number): number[] {
    const power = 10 ** Math.floor(Math.log10(max / 4 || 1));
    const step = NICE.map((n) => n * power).find((s) => max / s <= 4.6) ?? power * 10;
    const result: number[] = [];
    for (let v = 0; v <= max * 1.0001; v += step) {
        result.push(Number(v.toPrecision(12)));
    }
    return result;
}

function hatch(ctx: CanvasRenderingContext2D, x: number, y: number, w: number, height: number): void {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, w, height);
    ctx.clip();
    ctx.strokeStyle = color('--line');
    ctx.lineWidth = devicePixelRatio;
    for (let i = -height; i < w; i += 7 * devicePixelRatio) {
        ctx.beginPath();
        ctx.moveTo(x + i, y + height);
        ctx.lineTo(x + i + height, y);
        ctx.stroke();
    }
    ctx.restore();
}

export function makePlot(options: PlotOptions): Plot {
    const element = h('div.plot', { role: 'group', 'aria-label': options.label });
    let bands: Band[] = [];
    let marks: Mark[] = [];
    let limits: Limit[] = options.limits ?? [];
    let range: [number, number] | null = null;
    let unknownFrom: number | null = null;
    let exemplars: { e: Exemplar; link: HTMLAnchorElement }[] = [];
    const dpr = (): number => devicePixelRatio;

    const top = (_u: uPlot, _min: number | null, dataMax: number | null): [number, number] => {
        const data = dataMax ?? 0;
        const reach = limits.filter((l) => data >= l.value / 10 || data === 0).map((l) => l.value * 1.12);
        const max = Math.max(data * 1.08, options.max ?? 0, ...reach);
        return [0, max > 0 ? max : 1];
    };

    const drawBehind = (u: uPlot): void => {
        const { ctx, bbox } = u;
        for (const b of flatten(bands, (u.scales['x']!.min ?? 0) * 1000 - 1, (u.scales['x']!.max ?? 0) * 1000)) {
            const x0 = Math.max(bbox.left, u.valToPos(b.from / 1000, 'x', true));
            const x1 = Math.min(bbox.left + bbox.width, u.valToPos(b.to! / 1000, 'x', true));
            if (x1 <= bbox.left || x0 >= bbox.left + bbox.width) {
                continue;
            }
            ctx.save();
            ctx.globalAlpha = document.documentElement.dataset['theme'] === 'light' ? 0.08 : 0.11;
            ctx.fillStyle = color(b.level === 'critical' ? '--critical' : '--warning-mark');
            ctx.fillRect(x0, bbox.top, x1 - x0, bbox.height);
            ctx.globalAlpha = 1;
            ctx.fillRect(x0, bbox.top, x1 - x0, 2 * dpr());
            if (x0 > bbox.left) {
                ctx.fillRect(x0, bbox.top, dpr(), bbox.height);
            }
            ctx.restore();
        }
        drawGaps(u);
        if (unknownFrom !== null) {
            const x0 = Math.max(bbox.left, u.valToPos(unknownFrom / 1000, 'x', true));
            const right = bbox.left + bbox.width;
            if (x0 < right - 2) {
                hatch(ctx, x0, bbox.top, right - x0, bbox.height);
                label(u, `no data since ${f.clock(unknownFrom)}`, right - 6 * dpr(), bbox.top + bbox.height * 0.62, 'right', '--muted');
            }
        }
    };

    const drawGaps = (u: uPlot): void => {
        const xs = u.data[0] as number[];
        const ys = u.data[1] as (number | null)[] | undefined;
        if (!ys || xs.length < 5 || u.data.length < 2) {
            return;
        }
        const empty = (i: number): boolean => u.data.slice(1).every((d) => (d as (number | null)[])[i] === null || (d as (number | null)[])[i] === undefined);
        for (let i = 1; i < xs.length - 1; i++) {
            if (!empty(i) || empty(i - 1)) {
                continue;
            }
            let j = i;
            while (j < xs.length && empty(j)) {
                j++;
            }
            if (j < xs.length && j - i > 3) {
                const x0 = u.valToPos(xs[i]!, 'x', true);
                const x1 = u.valToPos(xs[j]!, 'x', true);
                hatch(u.ctx, x0, u.bbox.top, x1 - x0, u.bbox.height);
                label(u, `no samples for ${f.duration((xs[j]! - xs[i]!) * 1000)}`, (x0 + x1) / 2, u.bbox.top + u.bbox.height / 2, 'center', '--muted');
            }
            i = j;
        }
    };

    const label = (u: uPlot, text: string, x: number, y: number, align: CanvasTextAlign, tone: string): void => {
        const { ctx } = u;
        ctx.save();
        ctx.font = `500 ${11 * dpr()}px Inter, system-ui, sans-serif`;
        ctx.textAlign = align;
        ctx.textBaseline = 'middle';
        ctx.lineWidth = 4 * dpr();
        ctx.lineJoin = 'round';
        ctx.strokeStyle = color('--surface');
        ctx.strokeText(text, x, y);
        ctx.fillStyle = color(tone);
        ctx.fillText(text, x, y);
        ctx.restore();
    };

    const drawBefore = (u: uPlot): void => {
        const { ctx, bbox } = u;
        for (const l of limits) {
            const y = u.valToPos(l.value, 'y', true);
            if (y < bbox.top - 1 || y > bbox.top + bbox.height) {
                continue;
            }
            ctx.save();
            ctx.strokeStyle = color(l.color);
            ctx.lineWidth = dpr();
            ctx.setLineDash([5 * dpr(), 4 * dpr()]);
            ctx.beginPath();
            ctx.moveTo(bbox.left, y);
            ctx.lineTo(bbox.left + bbox.width, y);
            ctx.stroke();
            ctx.restore();
            label(u, l.label, bbox.left + 8 * dpr(), y - 8 * dpr(), 'left', l.color);
        }
        for (const m of marks) {
            const x = u.valToPos(m.at / 1000, 'x', true);
            if (x < bbox.left || x > bbox.left + bbox.width) {
                continue;
            }
            ctx.save();
            ctx.strokeStyle = color('--muted');
            ctx.lineWidth = dpr();
            ctx.setLineDash(m.dotted ? [2 * dpr(), 3 * dpr()] : []);
            ctx.beginPath();
            ctx.moveTo(x, bbox.top);
            ctx.lineTo(x, bbox.top + bbox.height);
            ctx.stroke();
            ctx.restore();
            if (m.label !== '') {
                const left = m.left ?? x > bbox.left + bbox.width / 2;
                label(u, m.label, x + (left ? -5 : 5) * dpr(), bbox.top + 9 * dpr(), left ? 'right' : 'left', '--text');
            }
        }
    };

    /** Hollow diamonds at their value, 24 px to hit. */
    const placeExemplars = (u: uPlot): void => exemplars.forEach(({ e, link }) => {
        const x = u.valToPos(e.at / 1000, 'x');
        const y = u.valToPos(e.value, 'y');
        const inside = x >= 0 && x <= u.over.clientWidth && y >= 0 && y <= u.over.clientHeight;
        link.hidden = !inside;
        if (inside) {
            link.style.left = `${x - 12}px`;
            link.style.top = `${y - 12}px`;
        }
    });

    const axis = (): Partial<uPlot.Axis> => ({
        stroke: () => color('--faint'), font: '11px Inter, system-ui, sans-serif', ticks: { show: false },
        grid: { show: true, stroke: () => color('--grid'), width: 1 }, gap: 6,
    });
    const u = new uPlot({
        width: 300, height: options.height, padding: [10, 8, 0, 0], legend: { show: false },
        cursor: {
            show: true, y: false, points: { size: 7 },
            drag: { x: options.onSelect !== undefined, y: false, setScale: false },
            ...(options.sync ? { sync: { key: options.sync, scales: ['x', null] as [string, null] } } : {}),
        },
        scales: { x: { time: true, range: (_u, min, max) => range ?? [min, max] }, y: { range: top } },
        axes: [
            { ...axis(), grid: { show: false }, size: 22, splits: xSplits, values: xLabels },
            { ...axis(), size: (_u, values) => Math.max(34, 12 + 6.3 * Math.max(0, ...(values ?? []).map((v) => v.length))),
              splits: options.ticks ? () => options.ticks! : ySplits, values: (_u, splits) => splits.map(options.format) },
        ],
        series: [{}, ...options.lines.map((l): uPlot.Series => ({
            label: l.label, stroke: () => color(l.color), width: l.width ?? 1.5, spanGaps: false, points: { show: false },
            ...(l.dash ? { dash: l.dash } : {}),
            ...(l.bars ? { width: 0, fill: () => color(l.color), paths: uPlot.paths.bars!({ size: [0.78, 40], align: 1 }) } : {}),
            ...(l.fill ? { fill: () => `color-mix(in srgb, ${color(l.color)} 14%, transparent)` } : {}),
        }))],
        hooks: {
            drawAxes: [drawBehind], draw: [drawBefore, placeExemplars],
            setSelect: [(self) => {
                if (self.select.width > 4 && options.onSelect) {
                    options.onSelect(self.posToVal(self.select.left, 'x') * 1000, self.posToVal(self.select.left + self.select.width, 'x') * 1000);
                }
                self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            }],
        },
    }, [[]] as unknown as uPlot.AlignedData, element);
    element.tabIndex = options.tooltip === false ? -1 : 0;
    element.addEventListener('keydown', (e) => moveCrosshair(e, u, element, options));
    if (options.onReset) {
        u.over.addEventListener('dblclick', options.onReset);
    }
    const observer = new ResizeObserver(() => {
        const width = element.clientWidth;
        if (width > 0 && width !== u.width) {
            u.setSize({ width, height: options.height });
        }
    });
    observer.observe(element);
    const redraw = (): void => u.redraw(false, true);
    plots.add(redraw);
    if (options.sync) {
        synced.add(u);
        (u.hooks.setCursor ??= []).push((self) => {
            const i = self.cursor.idx;
            followers.forEach((fn) => fn(i === null || i === undefined || self.cursor.left! < 0 ? null : (self.data[0] as number[])[i] ?? null));
        });
    }
    if (options.tooltip !== false && options.lines.length > 0) {
        addTooltip(u, element, options, () => bands);
    }
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
            placeExemplars(u);
        },
        destroy: () => {
            observer.disconnect();
            plots.delete(redraw);
            synced.delete(u);
            u.destroy();
        },
    };
}

/** Left and right move the crosshair; the figures there are said. */
function moveCrosshair(e: KeyboardEvent, u: uPlot, element: HTMLElement, options: PlotOptions): void {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    const times = u.data[0] as number[];
    if (by === undefined || times.length === 0) {
        return;
    }
    e.preventDefault();
    const index = Math.max(0, Math.min(times.length - 1, (u.cursor.idx ?? times.length - 1) + by));
    u.setCursor({ left: u.valToPos(times[index]!, 'x'), top: 10 });
    const said = options.lines.map((l, i) => ({ l, v: (u.data[i + 1] as (number | null)[])[index] ?? null })).filter((x) => x.v !== null).slice(0, 6).map((x) => `${x.l.label} ${options.format(x.v!)}`);
    let live = element.querySelector<HTMLElement>('.said');
    if (!live) {
        live = h('span.hidden.said', { 'aria-live': 'polite' });
        element.append(live);
    }
    live.textContent = `${f.clock(times[index]! * 1000)}: ${said.join(', ')}`;
}

/** Values at the crosshair, largest first, at most ten, beside the pointer and never over it. */
function addTooltip(u: uPlot, element: HTMLElement, options: PlotOptions, bands: () => Band[]): void {
    const tip = h('div.tip', { hidden: true });
    element.append(tip);
    let inside = false;
    u.over.addEventListener('mouseenter', () => (inside = true));
    u.over.addEventListener('mouseleave', () => {
        inside = false;
        tip.hidden = true;
    });
    const show = (): void => {
        const index = u.cursor.idx;
        if (!inside || index === null || index === undefined) {
            tip.hidden = true;
            return;
        }
        const t = (u.data[0] as number[])[index]! * 1000;
        const rows = options.lines.map((l, i) => ({ l, value: (u.data[i + 1] as (number | null)[])[index] ?? null, shown: u.series[i + 1]!.show !== false }))
            .filter((r) => r.value !== null && r.shown).sort((a, b) => b.value! - a.value!).slice(0, 10);
        const here = bands().filter((b) => b.label && b.from <= t && (b.to === null || b.to >= t)).map((b) => h(`p.${b.level}` as 'p', {}, b.label!));
        tip.replaceChildren(h('p.faint', {}, `${f.clock(t)} ${f.zone()}`), ...rows.map((r) => {
            const swatch = h('i.swatch');
            swatch.style.background = color(r.l.color);
            return h('div.tip-row', {}, swatch, h('span', {}, r.l.label), h('b.num', {}, options.format(r.value!)));
        }), ...here);
        tip.hidden = false;
        const left = u.cursor.left! + u.over.offsetLeft;
        const right = left + 14 + tip.offsetWidth > element.clientWidth;
        tip.style.left = `${right ? Math.max(0, left - 14 - tip.offsetWidth) : left + 14}px`;
        tip.style.top = `${Math.max(0, u.cursor.top! + u.over.offsetTop - tip.offsetHeight / 2)}px`;
    };
    (u.hooks.setCursor ??= []).push(show);
}
