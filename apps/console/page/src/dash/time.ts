// Time ranges: Grafana's words (now-15m) or UTC milliseconds.
import * as live from '../live.ts';

const UNITS: Record<string, number> = { s: 1000, m: 60000, h: 3600000, d: 86400000, w: 604800000 };

export function toMs(text: string): number {
    if (/^\d{10,}$/.test(text)) {
        return Number(text);
    }
    const match = /^now(?:-(\d+)([smhdw]))?$/.exec(text);
    if (match) {
        return live.now() - (match[1] ? Number(match[1]) * UNITS[match[2]!]! : 0);
    }
    const parsed = Date.parse(text);
    return Number.isNaN(parsed) ? live.now() : parsed;
}
export const isRelative = (text: string): boolean => text.startsWith('now');

export const RANGES: [string, string][] = [['now-5m', 'Last 5 minutes'], ['now-15m', 'Last 15 minutes'], ['now-30m', 'Last 30 minutes'], ['now-1h', 'Last hour'], ['now-3h', 'Last 3 hours'],
    ['now-6h', 'Last 6 hours'], ['now-12h', 'Last 12 hours'], ['now-24h', 'Last 24 hours'], ['now-2d', 'Last 2 days'], ['now-7d', 'Last 7 days'], ['now-30d', 'Last 30 days']];
export const rangeWords = (from: string): string => (RANGES.find(([f]) => f === from)?.[1] ?? 'that time').replace('Last', 'the last');

const STEPS = [1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];
/** The step for so many points, never finer than Prometheus scrapes. */
export function stepFor(fromMs: number, toMs_: number, points: number, least: number): number {
    const wanted = (toMs_ - fromMs) / 1000 / Math.max(10, points);
    return STEPS.find((s) => s >= wanted && s >= least) ?? 86400;
}
export const refreshMs = (text: string): number => {
    const match = /^(\d+)([smh])$/.exec(text);
    return match ? Number(match[1]) * UNITS[match[2]!]! : 0;
};
