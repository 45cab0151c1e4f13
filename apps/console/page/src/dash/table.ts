// Tables: instant vectors merged by their labels, columns chosen and named by "organize".
import { h } from '../dom.ts';
import { colorName, fieldOf, isTrouble, type Panel, stepOf } from './model.ts';
import { type Asked, lastOf } from './query.ts';
import * as units from './units.ts';

type Row = Record<string, string | number>;

function merge(asked: Asked[]): Row[] {
    const rows = new Map<string, Row>();
    for (const a of asked) {
        for (const s of a.samples) {
            const labels = Object.fromEntries(Object.entries(s.metric).filter(([n]) => n !== '__name__'));
            const key = JSON.stringify(Object.entries(labels).sort());
            const row = rows.get(key) ?? { ...labels };
            row[asked.length > 1 ? `Value #${a.target.refId}` : 'Value'] = Number(s.value[1]);
            rows.set(key, row);
        }
    }
    return [...rows.values()];
}

export function drawTable(panel: Panel, asked: Asked[]): HTMLElement | null {
    const rows = merge(asked);
    if (rows.length === 0) {
        return null;
    }
    const organize = panel.transformations?.find((t) => t.id === 'organize')?.options ?? {};
    const renamed = (organize['renameByName'] ?? {}) as Record<string, string>;
    const index = (organize['indexByName'] ?? {}) as Record<string, number>;
    const excluded = (organize['excludeByName'] ?? {}) as Record<string, boolean>;
    const values = asked.map((a) => (asked.length > 1 ? `Value #${a.target.refId}` : 'Value'));
    const columns = [...new Set([...rows.flatMap((r) => Object.keys(r)), ...values])].filter((c) => !excluded[c]).sort((a, b) => (index[a] ?? 99) - (index[b] ?? 99));
    const name = (c: string): string => renamed[c] ?? c;
    const sortBy = (panel.options?.['sortBy'] as { displayName: string; desc?: boolean }[] | undefined)?.[0];
    const sortColumn = sortBy && columns.find((c) => name(c) === sortBy.displayName);
    if (sortColumn) {
        const order = (r: Row): number | string => r[sortColumn] ?? -Infinity;
        rows.sort((a, b) => {
            const [x, y] = [order(a), order(b)];
            const by = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
            return sortBy.desc ? -by : by;
        });
    }
    const cell = (row: Row, c: string): HTMLElement => {
        const value = row[c];
        if (!values.includes(c)) {
            return h('td', {}, String(value ?? ''));
        }
        const field = fieldOf(panel, name(c));
        const step = typeof value === 'number' ? stepOf(field, value) : null;
        const td = h('td.r', {}, units.text(field, value as number | undefined));
        if (step && (field.custom!['cellOptions'] as { type?: string } | undefined)?.type === 'color-text' && isTrouble(step.color)) {
            td.style.color = `var(${colorName(step.color) === '--warning-mark' ? '--warning' : colorName(step.color)})`;
            td.style.fontWeight = '600';
        }
        return td;
    };
    return h('div.scroll-x.dash-table', { tabindex: '0' }, h('table', {}, h('thead', {}, h('tr', {}, columns.map((c) => h(values.includes(c) ? 'th.r' : 'th', {}, name(c))))),
        h('tbody', {}, rows.slice(0, 200).map((r) => h('tr', {}, columns.map((c) => cell(r, c)))))));
}

/** The figures of a plot for those who read them: last, least, most and mean of each series. */
export function drawSummary(panel: Panel, list: { name: string; values: (number | null)[] }[], unit?: string): HTMLElement {
    const rows = list.map((s) => {
        const v = s.values.filter((x): x is number => x !== null);
        const show = (x: number | null): HTMLElement => h('td.r', {}, units.text(unit === undefined ? fieldOf(panel, s.name) : { unit }, x));
        return h('tr', {}, h('td', {}, s.name), show(lastOf(s.values)), show(v.length > 0 ? Math.min(...v) : null), show(v.length > 0 ? Math.max(...v) : null), show(v.length > 0 ? v.reduce((a, b) => a + b, 0) / v.length : null));
    });
    return h('div.scroll-x.alone-table', { tabindex: '0', role: 'region', 'aria-label': `Figures of ${panel.title}` }, h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, 'Series'), ['Last', 'Least', 'Most', 'Mean'].map((x) => h('th.r', {}, x)))), h('tbody', {}, rows)));
}
