// Variables of a dashboard: their values from Prometheus, the choice from the address, and both put into queries and links.
import { get } from '../api.ts';
import { params } from '../router.ts';
import type { Dashboard, Variable } from './model.ts';

export interface Scope {
    from: number; // ms
    to: number;
    step: number; // s
}
export const SCRAPE_S = 15;

export class Variables {
    readonly options = new Map<string, string[]>();
    readonly list: Variable[];

    constructor(readonly dashboard: Dashboard) {
        this.list = dashboard.templating.list.filter((v) => v.type === 'query');
    }

    chosen(name: string): string[] {
        return params(`var-${name}`).filter((v) => v !== '$__all' && v !== '' && v !== 'All');
    }

    /** As a regular expression: all = .+ */
    private regex(name: string): string {
        const variable = this.list.find((v) => v.name === name);
        const values = this.chosen(name);
        if (values.length === 0) {
            return variable?.allValue ?? '.+';
        }
        const escaped = values.map((v) => v.replace(/[\\^$.*+?()[\]{}|]/g, '\\\\$&'));
        return escaped.length === 1 ? escaped[0]! : `(${escaped.join('|')})`;
    }

    private value(name: string, format: string | undefined): string | null {
        if (!this.list.some((v) => v.name === name)) {
            return null;
        }
        const values = this.chosen(name);
        switch (format) {
        case 'queryparam': return (values.length === 0 ? ['$__all'] : values).map((v) => `var-${name}=${encodeURIComponent(v)}`).join('&');
        case 'pipe': return values.length === 0 ? '.+' : values.join('|');
        case 'csv': return values.length === 0 ? 'All' : values.join(',');
        case 'raw': case 'text': return values.length === 0 ? 'All' : values.join(' + ');
        default: return this.regex(name);
        }
    }

    /** $name, ${name}, ${name:format} and Grafana's own $__… */
    put(text: string, scope: Scope, time: { from: string; to: string }): string {
        const step = Math.max(1, scope.step);
        const rangeS = Math.max(1, Math.round((scope.to - scope.from) / 1000));
        const own: Record<string, string> = {
            __interval: `${step}s`, __interval_ms: String(step * 1000), __range: `${rangeS}s`, __range_s: String(rangeS), __range_ms: String(rangeS * 1000),
            __rate_interval: `${Math.max(step + SCRAPE_S, 4 * SCRAPE_S)}s`, __from: String(scope.from), __to: String(scope.to),
            __url_time_range: `from=${encodeURIComponent(time.from)}&to=${encodeURIComponent(time.to)}`,
        };
        return text.replace(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (whole, braced: string | undefined, format: string | undefined, bare: string | undefined) => {
            const name = (braced ?? bare)!;
            return own[name] ?? this.value(name, format) ?? whole;
        });
    }

    /** label_values(metric{…}, label): asked again when one that it depends on changed. */
    async load(scope: Scope, time: { from: string; to: string }): Promise<void> {
        for (const v of this.list) {
            const query = typeof v.query === 'string' ? v.query : v.query.query;
            const match = /^label_values\((?:(.*),\s*)?(\w+)\)$/.exec(query);
            if (!match) {
                continue;
            }
            const selector = match[1] ? this.put(match[1], scope, time) : '';
            const search = new URLSearchParams({ start: String(Math.floor(scope.from / 1000)), end: String(Math.ceil(scope.to / 1000)) });
            if (selector !== '') {
                search.set('match[]', selector);
            }
            try {
                const answer = await get<{ data: string[] }>(`/api/prometheus/label/${match[2]}/values?${search.toString()}`);
                this.options.set(v.name, answer.data.sort());
            } catch {
                this.options.set(v.name, this.options.get(v.name) ?? []);
            }
        }
    }
}
