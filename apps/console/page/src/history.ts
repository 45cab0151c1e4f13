// A series' last five minutes, a row a second, kept up by asking for the newest seconds only.
import { get, query } from './api.ts';

export interface Row {
    time_unix_ms: number;
    requests: number;
    errors: number;
    error_ratio: (number | null)[];
    p99: (number | null)[];
    evaluations: string[];
}
interface Answer {
    windows: number[];
    rules: string[];
    rows: Row[];
}

export class History {
    windows: number[] = [];
    rules: string[] = [];
    rows: Row[] = []; // oldest first
    problem = '';
    private busy = false;

    constructor(readonly service: string, readonly region: string, readonly route = '', private readonly keepS = 300) {}

    async poll(): Promise<void> {
        if (this.busy) {
            return;
        }
        this.busy = true;
        try {
            const last = this.rows.at(-1)?.time_unix_ms ?? 0;
            const behind = last === 0 ? 300 : Math.min(300, Math.ceil((Date.now() - last) / 1000) + 6);
            const answer = await get<Answer>(`/api/history?${query({ 'service.name': this.service, 'cloud.region': this.region,
                'http.route': this.route, seconds: Math.max(behind, 6) })}`);
            this.windows = answer.windows;
            this.rules = answer.rules;
            const first = answer.rows[0]?.time_unix_ms ?? Infinity;
            this.rows = [...this.rows.filter((r) => r.time_unix_ms < first), ...answer.rows];
            const end = this.rows.at(-1)?.time_unix_ms ?? 0;
            this.rows = this.rows.filter((r) => r.time_unix_ms > end - this.keepS * 1000);
            this.problem = '';
        } catch (e) {
            this.problem = e instanceof Error ? e.message : String(e);
        } finally {
            this.busy = false;
        }
    }

    /** For a plot: times (s) and, for each of the windows, what a rule on that signal measures. */
    data(signal: string, windows: number): (number | null)[][] {
        const times: number[] = [];
        const lines: (number | null)[][] = Array.from({ length: windows }, () => []);
        let last = 0;
        for (const row of this.rows) {
            const t = row.time_unix_ms / 1000;
            if (last !== 0 && t - last > 1.5) { // seconds that nobody judged are a gap
                for (let g = last + 1; g < t && g < last + 400; g++) {
                    times.push(g);
                    lines.forEach((l) => l.push(null));
                }
            }
            last = t;
            times.push(t);
            lines.forEach((l, i) => l.push(signal === 'request_rate' ? row.requests : (signal.startsWith('latency') ? row.p99 : row.error_ratio)[i] ?? null));
        }
        return [times, ...lines];
    }

    errorsSince(ms: number): number {
        return this.rows.filter((r) => r.time_unix_ms >= ms).reduce((n, r) => n + r.errors, 0);
    }
}
