// Where a plot's grid lines stand and what is written at them: pure, so that the tests need no page.
import * as f from '../format.ts';

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000];
const DAY = 86400;

/** Times, s, on so many px, in steps of the zone's own clock (its offset, s). The last label fits in whole. */
export function timeSplits(min: number, max: number, width: number, offset = 0): number[] {
    const room = (s: number): number => (s >= 21600 && s < DAY ? 92 : 70); // there the label may need its day
    const step = STEPS.find((s) => (max - min) / s <= Math.max(2, Math.floor(width / room(s)))) ?? 864000;
    const half = ((max - min) * 16) / Math.max(1, width);
    const result: number[] = [];
    for (let t = Math.ceil((min + offset) / step) * step - offset; t <= max - half; t += step) {
        result.push(t);
    }
    return result;
}

/** hh:mm, hh:mm:ss where the step is under a minute, the day where it begins; more of the date only where a label would stand twice. */
export function timeLabels(splits: number[]): string[] {
    const step = splits.length > 1 ? splits[1]! - splits[0]! : 60;
    const ways: ((ms: number) => string)[] = [
        (ms) => (f.clock(ms) === '00:00:00' && step >= 60 ? f.day(ms) : step < 60 ? f.clock(ms) : f.clockShort(ms)),
        (ms) => (f.clock(ms) === '00:00:00' ? f.day(ms) : `${f.day(ms)} ${f.clockShort(ms)}`),
    ];
    if (step % DAY === 0) {
        ways.unshift(f.day);
    }
    const written = ways.map((way) => splits.map((t) => way(t * 1000)));
    return written.find((labels) => new Set(labels).size === labels.length) ?? written[0]!;
}

export type Scale = 'decimal' | 'time' | 'bytes';
const NICE = [1, 2, 2.5, 5, 10];
const SECONDS = [30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 345600, 691200];

function stepOf(span: number, scale: Scale): number {
    const fits = (s: number): boolean => span / s <= 4.6;
    if (scale === 'time' && span > 120) {
        const found = SECONDS.find(fits);
        if (found !== undefined) {
            return found;
        }
    }
    const unit = scale === 'bytes' && span >= 1024 ? 1024 ** Math.floor(Math.log2(span) / 10) : 1;
    const power = 10 ** Math.floor(Math.log10(span / unit / 4 || 1));
    return (NICE.map((n) => n * power).find((s) => fits(s * unit)) ?? power * 10) * unit;
}

/** Three to five lines, 0 among them unless the range begins above it. */
export function valueSplits(min: number, max: number, scale: Scale = 'decimal'): number[] {
    const step = stepOf(max - min || 1, scale);
    const result: number[] = [];
    for (let v = Math.ceil(min / step - 1e-9) * step; v <= max + step * 1e-6; v += step) {
        result.push(Number(v.toPrecision(12)) + 0);
    }
    return result;
}

/** Ticks with as many digits as tell them apart. */
export function valueLabels(splits: number[], format: (v: number, digits: number) => string): string[] {
    for (let digits = 3; ; digits++) {
        const labels = splits.map((v) => format(v, digits));
        if (digits === 8 || new Set(labels).size === labels.length) {
            return labels;
        }
    }
}

/** From 0 (or around the figures, where fit says so), with air; a limit is reached unless the figures are under a tenth of it. */
export function valueRange(dataMin: number | null, dataMax: number | null, limits: number[], least: number, fit = false): [number, number] {
    const data = dataMax ?? 0;
    const reached = limits.filter((l) => data >= l / 10 || data === 0);
    if (fit && dataMin !== null) {
        const [low, high] = [Math.min(dataMin, ...reached), Math.max(data, ...reached)];
        const air = (high - low || Math.abs(high) || 1) * 0.12;
        return [low >= 0 ? Math.max(0, low - air) : low - air, high + air];
    }
    const max = Math.max(data * 1.08, least, ...reached.map((l) => l * 1.12));
    const min = Math.min(0, (dataMin ?? 0) * 1.08);
    return [min, max > 0 ? max : min < 0 ? -min * 0.12 : 1];
}
