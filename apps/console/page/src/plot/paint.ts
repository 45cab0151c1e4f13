// What a plot carries beside its lines, on uPlot's own canvas: incidents, gaps, limits and marks.
import type uPlot from 'uplot';
import * as f from '../format.ts';
import { type Band, flatten } from './bands.ts';

const styles = (): CSSStyleDeclaration => getComputedStyle(document.documentElement);
/** A custom property's value; other colours are themselves. */
export const color = (name: string): string => (name.startsWith('--') ? styles().getPropertyValue(name).trim() : name);
const dpr = (): number => devicePixelRatio;
type Context = CanvasRenderingContext2D;

function hatch(ctx: Context, x: number, y: number, w: number, height: number): void {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, w, height);
    ctx.clip();
    ctx.strokeStyle = color('--control'); // seen on a tint too
    ctx.globalAlpha = 0.45;
    ctx.lineWidth = dpr();
    for (let i = -height; i < w; i += 7 * dpr()) {
        ctx.beginPath();
        ctx.moveTo(x + i, y + height);
        ctx.lineTo(x + i + height, y);
        ctx.stroke();
    }
    ctx.restore();
}

/** Where words that belong at x begin and end, kept within `from` and `to`. */
export function placeWords(x: number, width: number, align: CanvasTextAlign, from: number, to: number): [number, number] {
    const wanted = align === 'center' ? x - width / 2 : align === 'right' ? x - width : x;
    const left = Math.max(from, Math.min(wanted, to - width));
    return [left, left + width];
}

/** The first row in which words stand in nobody's way; taken: what each row has already. */
export function freeRow(taken: [number, number][][], words: [number, number]): number {
    const row = taken.findIndex((r) => r.every(([from, to]) => words[1] < from || words[0] > to));
    return row < 0 ? taken.length : row;
}

const FONT = (): string => `500 ${11 * dpr()}px Inter, system-ui, sans-serif`;
function place(u: uPlot, text: string, x: number, align: CanvasTextAlign): [number, number] {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.font = FONT();
    const { width } = ctx.measureText(text);
    ctx.restore();
    return placeWords(x, width, align, bbox.left + 2 * dpr(), bbox.left + bbox.width - 2 * dpr());
}

/** Words on the plot, on a ground of their own; kept within it. */
function label(u: uPlot, text: string, x: number, y: number, align: CanvasTextAlign, tone: string): void {
    const { ctx } = u;
    const [left] = place(u, text, x, align);
    ctx.save();
    ctx.font = FONT();
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    ctx.lineWidth = 4 * dpr();
    ctx.lineJoin = 'round';
    ctx.strokeStyle = color('--surface');
    ctx.strokeText(text, left, y);
    ctx.fillStyle = color(tone);
    ctx.fillText(text, left, y);
    ctx.restore();
}

/** A tint with a solid left edge and a top edge. */
export function paintBands(u: uPlot, bands: Band[]): void {
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
}

export interface Gap {
    from: number; // s
    to: number;
}
/** Stretches of more than three steps in which no line has a sample, between two samples. */
export function gapsOf(times: number[], lines: (number | null | undefined)[][]): Gap[] {
    const result: Gap[] = [];
    const empty = (i: number): boolean => lines.every((d) => d[i] === null || d[i] === undefined);
    let i = 0;
    while (i < times.length && empty(i)) {
        i++; // before the first sample nothing is missing
    }
    for (; i < times.length; i++) {
        if (!empty(i)) {
            continue;
        }
        let j = i;
        while (j < times.length && empty(j)) {
            j++;
        }
        if (j < times.length && j - i > 3) {
            result.push({ from: times[i]!, to: times[j]! });
        }
        i = j;
    }
    return result;
}

export function paintGaps(u: uPlot, unknownFrom: number | null): void {
    const { ctx, bbox } = u;
    if (u.data.length > 1) {
        for (const gap of gapsOf(u.data[0] as number[], u.data.slice(1) as (number | null)[][])) {
            const x0 = Math.max(bbox.left, u.valToPos(gap.from, 'x', true));
            const x1 = u.valToPos(gap.to, 'x', true);
            hatch(ctx, x0, bbox.top, x1 - x0, bbox.height);
            label(u, `no samples for ${f.duration((gap.to - gap.from) * 1000)}`, (x0 + x1) / 2, bbox.top + bbox.height / 2, 'center', '--muted');
        }
    }
    if (unknownFrom !== null) {
        const x0 = Math.max(bbox.left, u.valToPos(unknownFrom / 1000, 'x', true));
        const right = bbox.left + bbox.width;
        if (x0 < right - 2) {
            hatch(ctx, x0, bbox.top, right - x0, bbox.height);
            label(u, `no data since ${f.clock(unknownFrom)}`, right - 6 * dpr(), bbox.top + bbox.height * 0.62, 'right', '--muted');
        }
    }
}

export interface Limit {
    value: number;
    label: string;
    color: string;
}
/** A dashed line, its words on it. */
export function paintLimits(u: uPlot, limits: Limit[]): void {
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
        // As words the amber of lines is too light on white.
        const above = y - 16 * dpr() > bbox.top; // else the words would be cut
        label(u, l.label, bbox.left + 8 * dpr(), y + (above ? -8 : 9) * dpr(), 'left', l.color === '--warning-mark' ? '--warning' : l.color);
    }
}

export interface Mark {
    at: number;
    label: string;
    left?: boolean;
    dotted?: boolean;
}
/** A moment: an upright line with its words, below those of another where both have no room beside each other. */
export function paintMarks(u: uPlot, marks: Mark[]): void {
    const { ctx, bbox } = u;
    const taken: [number, number][][] = [];
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
            const align = left ? 'right' : 'left';
            const words = place(u, m.label, x + (left ? -5 : 5) * dpr(), align);
            const row = freeRow(taken, words);
            (taken[row] ??= []).push(words);
            label(u, m.label, x + (left ? -5 : 5) * dpr(), bbox.top + (9 + row * 14) * dpr(), align, '--text');
        }
    }
}
