// Grafana's units, as figures of three digits.
import * as f from '../format.ts';
import type { Field } from './model.ts';

const short = (v: number, digits = 3): f.Figure => {
    const a = Math.abs(v);
    if (a >= 1e9) {
        return { value: Number((v / 1e9).toPrecision(digits)).toString(), unit: 'G' };
    }
    if (a >= 1e6) {
        return { value: Number((v / 1e6).toPrecision(digits)).toString(), unit: 'M' };
    }
    return { value: a >= 1000 ? Math.round(v).toLocaleString('en-US') : Number(v.toPrecision(digits)).toString(), unit: '' };
};
const span = (s: number): f.Figure => {
    if (Math.abs(s) < 60) {
        return f.seconds(s);
    }
    const [value, ...rest] = f.duration(Math.abs(s) * 1000).split('\u00a0');
    return { value: (s < 0 ? '−' : '') + value!, unit: rest.join('\u00a0') };
};
const bytes = (v: number, digits = 3): f.Figure => {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let i = 0;
    for (; Math.abs(v) >= 1024 && i < units.length - 1; i++) {
        v /= 1024;
    }
    return { value: Number(v.toPrecision(digits)).toString(), unit: units[i]! };
};
const percent = (ratio: number): f.Figure => {
    const p = ratio * 100;
    return Math.abs(p) >= 10 || p === 0 ? { value: Number(p.toPrecision(3)).toString(), unit: '%' } : f.percent(ratio);
};

export function figure(field: Field, value: number | null | undefined, digits = 3): f.Figure {
    if (value === null || value === undefined || Number.isNaN(value)) {
        return { value: f.DASH, unit: '' };
    }
    for (const m of field.mappings ?? []) {
        if (m.type === 'range' && value >= (m.options.from ?? -Infinity) && value <= (m.options.to ?? Infinity)) {
            return { value: m.options.result.text, unit: '' };
        }
    }
    if (!Number.isFinite(value)) {
        return { value: value > 0 ? '∞' : '−∞', unit: '' };
    }
    if (field.decimals !== undefined && field.unit === 'percentunit') {
        return { value: (value * 100).toFixed(field.decimals), unit: '%' };
    }
    if (field.decimals !== undefined && (field.unit === 'short' || field.unit === undefined) && Math.abs(value) < 1000) {
        return { value: value.toFixed(field.decimals), unit: '' };
    }
    switch (field.unit) {
    case 'percentunit': return percent(value);
    case 'percent': return percent(value / 100);
    case 's': return span(value);
    case 'dtdurations': return span(value);
    case 'reqps': case 'eps': case 'ops': case 'cps': return { value: short(value, digits).value, unit: `${short(value).unit}/s` };
    case 'bytes': case 'decbytes': return bytes(value, digits);
    default: return short(value, digits);
    }
}
export const text = (field: Field, value: number | null | undefined): string => f.join(figure(field, value));
/** For the axis: no needless digits. */
export function axis(field: Field, value: number, digits = 3): string {
    const n = (x: number): string => String(Number(x.toPrecision(digits)));
    switch (field.unit) {
    case 'percentunit': return `${n(value * 100)} %`;
    case 'percent': return `${n(value)} %`;
    case 's': return value === 0 ? '0' : Math.abs(value) < 1 ? `${n(value * 1000)} ms` : Math.abs(value) < 120 ? `${n(value)} s` : f.duration(value * 1000);
    case 'short': case undefined: return f.join(short(value, digits)); // ticks lie between whole numbers too, whatever the field's decimals
    default: return f.join(figure(field, value, digits));
    }
}
