// Figures and times as people read them: three figures, value and unit joined by a no-break space.
const NBSP = '\u00a0';
export const DASH = '–';

export interface Figure {
    value: string;
    unit: string;
}

export const join = (f: Figure): string => (f.unit === '' ? f.value : f.value + NBSP + f.unit);

function three(x: number): string {
    const a = Math.abs(x);
    if (a >= 999.5) {
        return Math.round(x).toLocaleString('en-US');
    }
    return a >= 99.95 ? x.toFixed(0) : a >= 9.995 ? x.toFixed(1) : x.toFixed(2);
}

const known = (x: number | null | undefined): x is number => x !== null && x !== undefined && Number.isFinite(x);

export function percent(ratio: number | null | undefined): Figure {
    if (!known(ratio)) {
        return { value: DASH, unit: '' };
    }
    const p = ratio * 100;
    if (p === 0) {
        return { value: '0', unit: '%' };
    }
    return { value: p > 0 && p < 0.005 ? '< 0.01' : three(p), unit: '%' };
}

export function seconds(s: number | null | undefined): Figure {
    if (!known(s)) {
        return { value: DASH, unit: '' };
    }
    if (s < 0.00995) {
        return { value: (s * 1000).toFixed(s === 0 ? 0 : 1), unit: 'ms' };
    }
    return s < 0.9995 ? { value: (s * 1000).toFixed(0), unit: 'ms' } : { value: three(s), unit: 's' };
}

export function rate(r: number | null | undefined): Figure {
    return known(r) ? { value: r === 0 ? '0' : three(r), unit: '/s' } : { value: DASH, unit: '' };
}

export function count(n: number | null | undefined): string {
    return known(n) ? Math.round(n).toLocaleString('en-US') : DASH;
}

/** What a rule measures: its value with its unit. */
export function measure(signal: string, value: number | null | undefined): Figure {
    if (signal.startsWith('latency')) {
        return seconds(value);
    }
    return signal === 'request_rate' ? rate(value) : percent(value);
}

/** A limit without needless digits: "5 %", "500 ms". */
export function limit(signal: string, value: number | null | undefined): string {
    if (!known(value)) {
        return DASH;
    }
    const short = (x: number): string => String(Number(x.toPrecision(3)));
    if (signal.startsWith('latency')) {
        return value < 1 ? `${short(value * 1000)}${NBSP}ms` : `${short(value)}${NBSP}s`;
    }
    return signal === 'request_rate' ? `${short(value)}${NBSP}/s` : `${short(value * 100)}${NBSP}%`;
}

export function duration(ms: number): string {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) {
        return `${s}${NBSP}s`;
    }
    if (s < 3600) {
        return s % 60 === 0 ? `${s / 60}${NBSP}m` : `${Math.floor(s / 60)}${NBSP}m${NBSP}${s % 60}${NBSP}s`;
    }
    const m = Math.round(s / 60);
    if (m < 48 * 60) {
        return m % 60 === 0 ? `${m / 60}${NBSP}h` : `${Math.floor(m / 60)}${NBSP}h${NBSP}${m % 60}${NBSP}m`;
    }
    const hours = Math.round(s / 3600);
    return hours % 24 === 0 ? `${hours / 24}${NBSP}d` : `${Math.floor(hours / 24)}${NBSP}d${NBSP}${hours % 24}${NBSP}h`;
}

/** "0.4 s", "12.3 s": short spans that were measured. */
export const delay = (ms: number): string => `${(ms / 1000).toFixed(1)}${NBSP}s`;

/** "a", "a and b", "a, b and c". */
export const list = (words: string[]): string => (words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`);

let local = false;
export const isLocal = (): boolean => local;
export function setLocal(on: boolean): void {
    local = on;
}
export const zone = (): string =>
    local ? (new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(new Date())
        .find((p) => p.type === 'timeZoneName')?.value ?? 'local') : 'UTC';

const pad = (n: number, width = 2): string => String(n).padStart(width, '0');

function parts(ms: number): { y: number; mo: number; d: number; wd: number; h: number; mi: number; s: number; ms: number } {
    const t = new Date(ms);
    return local
        ? { y: t.getFullYear(), mo: t.getMonth(), d: t.getDate(), wd: t.getDay(), h: t.getHours(), mi: t.getMinutes(),
            s: t.getSeconds(), ms: t.getMilliseconds() }
        : { y: t.getUTCFullYear(), mo: t.getUTCMonth(), d: t.getUTCDate(), wd: t.getUTCDay(), h: t.getUTCHours(),
            mi: t.getUTCMinutes(), s: t.getUTCSeconds(), ms: t.getUTCMilliseconds() };
}

export function clock(ms: number): string {
    const p = parts(ms);
    return `${pad(p.h)}:${pad(p.mi)}:${pad(p.s)}`;
}
export function clockMs(ms: number): string {
    return `${clock(ms)}.${pad(parts(ms).ms, 3)}`;
}
export function clockShort(ms: number): string {
    const p = parts(ms);
    return `${pad(p.h)}:${pad(p.mi)}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
export function day(ms: number): string {
    const p = parts(ms);
    return `${p.d} ${MONTHS[p.mo]}`;
}
/** A time of day, with the day once it isn't today. */
export function when(ms: number, now: number, withSeconds = false): string {
    const p = parts(ms);
    const n = parts(now);
    const time = withSeconds ? clock(ms) : clockShort(ms);
    if (p.y === n.y && p.mo === n.mo && p.d === n.d) {
        return time;
    }
    return now - ms < 6 * 86400000 && ms <= now ? `${DAYS[p.wd]} ${time}` : `${day(ms)} ${time}`;
}

/** A share in words where people would say it so: "one request in three". */
export function shareInWords(ratio: number): string {
    const numbers = ['', '', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
    if (ratio > 0.97) {
        return 'every request';
    }
    const n = Math.round(1 / ratio);
    if (n >= 2 && n <= 10 && Math.abs(ratio * n - 1) <= 0.12) {
        return `one request in ${numbers[n]}`;
    }
    return `${join(percent(ratio))} of requests`;
}
