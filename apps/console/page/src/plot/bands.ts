// Incidents as stretches of time.
export interface Band {
    from: number; // ms
    to: number | null;
    level: 'critical' | 'warning';
    label?: string;
    href?: string; // the alert's own page
    labels?: Record<string, string>; // whose trouble it is
}

/** Stretches that overlap become one, so that a tint is never laid on a tint; critical hides warning. */
export function flatten(bands: Band[], from: number, to: number): Band[] {
    const merge = (level: Band['level']): [number, number][] => {
        const out: [number, number][] = [];
        const list = bands.filter((b) => b.level === level).map((b): [number, number] => [Math.max(from, b.from), Math.min(to, b.to ?? Infinity)]).filter(([a, b]) => b > a).sort((a, b) => a[0] - b[0]);
        for (const [a, b] of list) {
            const last = out.at(-1);
            if (last && a <= last[1]) {
                last[1] = Math.max(last[1], b);
            } else {
                out.push([a, b]);
            }
        }
        return out;
    };
    const critical = merge('critical');
    let warning = merge('warning');
    for (const [a, b] of critical) {
        warning = warning.flatMap(([x, y]): [number, number][] => (y <= a || x >= b ? [[x, y]] : [[x, Math.min(y, a)], [Math.max(x, b), y]])).filter(([x, y]) => y - x > 1);
    }
    return [...warning.map(([a, b]): Band => ({ from: a, to: b, level: 'warning' })), ...critical.map(([a, b]): Band => ({ from: a, to: b, level: 'critical' }))];
}

/** Those that a moment, ms, lies in: critical first, then the newest. */
export function bandsAt(bands: Band[], at: number): Band[] {
    return bands.filter((b) => b.from <= at && (b.to === null || b.to >= at)).sort((a, b) => a.level.localeCompare(b.level) || b.from - a.from);
}

/** Whether a band belongs on a panel: they share a label (the series have it, or the query chooses by it), and some series agrees in all that are shared. */
export function overlaps(band: Band, exprs: string[], metrics: Record<string, string>[]): boolean {
    const labels = Object.entries(band.labels ?? {});
    const chosenBy = (name: string): boolean => exprs.some((e) => new RegExp(`\\b${name}\\s*=~?\\s*"`).test(e));
    if (!labels.some(([n]) => metrics.some((m) => m[n] !== undefined) || chosenBy(n))) {
        return false;
    }
    return metrics.some((m) => labels.every(([n, v]) => m[n] === undefined || m[n] === v));
}
