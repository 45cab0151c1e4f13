// Time ranges: Grafana's words (now-15m) or UTC milliseconds.
import * as f from '../format.ts';
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
/** "15 minutes", "hour" as "1 hour". */
export const spanWords = (time: { from: string; to: string }, ms: number): string => (time.to === 'now' ? RANGES.find(([r]) => r === time.from)?.[1].replace(/^Last /, '').replace(/^hour/, '1 hour') : undefined) ?? f.duration(ms);

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

const pad = (n: number): string => String(n).padStart(2, '0');
/** A moment as it is written by hand, in the chosen zone. */
export function momentText(ms: number): string {
    const t = new Date(ms - (f.isLocal() ? new Date(ms).getTimezoneOffset() * 60000 : 0));
    return `${t.getUTCFullYear()}-${pad(t.getUTCMonth() + 1)}-${pad(t.getUTCDate())} ${pad(t.getUTCHours())}:${pad(t.getUTCMinutes())}:${pad(t.getUTCSeconds())}`;
}
/** What was written: now-15m as it is; a day and time, or a time of today, in the chosen zone as UTC milliseconds; null: neither. */
export function parseMoment(text: string): string | null {
    const trimmed = text.trim();
    if (/^now(-\d+[smhdw])?$/.test(trimmed) || /^\d{12,}$/.test(trimmed)) {
        return trimmed;
    }
    const match = /^(?:(\d{4}-\d\d-\d\d)[ T])?(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(trimmed);
    if (!match) {
        return null;
    }
    const day = match[1] ?? momentText(live.now()).slice(0, 10);
    const ms = Date.parse(`${day}T${match[2]!.padStart(2, '0')}:${match[3]}:${match[4] ?? '00'}${f.isLocal() ? '' : 'Z'}`);
    return Number.isNaN(ms) ? null : String(ms);
}
