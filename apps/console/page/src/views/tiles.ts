// The matrix of services and regions, and the same tiles as one list by trouble.
import * as alerts from '../alerts.ts';
import { drawBars, drawLatency } from '../bars.ts';
import { h, replace, replaceWhen, setText, toggle } from '../dom.ts';
import * as f from '../format.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';

const NEAR = 0.85;
const NEAR_GONE = 0.8;
const wasNear = new Set<number>();

export interface Standing {
    alert: alerts.Alert | null;
    isNear: boolean;
    latencyNear: boolean;
    /** Worse is larger: firing critical, firing, pending, near, then value ÷ limit. */
    rank: number;
}

export function standing(s: live.Series): Standing {
    const alert = alerts.troubles().find((a) => a.service === s.service && a.region === s.region) ?? null;
    const pending = alerts.inState('pending').some((a) => a.service === s.service && a.region === s.region);
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
    const isNear = !alert && wasNear.has(s.id);
    const rank = (alert ? (alert.severity === 'critical' ? 1000 : 500) : pending ? 200 : isNear ? 100 : 0) + Math.min(worst, 20) * 0.01;
    return { alert, isNear, latencyNear: latency > errors && (isNear || (alert?.evidence?.signal.startsWith('latency') ?? false)), rank };
}

/** A page draws so many tiles at once; past that, those in trouble and as many of the others. */
const MOST = 300;
const SHOWN = 120;
function worstOf(all: live.Series[]): live.Series[] {
    const trouble = all.filter((s) => standing(s).rank >= 100).sort((a, b) => a.id - b.id).slice(0, SHOWN);
    const taken = new Set(trouble.map((s) => s.id));
    const others = all.filter((s) => !taken.has(s.id)).sort((a, b) => a.service.localeCompare(b.service) || a.region.localeCompare(b.region));
    return [...trouble, ...others.slice(0, SHOWN - trouble.length)];
}

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
        const figures = [f.percent(s.minute.errors), f.seconds(s.minute.p99), f.rate(s.minute.rate ?? s.window.rate)];
        const limits = [alerts.limitOf('error_rate'), alerts.limitOf('latency_p99')];
        const values = [s.minute.errors, s.minute.p99];
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
        const word = firing ? (at.alert!.state === 'silenced' ? 'Silenced' : critical ? 'Firing' : 'Warning') : at.isNear ? 'Near limit' : '';
        replaceWhen(this.state, word, () => (word === '' ? [] : [word === 'Silenced' ? icons.silenced() : word === 'Firing' ? icons.critical() : icons.warning(), ' ', word]));
        if (firing && !this.wasFiring) {
            e.classList.remove('flash');
            void e.offsetWidth;
            e.classList.add('flash');
        }
        this.wasFiring = firing;
        const href = firing ? `/alerts/${at.alert!.key}` : `/d/golden-signals?var-service=${encodeURIComponent(s.service)}&var-region=${encodeURIComponent(s.region)}`;
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
    readonly note = h('p.faint.small');
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

    update(wanted: 'matrix' | 'list'): void {
        const everything = live.pairs();
        const mode = everything.length > MOST ? 'list' : wanted;
        const series = everything.length > MOST ? worstOf(everything) : everything;
        setText(this.note, series.length < everything.length ? `${series.length} of ${f.count(everything.length)} shown: those in trouble or near a limit, then by name` : '');
        const standings = new Map(series.map((s) => [s.id, standing(s)]));
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
            const rate = of.reduce((n, s) => n + (s.minute.rate ?? 0), 0);
            const firing = of.filter((s) => standings.get(s.id)!.alert).length;
            replaceWhen(row.below, `${f.join(f.rate(rate))}|${firing}`, () => [f.join(f.rate(rate)), firing > 0 ? [' · ', h('span.critical', {}, `${firing} firing`)] : null]);
        }
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
