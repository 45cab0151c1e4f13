// A panel's queries, asked and named. At most four at a time: the browser has six connections, and the stream is one.
import { instant, range, type Matrix, type Sample } from '../api.ts';
import type { Target } from './model.ts';
import type { Scope, Variables } from './variables.ts';

const MOST = 4;
let running = 0;
const waiting: (() => void)[] = [];
export async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= MOST) {
        await new Promise<void>((go) => waiting.push(go));
    }
    running++;
    try {
        return await work();
    } finally {
        running--;
        waiting.shift()?.();
    }
}

export const legend = (target: Target, metric: Record<string, string>): string => {
    const format = target.legendFormat ?? '__auto';
    if (format === '__auto' || format === '') {
        const labels = Object.entries(metric).filter(([n]) => n !== '__name__').map(([n, v]) => `${n}="${v}"`);
        return labels.length === 0 ? metric['__name__'] ?? target.expr : `{${labels.join(', ')}}`;
    }
    return format.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (_, n: string) => metric[n] ?? '').trim() || 'value';
};

export interface Asked {
    target: Target;
    expr: string;
    matrix: Matrix[];
    samples: Sample[];
}

export async function askAll(targets: Target[], variables: Variables, scope: Scope, time: { from: string; to: string }, signal: AbortSignal): Promise<Asked[]> {
    return Promise.all(targets.map((target) => inTurn(async () => {
        const expr = variables.put(target.expr, scope, time);
        const start = Math.floor(scope.from / 1000 / scope.step) * scope.step;
        const end = Math.floor(scope.to / 1000 / scope.step) * scope.step;
        return target.instant
            ? { target, expr, matrix: [], samples: await instant(expr, Math.round(scope.to / 1000), signal) }
            : { target, expr, matrix: await range(expr, start, end, scope.step, signal), samples: [] };
    })));
}

export interface Aligned {
    name: string;
    values: (number | null)[];
    target: Target;
    metric: Record<string, string>;
}
/** All series on one axis of times, with gaps where a step has no sample. */
export function align(asked: Asked[], scope: Scope): { times: number[]; series: Aligned[] } {
    const start = Math.floor(scope.from / 1000 / scope.step) * scope.step;
    const end = Math.floor(scope.to / 1000 / scope.step) * scope.step;
    const times: number[] = [];
    for (let t = start; t <= end; t += scope.step) {
        times.push(t);
    }
    const series = asked.flatMap((a) => a.matrix.map((m) => {
        const values = new Array<number | null>(times.length).fill(null);
        for (const [t, v] of m.values) {
            const i = Math.round((t - start) / scope.step);
            const n = Number(v);
            if (i >= 0 && i < values.length && Number.isFinite(n)) {
                values[i] = n;
            }
        }
        return { name: legend(a.target, m.metric), values, target: a.target, metric: m.metric };
    }));
    return { times, series };
}
export const lastOf = (values: (number | null)[]): number | null => {
    for (let i = values.length - 1; i >= 0; i--) {
        if (values[i] !== null) {
            return values[i]!;
        }
    }
    return null;
};
