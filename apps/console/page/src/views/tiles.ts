// The matrix of services and regions, and the same tiles as one list by trouble.
import * as alerts from '../alerts.ts';
import { drawBars, drawLatency } from '../bars.ts';
import { h, replace, replaceWhen, setText, toggle } from '../dom.ts';
import * as f from '../format.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';
import { param, params, setParams } from '../router.ts';
import { button } from '../ui.ts';

const NEAR = 0.85;
const NEAR_GONE = 0.8;
const wasNear = new Set<number>();

export interface Standing {
    alert: alerts.Alert | null;
    isNear: boolean;
    /** Of an incident that is over; its seconds are still in the minute. */
    cleared: live.Transition | null;
    latencyNear: boolean;
    /** Worse is larger: firing critical, firing, pending, near, then value ÷ limit. */
    rank: number;
}

export function standing(s: live.Series): Standing {
    const alert = alerts.troubleOf(s.service, s.region);
    const pending = alerts.isPending(s.service, s.region);
    const errorLimit = alerts.limitOf('error_rate');
    const latencyLimit = alerts.limitOf('latency_p99');
    // A share of a few requests says nothing: as many as the rules themselves want.
    const requests = (s.minute.rate ?? 0) * 60;
    const errors = errorLimit && requests * (s.minute.errors ?? 0) >= 5 ? (s.minute.errors ?? 0) / errorLimit : 0;
    const latency = latencyLimit && requests >= 20 ? (s.minute.p99 ?? 0) / latencyLimit : 0;
    const worst = Math.max(errors, latency);
    if (worst > NEAR) {
        wasNear.add(s.id);
    } else if (worst < NEAR_GONE) {
        wasNear.delete(s.id);
    }
    const cleared = !alert && wasNear.has(s.id) ? justCleared(s) : null;
    const isNear = !alert && !cleared && wasNear.has(s.id);
    const rank = (alert ? (alert.severity === 'critical' ? 1000 : 500) : pending ? 200 : isNear || cleared ? 100 : 0) + Math.min(worst, 20) * 0.01;
    return { alert, isNear, cleared, latencyNear: latency > errors && (isNear || (alert?.evidence?.signal.startsWith('latency') ?? false)), rank };
}

const CLEARED_MS = 75000; // a minute's window and what it takes to be seen
function justCleared(s: live.Series): live.Transition | null {
    const since = live.now() - CLEARED_MS;
    return [...live.state.transitions].reverse().find((t) => t.state === 'resolved' && t.labels['service.name'] === s.service && t.labels['cloud.region'] === s.region && Date.parse(t.detected_at) > since) ?? null;
}

/** A page draws so many tiles at once; past that, the worst, then by name. */
const MOST = 300;
const SHOWN = 120;
interface Chosen {
    series: live.Series[];
    standings: Map<number, Standing>;
    /** What isn't shown, in words; "" when all is. */
    hidden: string;
}
const byName = (a: live.Series, b: live.Series): number => a.service.localeCompare(b.service) || a.region.localeCompare(b.region);
function choose(all: live.Series[]): Chosen {
    const standings = new Map(all.map((s) => [s.id, standing(s)]));
    if (all.length <= MOST) {
        return { series: all, standings, hidden: '' };
    }
    const rank = (s: live.Series): number => standings.get(s.id)!.rank;
    const trouble = all.filter((s) => rank(s) >= 100).sort((a, b) => rank(b) - rank(a) || byName(a, b));
    const firing = trouble.filter((s) => standings.get(s.id)!.alert).length;
    const others = all.filter((s) => rank(s) < 100).sort(byName);
    const series = [...trouble, ...others].slice(0, SHOWN);
    const seen = Math.min(SHOWN, trouble.length);
    const which = trouble.length > SHOWN ? `the ${SHOWN} worst of ${f.count(trouble.length)} in trouble or near a limit; ${f.count(firing)} fire, all by service above` : seen > 0 ? `all ${seen} in trouble or near a limit, then the first by name` : 'by name; none is in trouble';
    return { series, standings, hidden: `${f.count(series.length)} of ${f.count(all.length)} shown: ${which}. ` };
}

/** What the address asks for: names of services and regions, or a part of either. */
const wanted = (name: string): string[] => params(name).filter((v) => v !== '');
export const filterText = (): string => (param('q') ?? '').trim();
export const isFiltered = (): boolean => filterText() !== '' || wanted('var-service').length > 0 || wanted('var-region').length > 0;
function matches(s: live.Series): boolean {
    const fits = (names: string[], name: string): boolean => names.length === 0 || names.includes(name);
    return fits(wanted('var-service'), s.service) && fits(wanted('var-region'), s.region) && filterText().toLowerCase().split(/\s+/).every((w) => `${s.service} ${s.region}`.toLowerCase().includes(w));
}
const filterWords = (): string => [...wanted('var-service').map((v) => `service = ${v}`), ...wanted('var-region').map((v) => `region = ${v}`), ...(filterText() === '' ? [] : [`“${filterText()}”`])].join(', ');
export const showAll = (): void => setParams({ q: null, 'var-service': null, 'var-region': null });

class Tile {
    readonly element: HTMLAnchorElement;
    private readonly state = h('span.tile-state');
    private readonly canvas = h('canvas.bars', { 'aria-hidden': 'true' });
    private readonly numbers: { box: HTMLElement; value: HTMLElement; unit: HTMLElement }[];
    private readonly said = h('span.hidden');
    private wasFiring = false;

    constructor(readonly series: live.Series, named: boolean) {
        this.numbers = ['Errors', 'P99', 'Rate'].map((name) => {
            const value = h('span.num');
            const unit = h('small');
            return { box: h('span.figure', {}, h('span.label', {}, name), h('span.figure-value', {}, value, ' ', unit)), value, unit };
        });
        this.element = h('a.tile', { href: '#', tabindex: '-1' }, this.said,
            named ? h('span.tile-name', {}, h('b', {}, series.service), ' ', h('span.muted', {}, series.region)) : null,
            h('span.figures', {}, this.numbers.map((n) => n.box)), h('span.tile-right', {}, this.state, this.canvas));
    }

    update(s: live.Series, at: Standing): void {
        const e = this.element;
        const firing = at.alert !== null;
        const signal = at.alert?.evidence?.signal ?? '';
        const critical = at.alert?.severity === 'critical';
        const read = live.shown(s);
        const figures = [f.percent(read.errors), f.seconds(read.p99), f.rate(read.rate)];
        const limits = [alerts.limitOf('error_rate'), alerts.limitOf('latency_p99')];
        const values = [read.errors, read.p99];
        this.numbers.forEach((n, i) => {
            setText(n.value, figures[i]!.value);
            setText(n.unit, figures[i]!.unit);
            const own = (i === 0 && signal === 'error_rate') || (i === 1 && signal.startsWith('latency'));
            const near = i < 2 && (at.isNear || firing) && limits[i] !== null && values[i] !== null && values[i]! > limits[i]! * NEAR;
            toggle(n.box, 'is-violated', own && critical);
            toggle(n.box, 'is-near', (own && !critical) || (near && !(own && critical)));
        });
        toggle(e, 'is-firing', firing && critical);
        toggle(e, 'is-warning', firing && !critical);
        toggle(e, 'is-near', at.isNear);
        toggle(e, 'is-cleared', at.cleared !== null);
        const word = firing ? (at.alert!.state === 'silenced' ? 'Silenced' : critical ? 'Firing' : 'Warning') : at.isNear ? 'Near limit' : at.cleared ? 'Cleared' : '';
        replaceWhen(this.state, word, () => (word === '' ? [] : [word === 'Silenced' ? icons.silenced() : word === 'Firing' ? icons.critical() : word === 'Cleared' ? icons.check() : icons.warning(), ' ', word]));
        if (firing && !this.wasFiring) {
            e.classList.remove('flash');
            void e.offsetWidth;
            e.classList.add('flash');
        }
        this.wasFiring = firing;
        const href = firing ? `/alerts/${at.alert!.key}` : at.cleared ? `/alerts/${at.cleared.fingerprint}/${at.cleared.sequence}` : `/d/golden-signals?var-service=${encodeURIComponent(s.service)}&var-region=${encodeURIComponent(s.region)}`;
        if (e.getAttribute('href') !== href) {
            e.setAttribute('href', href);
        }
        setText(this.said, `${s.service}, ${s.region}: ${word === '' ? 'healthy' : word}. `);
        const bars = live.barsOf(s);
        const latencyLimit = limits[1] ?? null;
        if (at.latencyNear && latencyLimit !== null) {
            drawLatency(this.canvas, bars, latencyLimit, firing);
        } else {
            drawBars(this.canvas, bars);
        }
    }
}

interface RowParts {
    element: HTMLElement;
    below: HTMLElement;
    tiles: Tile[];
}

/** How tiles are laid out: a matrix, or one list where a matrix would be mostly holes. */
export class Tiles {
    readonly element = h('div.tiles');
    isForced = false; // too many for a matrix
    readonly note = h('p.muted.small.tiles-note', { hidden: true });
    private tiles = new Map<number, Tile>();
    private rows = new Map<string, RowParts>();
    private shape = '';
    private order = '';
    private focused = 0;

    constructor() {
        this.element.addEventListener('keydown', (e) => this.move(e));
        this.element.addEventListener('focusin', (e) => {
            const i = this.list().indexOf(e.target as HTMLAnchorElement);
            if (i >= 0) {
                this.focused = i;
                this.rove();
            }
        });
    }

    private list(): HTMLAnchorElement[] {
        return [...this.element.querySelectorAll<HTMLAnchorElement>('a.tile')];
    }
    private rove(): void {
        const all = this.list();
        this.focused = Math.min(this.focused, Math.max(0, all.length - 1));
        all.forEach((a, i) => a.setAttribute('tabindex', i === this.focused ? '0' : '-1'));
    }
    private columns = 1;
    private move(e: KeyboardEvent): void {
        const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns }[e.key];
        const all = this.list();
        if (by !== undefined && all[this.focused + by]) {
            e.preventDefault();
            all[this.focused + by]!.focus();
        }
    }
    focusNext(by: number): void {
        const all = this.list();
        const next = document.activeElement?.classList.contains('tile') ? this.focused + by : this.focused;
        all[Math.max(0, Math.min(all.length - 1, next))]?.focus();
    }

    update(layout: 'matrix' | 'list'): void {
        const everything = live.pairs();
        const matching = isFiltered() ? everything.filter(matches) : everything;
        const { series, standings, hidden } = choose(matching);
        this.isForced = matching.length > MOST;
        const mode = this.isForced ? 'list' : layout;
        this.paintNote(hidden, matching.length, everything);
        const regions = [...new Set(series.map((s) => s.region))].sort();
        const services = [...new Set(series.map((s) => s.service))];
        const shape = `${mode}|${regions.join()}|${services.slice().sort().join()}|${series.map((s) => s.id).join()}`;
        if (shape !== this.shape) {
            this.shape = shape;
            this.order = '';
            this.rebuild(mode, series, regions, services);
        }
        this.sort(mode, series, standings, services);
        for (const s of series) {
            this.tiles.get(s.id)?.update(s, standings.get(s.id)!);
        }
        for (const [service, row] of this.rows) {
            const of = series.filter((s) => s.service === service);
            const rates = of.map((s) => live.shown(s).rate).filter((r) => r !== null);
            const rate = f.join(f.rate(rates.length === 0 ? null : rates.reduce((n, r) => n + r, 0)));
            const firing = of.filter((s) => standings.get(s.id)!.alert).length;
            const tone = of.some((s) => standings.get(s.id)!.alert?.severity === 'critical') ? 'critical' : 'warning';
            replaceWhen(row.below, `${rate}|${firing}|${tone}`, () => [rate, firing > 0 ? [' · ', h('span', { class: tone }, `${firing} firing`)] : null]);
        }
    }

    /** What is hidden and how to see it; nothing that matches, and what would. */
    private paintNote(hidden: string, matching: number, everything: live.Series[]): void {
        const isEmpty = matching === 0 && everything.length > 0;
        this.note.hidden = hidden === '' && !isFiltered();
        this.note.classList.toggle('tiles-empty', isEmpty);
        if (this.note.hidden) {
            return;
        }
        const services = [...new Set(everything.map((s) => s.service))].sort();
        const regions = [...new Set(everything.map((s) => s.region))].sort();
        const some = (names: string[]): string => names.slice(0, 24).join(', ') + (names.length > 24 ? `, and ${f.count(names.length - 24)} more` : '');
        replaceWhen(this.note, JSON.stringify([hidden, matching, filterWords(), isEmpty ? [services, regions] : everything.length]), () => [
            isEmpty ? [h('b', {}, `Nothing matches ${filterWords()}`), h('span', {}, `Services: ${some(services)}`), h('span', {}, `Regions: ${some(regions)}`)]
                : isFiltered() ? `${hidden || `${f.count(matching)} of ${f.count(everything.length)} shown: `}${filterWords()}. ` : hidden,
            isFiltered() ? button('Show all services', showAll) : ['The others: ', h('kbd', {}, '/'), ' and a part of a service’s or region’s name.']]);
    }

    private rebuild(mode: string, series: live.Series[], regions: string[], services: string[]): void {
        this.tiles.clear();
        this.rows.clear();
        this.element.className = `tiles tiles-${mode}`;
        this.columns = mode === 'matrix' ? regions.length : 1;
        this.element.style.setProperty('--columns', String(regions.length));
        if (mode === 'list') {
            series.forEach((s) => this.tiles.set(s.id, new Tile(s, true)));
            replace(this.element, [...this.tiles.values()].map((t) => t.element));
            return;
        }
        for (const service of services) {
            const below = h('span.faint.num');
            const tiles = regions.map((region) => {
                const s = series.find((x) => x.service === service && x.region === region);
                const tile = s ? new Tile(s, false) : null;
                if (s && tile) {
                    this.tiles.set(s.id, tile);
                }
                return tile;
            });
            const row = h('div.tile-row', {}, h('div.row-name', {}, h('b', {}, service), below),
                tiles.map((t, i) => (t ? t.element : h('div.tile.none', {}, h('span.faint', {}, `not in ${regions[i]}`)))));
            this.rows.set(service, { element: row, below, tiles: tiles.filter((t): t is Tile => !!t) });
        }
        replace(this.element, h('div.tile-row.tile-head', { 'aria-hidden': 'true' }, h('span'), regions.map((r) => h('span.muted', {}, r))),
            [...this.rows.values()].map((r) => r.element));
    }

    /** Things move only when a state changes, and never under the pointer or the focus. */
    private sort(mode: string, series: live.Series[], standings: Map<number, Standing>, services: string[]): void {
        const rankOf = (of: live.Series[]): number => Math.max(...of.map((s) => standings.get(s.id)!.rank));
        const coarse = (rank: number): number => Math.floor(rank / 100);
        if (mode === 'matrix') {
            const ranked = services.map((service) => ({ service, rank: rankOf(series.filter((s) => s.service === service)) }));
            const key = ranked.map((r) => `${r.service}:${coarse(r.rank)}`).sort().join();
            if (key !== this.order && (this.order === '' || !this.element.matches(':hover, :focus-within'))) {
                this.order = key;
                ranked.sort((a, b) => b.rank - a.rank || a.service.localeCompare(b.service));
                ranked.forEach((r) => this.element.append(this.rows.get(r.service)!.element));
                this.rove();
            }
            return;
        }
        const key = series.map((s) => `${s.id}:${coarse(standings.get(s.id)!.rank)}`).join();
        if (key !== this.order && (this.order === '' || !this.element.matches(':hover, :focus-within'))) {
            this.order = key;
            [...series].sort((a, b) => standings.get(b.id)!.rank - standings.get(a.id)!.rank || a.service.localeCompare(b.service) || a.region.localeCompare(b.region))
                .forEach((s) => this.element.append(this.tiles.get(s.id)!.element));
            this.rove();
        }
    }
}
