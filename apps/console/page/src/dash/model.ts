// The part of Grafana's classic model that is drawn here; tests/dashboards holds the files to it.
export interface Step {
    color: string;
    value: number | null;
}
export interface Field {
    unit?: string;
    decimals?: number;
    min?: number;
    max?: number;
    noValue?: string;
    color?: { mode: string; fixedColor?: string };
    thresholds?: { mode: string; steps: Step[] };
    mappings?: { type: string; options: { from: number | null; to: number | null; result: { text: string } } }[];
    custom?: Record<string, unknown>;
}
interface Override {
    matcher: { id: string; options: string };
    properties: { id: string; value: unknown }[];
}
export interface Link {
    title: string;
    url: string;
    type: string;
}
export interface Target {
    expr: string;
    legendFormat?: string;
    instant?: boolean;
    exemplar?: boolean;
    format?: string;
    refId: string;
}
export interface Panel {
    id: number;
    type: string;
    title: string;
    description?: string;
    gridPos: { x: number; y: number; w: number; h: number };
    fieldConfig?: { defaults: Field; overrides: Override[] };
    options?: Record<string, unknown>;
    targets?: Target[];
    links?: Link[];
    transformations?: { id: string; options: Record<string, Record<string, unknown>> }[];
}
export interface Variable {
    name: string;
    label?: string;
    type: string;
    query: string | { query: string };
    multi?: boolean;
    includeAll?: boolean;
    allValue?: string;
}
export interface Dashboard {
    uid: string;
    title: string;
    panels: Panel[];
    refresh?: string;
    time: { from: string; to: string };
    templating: { list: Variable[] };
    annotations: { list: { name: string; enable: boolean; iconColor: string; target?: { expr: string }; titleFormat?: string; textFormat?: string }[] };
}

/** The field's settings for a series or column of that name: defaults, then the overrides that match. */
export function fieldOf(panel: Panel, name: string): Field {
    const config = panel.fieldConfig;
    const field: Field = { ...config?.defaults, custom: { ...config?.defaults.custom } };
    for (const override of config?.overrides ?? []) {
        const { id, options } = override.matcher;
        const body = /^\/(.*)\/([a-z]*)$/.exec(options);
        const fits = id === 'byName' ? options === name : id === 'byRegexp' ? new RegExp(body ? body[1]! : options, body?.[2] ?? '').test(name) : false;
        for (const p of fits ? override.properties : []) {
            if (p.id.startsWith('custom.')) {
                field.custom![p.id.slice(7)] = p.value;
            } else {
                (field as Record<string, unknown>)[p.id] = p.value;
            }
        }
    }
    return field;
}

/** What of the page's colours a dashboard's colour is. */
const COLORS: Record<string, string> = { red: '--critical', orange: '--warning-mark', yellow: '--warning-mark', blue: '--series-1', green: '--done', text: '--text', 'dark-blue': '--p50', 'super-light-blue': '--p99' };
export const colorName = (grafana: string): string => COLORS[grafana] ?? '--text';

/** The step that a value has reached: its colour and limit. */
export function stepOf(field: Field, value: number | null): Step | null {
    let found: Step | null = null;
    for (const s of field.thresholds?.steps ?? []) {
        if (value !== null && (s.value === null || value >= s.value)) {
            found = s;
        }
    }
    return found;
}
export const isTrouble = (color: string): boolean => color === 'red' || color === 'orange' || color === 'yellow';
