// Dashboards: the same JSON files that Grafana shows on a cluster.
import { get, range } from '../api.ts';
import { h, replace, replaceWhen } from '../dom.ts';
import type { Dashboard } from '../dash/model.ts';
import { makePanel, type PanelContext, type PanelView } from '../dash/panel.ts';
import { isRelative, RANGES, refreshMs, stepFor, toMs } from '../dash/time.ts';
import { Variables } from '../dash/variables.ts';
import * as f from '../format.ts';
import * as live from '../live.ts';
import type { Band } from '../plot.ts';
import { currentPath, navigate, param, params, redirect, setParams, withParams } from '../router.ts';
import { button, copy, problem, select } from '../ui.ts';
import type { View } from '../view.ts';

let known: Dashboard[] | null = null;
const REFRESH: [string, string][] = [['', 'off'], ['5s', '5 s'], ['10s', '10 s'], ['30s', '30 s'], ['1m', '1 min'], ['5m', '5 min']];

/** Firing alerts as stretches of time, from ALERTS. */
async function readBands(dashboard: Dashboard, variables: Variables, from: number, to: number, time: { from: string; to: string }): Promise<Band[]> {
    const step = stepFor(from, to, 240, 15);
    const bands: Band[] = [];
    for (const a of dashboard.annotations.list.filter((x) => x.enable && x.target)) {
        const expr = variables.put(a.target!.expr, { from, to, step }, time);
        const matrix = await range(expr, Math.floor(from / 1000 / step) * step, Math.floor(to / 1000 / step) * step, step).catch(() => []);
        for (const m of matrix.slice(0, 40)) {
            const fill = (format: string | undefined): string => (format ?? '').replace(/\{\{\s*(\w+)\s*\}\}/g, (_, n: string) => m.metric[n] ?? '').trim();
            const label = `${fill(a.titleFormat ?? '{{alertname}}')} ${fill(a.textFormat)} firing`.replace(/\s+/g, ' ');
            let begin = m.values[0]![0];
            let last = begin;
            const end = (until: number): void => void bands.push({ from: begin * 1000, to: to / 1000 - until < 2 * step ? null : (until + step) * 1000, level: a.iconColor === 'red' ? 'critical' : 'warning', label });
            for (const [t] of m.values) {
                if (t - last > 2.5 * step) {
                    end(last);
                    begin = t;
                }
                last = t;
            }
            end(last);
        }
    }
    // What the stream fired is here at once, before Prometheus has heard of it.
    for (const t of live.state.transitions.filter((x) => x.state === 'firing')) {
        const fits = (name: string, value: string | undefined): boolean => params(`var-${name}`).length === 0 || params(`var-${name}`).includes(value ?? '') || params(`var-${name}`).includes('$__all');
        const cleared = live.state.transitions.find((x) => x.fingerprint === t.fingerprint && x.sequence === t.sequence + 1);
        const begin = Date.parse(t.detected_at);
        const until = cleared ? Date.parse(cleared.detected_at) : null;
        if (fits('service', t.labels['service.name']) && fits('region', t.labels['cloud.region']) && begin < to && (until === null || until > from) && to - from < 7 * 86400000) {
            bands.push({ from: begin, to: until, level: t.severity === 'critical' ? 'critical' : 'warning', label: `${t.rule} ${t.labels['service.name']} ${t.labels['cloud.region']} firing` });
        }
    }
    return bands;
}

export function makeDashboards(): View {
    const bar = h('div.filters.dash-bar');
    const grid = h('div.dash-grid');
    const element = h('div.page', {}, h('h1.hidden', {}, 'Dashboards'), bar, grid);
    let dashboard: Dashboard | null = null;
    let variables: Variables | null = null;
    let panels: PanelView[] = [];
    let bands: Band[] = [];
    let lastRefresh = 0;
    let lastZone = f.isLocal();
    let lastTheme = document.documentElement.dataset['theme'];

    const time = (): { from: string; to: string } => ({ from: param('from') ?? dashboard!.time.from, to: param('to') ?? dashboard!.time.to });
    const current = (): { from: number; to: number } => {
        const t = time();
        const [from, to] = [toMs(t.from), toMs(t.to)];
        return to > from ? { from, to } : { from: to - 900000, to };
    };
    const refreshText = (): string => param('refresh') ?? dashboard?.refresh ?? '';

    const setRange = (from: number, to: number): void => setParams({ from: String(Math.round(from)), to: String(Math.round(to)) });
    const shift = (by: number): void => {
        const { from, to } = current();
        const span = (to - from) * 0.5 * by;
        setRange(from + span, to + span);
    };

    const multi = (name: string, label: string, options: string[], chosen: string[]): HTMLElement => {
        const shown = chosen.length === 0 ? 'All' : chosen.length === 1 ? chosen[0]! : `${chosen.length} of ${options.length}`;
        const set = (values: string[]): void => setParams({ [`var-${name}`]: values.length === 0 || values.length === options.length ? null : values });
        return h('details.multi', {}, h('summary.select', {}, h('span', {}, label), h('b', {}, shown)), h('div.multi-list', {}, h('label.check', {}, h('input', { type: 'checkbox', checked: chosen.length === 0, onchange: () => set([]) }), 'All'),
            options.map((o) => h('label.check', {}, h('input', { type: 'checkbox', checked: chosen.includes(o), onchange: (e: Event) => set((e.target as HTMLInputElement).checked ? [...chosen, o] : chosen.filter((c) => c !== o)) }), o))));
    };

    const pinned = (): string => {
        const { from, to } = current();
        return location.origin + withParams({ from: String(Math.round(from)), to: String(Math.round(to)) });
    };

    const paintBar = (): void => {
        if (!dashboard || !variables) {
            return;
        }
        const v = variables;
        const t = time();
        const key = JSON.stringify([dashboard.uid, t, refreshText(), v.list.map((x) => [x.name, v.options.get(x.name), v.chosen(x.name)]), param('viewPanel'), f.zone(), known?.length]);
        const open = bar.querySelector('details[open] summary span')?.textContent;
        const changed = replaceWhen(bar, key, () => [
            select('', known!.map((d): [string, string] => [d.uid, d.title]), dashboard!.uid, (uid) => navigate(`/d/${uid}`)),
            v.list.map((x) => multi(x.name, x.label ?? x.name, v.options.get(x.name) ?? [], v.chosen(x.name))),
            h('span.push'),
            select('', isRelative(t.from) ? (RANGES.some(([r]) => r === t.from) ? RANGES : [[t.from, t.from], ...RANGES]) : [['fixed', `${f.when(toMs(t.from), live.now(), true)} – ${f.clock(toMs(t.to))}`], ...RANGES], isRelative(t.from) ? t.from : 'fixed',
                (value) => value !== 'fixed' && setParams({ from: value, to: 'now' })),
            select('every', REFRESH.some(([r]) => r === refreshText()) ? REFRESH : [[refreshText(), refreshText()], ...REFRESH], refreshText(), (value) => setParams({ refresh: value }, true)),
            button('Copy link', () => void copy(pinned(), bar.querySelector<HTMLElement>('.copy-link') ?? undefined), { key: 'c', class: 'copy-link' }),
        ]);
        if (changed) {
            bar.querySelectorAll('select')[0]?.setAttribute('aria-label', 'Dashboard');
            bar.querySelectorAll('select')[1]?.setAttribute('aria-label', 'Time range');
            bar.querySelectorAll('details').forEach((d) => d.querySelector('summary span')?.textContent === open && (d.open = true));
        }
    };

    const context = (): PanelContext => ({ variables: variables!, time, range: current, bands: () => bands, onSelect: setRange, onReset: () => setParams({ from: null, to: null }), open: (id) => setParams({ viewPanel: id === null ? null : String(id) }), isAlone: param('viewPanel') !== null });

    const build = (): void => {
        panels.forEach((p) => p.destroy());
        const alone = param('viewPanel');
        panels = dashboard!.panels.filter((p) => p.type !== 'row' && (alone === null || p.id === Number(alone.replace('panel-', '')))).map((p) => makePanel(p, context()));
        grid.classList.toggle('dash-grid-alone', alone !== null);
        replace(grid, panels.map((p) => p.element));
    };

    const refreshAll = async (): Promise<void> => {
        if (!dashboard || !variables) {
            return;
        }
        lastRefresh = Date.now();
        const { from, to } = current();
        await variables.load({ from, to, step: 15 }, time());
        paintBar();
        const bandsRead = readBands(dashboard, variables, from, to, time()).then((b) => (bands = b));
        await Promise.all(panels.filter((p) => p.isVisible()).map((p) => p.refresh()));
        await bandsRead;
        panels.filter((p) => p.isVisible()).forEach((p) => p.redraw());
    };

    const open = (): void => {
        const uid = currentPath().startsWith('/d/') ? currentPath().slice(3).split('/')[0]! : '';
        const found = known!.find((d) => d.uid === uid);
        if (!found) {
            if (uid === '' && known!.length > 0) {
                redirect(`/d/${(known!.find((d) => d.uid === 'golden-signals') ?? known![0]!).uid}`);
            } else {
                replace(grid, h('div.panel.empty', {}, h('h2', {}, known!.length === 0 ? 'There are no dashboards in --dashboards' : `No dashboard is called ${uid}`), h('p', {}, known!.map((d) => [h('a', { href: `/d/${d.uid}` }, d.title), ' ']))));
            }
            return;
        }
        const isNew = found !== dashboard;
        dashboard = found;
        if (isNew) {
            variables = new Variables(found);
        }
        const shape = `${found.uid}|${param('viewPanel')}`;
        if (grid.dataset['shape'] !== shape) {
            grid.dataset['shape'] = shape;
            build();
        }
        paintBar();
        requestAnimationFrame(() => void refreshAll());
    };

    const load = (): void => {
        get<Dashboard[]>('/api/dashboards').then((list) => {
            known = list;
            open();
        }, (e: Error) => replace(grid, problem('The dashboards can’t be read', e.message, load)));
    };
    if (known) {
        queueMicrotask(open);
    } else {
        load();
    }
    const timer = window.setInterval(() => {
        const every = refreshMs(refreshText());
        if (every > 0 && !document.hidden && live.state.connected && dashboard && isRelative(time().to) && Date.now() - lastRefresh >= every) {
            void refreshAll();
        }
    }, 1000);
    const closeMenus = (e: Event): void => bar.querySelectorAll<HTMLDetailsElement>('details[open]').forEach((d) => d.contains(e.target as Node) || (d.open = false));
    document.addEventListener('click', closeMenus);
    const focused = (): PanelView | undefined => panels.find((p) => p.element.contains(document.activeElement)) ?? panels.find((p) => p.element.matches(':hover'));
    const move = (by: number): void => {
        const at = panels.findIndex((p) => p.element.contains(document.activeElement));
        const next = panels[Math.max(0, Math.min(panels.length - 1, at + by))];
        next?.element.focus();
    };
    return {
        element, title: 'Dashboards',
        update: () => {
            if (lastZone !== f.isLocal() || lastTheme !== document.documentElement.dataset['theme']) {
                lastZone = f.isLocal();
                lastTheme = document.documentElement.dataset['theme'];
                panels.forEach((p) => p.redraw());
                paintBar();
            }
        },
        navigated: () => {
            if (known) {
                open();
            }
            return true;
        },
        keys: {
            j: () => move(1), k: () => move(-1), Enter: () => focused() && setParams({ viewPanel: String(focused()!.panel.id) }),
            p: () => focused() && void copy(focused()!.promql()), c: () => void copy(pinned(), bar.querySelector<HTMLElement>('.copy-link') ?? undefined),
            t: () => bar.querySelector<HTMLElement>('[aria-label="Time range"]')?.focus(), '[': () => shift(-1), ']': () => shift(1), '/': () => bar.querySelector<HTMLElement>('summary')?.focus(),
            Escape: () => (param('viewPanel') ? setParams({ viewPanel: null }) : undefined),
        },
        destroy: () => {
            clearInterval(timer);
            document.removeEventListener('click', closeMenus);
            panels.forEach((p) => p.destroy());
        },
    };
}
