// A heatmap of cumulative buckets: one hue, square-root scale, light to dark on light and the reverse on dark.
import { h } from '../dom.ts';
import * as f from '../format.ts';
import { type Band, color, flatten, follow, pointAt } from '../plot.ts';

export interface Heat {
    times: number[]; // s, the columns
    bounds: { label: string; le: number }[]; // ascending
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
    return { times, bounds: sorted.slice(first, last + 1).map((s) => ({ le: s.le, label: s.le === Infinity ? '+Inf' : label(s.le) })), cells: cells.map((c) => c.slice(first, last + 1)) };
}

export function makeHeatmap(height: number, cell: (v: number) => string): { element: HTMLElement; draw: (heat: Heat, bands: Band[]) => void; destroy: () => void } {
    const canvas = h('canvas.heat');
    canvas.style.height = `${height}px`;
    const tip = h('div.tip', { hidden: true });
    const cross = h('i.heat-cross', { hidden: true });
    cross.style.height = `${height - 30}px`;
    const low = h('span.num');
    const high = h('span.num');
    const scale = h('i.heat-scale');
    const element = h('div.plot', { role: 'group', 'aria-label': 'Heatmap' }, canvas, cross, tip, h('div.legend.heat-legend', {}, low, scale, high));
    let heat: Heat = { times: [], bounds: [], cells: [] };
    let bands: Band[] = [];
    const LEFT = 58;
    const BOTTOM = 22;
    const TOP = 8;

    const paint = (): void => {
        const dpr = devicePixelRatio;
        const width = canvas.clientWidth;
        if (width === 0 || heat.times.length === 0) {
            return;
        }
        canvas.width = Math.round(width * dpr);
        canvas.height = Math.round(height * dpr);
        const ctx = canvas.getContext('2d')!;
        ctx.scale(dpr, dpr);
        const w = (width - LEFT - 8) / heat.times.length;
        const rows = heat.bounds.length;
        const rh = (height - BOTTOM - TOP) / rows;
        const most = Math.max(1e-12, ...heat.cells.flat().map((v) => v ?? 0));
        const lowColor = color('--heat-low');
        const highColor = color('--heat-high');
        heat.cells.forEach((column, c) => column.forEach((v, r) => {
            if (v !== null && v > 0) {
                ctx.fillStyle = mix(lowColor, highColor, Math.sqrt(v / most));
                ctx.fillRect(LEFT + c * w, TOP + (rows - 1 - r) * rh, Math.max(1, w - 1), Math.max(1, rh - 1));
            }
        }));
        ctx.font = '11px Inter, system-ui, sans-serif';
        ctx.fillStyle = color('--faint');
        ctx.textBaseline = 'middle';
        ctx.textAlign = 'right';
        const every = Math.ceil(rows / Math.max(1, Math.floor((height - BOTTOM) / 22)));
        heat.bounds.forEach((b, r) => r % every === 0 && ctx.fillText(b.label, LEFT - 6, TOP + (rows - 1 - r) * rh + 5));
        ctx.textAlign = 'center';
        const labels = Math.max(1, Math.ceil(heat.times.length / Math.max(2, Math.floor((width - LEFT) / 80))));
        const long = heat.times.at(-1)! - heat.times[0]! > 2 * 86400;
        heat.times.forEach((t, c) => c % labels === 0 && c * w < width - LEFT - 30 && ctx.fillText(long ? f.day(t * 1000) : f.clockShort(t * 1000), LEFT + c * w + (c === 0 ? 14 : 0), height - 9));
        const span = heat.times.at(-1)! - heat.times[0]! || 1;
        const x = (ms: number): number => LEFT + ((ms / 1000 - heat.times[0]!) / span) * (w * (heat.times.length - 1));
        for (const b of flatten(bands, heat.times[0]! * 1000 - 1, heat.times.at(-1)! * 1000 + 1)) {
            const x0 = Math.max(LEFT, x(b.from));
            const x1 = Math.min(width - 8, x(b.to!));
            if (x1 > x0) {
                ctx.fillStyle = color(b.level === 'critical' ? '--critical' : '--warning-mark');
                ctx.globalAlpha = 0.1;
                ctx.fillRect(x0, TOP, x1 - x0, height - BOTTOM - TOP);
                ctx.globalAlpha = 1;
                ctx.fillRect(x0, TOP - 2, x1 - x0, 2);
            }
        }
        low.textContent = cell(0);
        high.textContent = cell(most);
    };
    canvas.addEventListener('mousemove', (e) => {
        const w = (canvas.clientWidth - LEFT - 8) / heat.times.length;
        const rh = (height - BOTTOM - TOP) / heat.bounds.length;
        const c = Math.floor((e.offsetX - LEFT) / w);
        const r = heat.bounds.length - 1 - Math.floor((e.offsetY - TOP) / rh);
        const v = heat.cells[c]?.[r];
        pointAt(heat.times[c] ?? null);
        tip.hidden = v === undefined || v === null;
        if (!tip.hidden) {
            tip.replaceChildren(h('p.faint', {}, `${f.clock(heat.times[c]! * 1000)} ${f.zone()}`), h('p', {}, `${r > 0 ? heat.bounds[r - 1]!.label : '0'} to ${heat.bounds[r]!.label}: `, h('b.num', {}, cell(v!))));
            const right = e.offsetX + 14 + tip.offsetWidth > canvas.clientWidth;
            tip.style.left = `${right ? e.offsetX - 14 - tip.offsetWidth : e.offsetX + 14}px`;
            tip.style.top = `${Math.max(0, e.offsetY - 20)}px`;
        }
    });
    canvas.addEventListener('mouseleave', () => {
        tip.hidden = true;
        pointAt(null);
    });
    const unfollow = follow((at) => {
        const [first, last] = [heat.times[0], heat.times.at(-1)];
        cross.hidden = at === null || first === undefined || last === undefined || at < first || at > last;
        if (!cross.hidden) {
            const w = (canvas.clientWidth - LEFT - 8) / heat.times.length;
            cross.style.left = `${LEFT + ((at! - first!) / (last! - first! || 1)) * w * (heat.times.length - 1) + w / 2}px`;
        }
    });
    const observer = new ResizeObserver(paint);
    observer.observe(canvas);
    return { element, draw: (x, b) => {
        heat = x;
        bands = b;
        paint();
    }, destroy: () => {
        observer.disconnect();
        unfollow();
    } };
}
