// Dashboards: the same JSON files that Grafana shows on a cluster.
import { get } from '../api.ts';
import { h, replace } from '../dom.ts';
import type { Dashboard } from '../dash/model.ts';
import { makePanel, type PanelContext, type PanelView } from '../dash/panel.ts';
import { readBands, streamBands } from '../dash/bands.ts';
import { isRelative, RANGES, refreshMs, toMs } from '../dash/time.ts';
import { makeTimeRange } from '../dash/timerange.ts';
import { Variables } from '../dash/variables.ts';
import * as f from '../format.ts';
import * as live from '../live.ts';
import type { Band } from '../plot/bands.ts';
import { currentPath, navigate, param, redirect, setParams, withParams } from '../router.ts';
import { type Listbox, makeChoice, makeMulti } from '../menu.ts';
import { button, copy, problem } from '../ui.ts';
import type { View } from '../view.ts';

let known: Dashboard[] | null = null;
const REFRESH: [string, string][] = [['', 'off'], ['5s', '5 s'], ['10s', '10 s'], ['30s', '30 s'], ['1m', '1 min'], ['5m', '5 min']];

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

    const zooms: Record<string, string | null>[] = []; // where a double click goes back to
    const setRange = (from: number, to: number): void => setParams({ from: String(Math.round(from)), to: String(Math.round(to)) });
    const zoom = (from: number, to: number): void => {
        zooms.push({ from: param('from'), to: param('to') });
        setRange(from, to);
    };
    const unzoom = (): void => setParams(zooms.pop() ?? { from: null, to: null });
    /** Half a screen earlier or later; where that reaches now, it follows the time again. */
    const shift = (by: number): void => {
        const { from, to } = current();
        const half = (to - from) * 0.5 * by;
        const span = RANGES.find(([r]) => Math.abs(live.now() - toMs(r) - (to - from)) < 1000);
        if (by > 0 && to + half >= live.now() - 0.1 * (to - from)) {
            span ? setParams({ from: span[0], to: 'now' }) : setRange(live.now() - (to - from), live.now());
        } else {
            setRange(from + half, to + half);
        }
    };

    const pinned = (): string => {
        const { from, to } = current();
        return location.origin + withParams({ from: String(Math.round(from)), to: String(Math.round(to)) });
    };

    const chooseDashboard = makeChoice('Dashboard', () => '', (uid) => navigate(`/d/${uid}`));
    const chooseTime = makeTimeRange((from, to) => setParams({ from, to }));
    const chooseRefresh = makeChoice('Refresh', (value) => (value === '' ? 'Refresh' : 'every'), (value) => setParams({ refresh: value }, true));
    const copyLink = button('Copy link', () => void copy(pinned(), copyLink), { key: 'c', class: 'copy-link' });
    const choices = h('div.dash-choices');
    let chooseVariable = new Map<string, Listbox>();
    replace(bar, chooseDashboard.element, choices, h('span.push'), chooseTime.element, chooseRefresh.element, copyLink);

    const makeChoices = (v: Variables): void => {
        chooseVariable = new Map(v.list.map((x) => [x.name, makeMulti(x.label ?? x.name, (values) => setParams({ [`var-${x.name}`]: values.length === 0 ? null : values }))]));
        replace(choices, [...chooseVariable.values()].map((c) => c.element));
    };
    const paintBar = (): void => {
        if (!dashboard || !variables) {
            return;
        }
        const v = variables;
        chooseDashboard.set(known!.map((d): [string, string] => [d.uid, d.title]), [dashboard.uid]);
        chooseVariable.forEach((choice, name) => choice.set((v.options.get(name) ?? []).map((o): [string, string] => [o, o]), v.chosen(name)));
        chooseTime.set(time());
        const every = refreshText();
        chooseRefresh.set(REFRESH.some(([r]) => r === every) ? REFRESH : [[every, every], ...REFRESH], [every]);
    };

    const context = (): PanelContext => ({ variables: variables!, time, range: current, bands: () => [...bands, ...streamBands(current().from, current().to)], onSelect: zoom, onReset: unzoom, open: (id) => setParams({ viewPanel: id === null ? null : String(id) }), isAlone: param('viewPanel') !== null });

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
            zooms.length = 0;
            makeChoices(variables);
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
    const unsubscribe = live.on('transition', () => panels.filter((p) => p.isVisible()).forEach((p) => p.redraw()));
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
            p: () => focused() && void copy(focused()!.promql()), c: () => void copy(pinned(), copyLink),
            t: chooseTime.open, '[': () => shift(-1), ']': () => shift(1), '/': () => [...chooseVariable.values()][0]?.open(),
            Escape: () => (param('viewPanel') ? setParams({ viewPanel: null }) : undefined),
        },
        destroy: () => {
            clearInterval(timer);
            unsubscribe();
            panels.forEach((p) => p.destroy());
        },
    };
}
