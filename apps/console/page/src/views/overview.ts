// Overview: the sentence, the incident, every service in every region, and what the platform knows of itself.
import * as alerts from '../alerts.ts';
import { instant } from '../api.ts';
import { h, replaceWhen, setText } from '../dom.ts';
import * as f from '../format.ts';
import * as live from '../live.ts';
import { navigate, param, setParams } from '../router.ts';
import { openSilence } from '../silence.ts';
import { segments } from '../ui.ts';
import { verdict } from '../verdict.ts';
import type { View } from '../view.ts';
import { IncidentCard, IncidentRows, logsHref } from './incident.ts';
import { makeSteps } from './steps.ts';
import { filterText, isFiltered, standing, Tiles } from './tiles.ts';
export { showSteps } from './steps.ts';

const MANY = 24; // pairs: past that the filter is in sight
const phone = matchMedia('(max-width: 700px)');

interface Numbers {
    budgets: { name: string; left: number }[];
    covered: number;
    lag: Record<string, number>;
    dead: number | null;
}

async function readNumbers(into: Numbers): Promise<void> {
    const settle = async (expr: string, take: (r: { metric: Record<string, string>; value: [number, string] }[]) => void): Promise<void> => {
        try {
            take(await instant(expr));
        } catch {
            // the panel keeps what it has; the problem shows with targets and rules
        }
    };
    await Promise.all([
        settle('slo:period_error_budget_remaining:ratio', (r) => {
            into.budgets = r.map((s) => ({ name: `${s.metric['sloth_service']} ${s.metric['sloth_slo']}`, left: Number(s.value[1]) })).sort((a, b) => a.left - b.left);
        }),
        settle('min(slo:history_covered:ratio)', (r) => (into.covered = Number(r[0]?.value[1] ?? 0))),
        settle('sum by (consumergroup) (kafka_consumergroup_lag)', (r) => r.forEach((s) => (into.lag[s.metric['consumergroup']!] = Number(s.value[1])))),
        settle('sum(increase(stream_processor_dead_letters_total[10m]))', (r) => (into.dead = r[0] ? Number(r[0].value[1]) : null)),
    ]);
}

const line = (name: string, value: string, tone = ''): HTMLElement => h('div.pair', {}, h('span', {}, name), h(`b.num${tone === '' ? '' : '.' + tone}` as 'b', {}, value));

function transitionsPanel(): HTMLElement[] {
    const last = [...live.state.transitions].reverse().slice(0, 3);
    if (last.length === 0) {
        return [h('p.muted', {}, 'None yet. Every alert that fires or clears shows here.')];
    }
    return last.map((t) => h('a.pair', { href: `/alerts/${t.fingerprint}/${t.sequence}` },
        h('span', {}, t.state === 'firing' ? h(`span.${t.severity === 'critical' ? 'critical' : 'warning'}` as 'span', {}, 'Fired') : 'Resolved', ` ${t.rule}, ${t.labels['service.name']}`),
        h('span.faint.num', {}, f.when(Date.parse(t.detected_at), live.now()))));
}

function budgetsPanel(n: Numbers): HTMLElement[] {
    if (n.budgets.length === 0 || n.covered * 30 * 24 < 1) {
        const minutes = n.covered * 30 * 24 * 60;
        return [h('p.muted', {}, `History: ${minutes < 1 ? 'under 1 min' : f.duration(minutes * 60000)} of 30 d. Budgets show from 1 h on, with the history they rest on.`)];
    }
    return n.budgets.slice(0, 3).map((b) => h('a.pair', { href: '/slos' }, h('span', {}, b.name), h(`b.num${b.left < 0 ? '.critical' : ''}` as 'b', {}, f.join(f.percent(b.left)))));
}

function pipelinePanel(n: Numbers): HTMLElement[] {
    const events = (group: string): string => (n.lag[group] === undefined ? f.DASH : `${f.count(n.lag[group])} events`);
    return [line('Event to screen', live.state.newest === 0 ? f.DASH : f.delay(live.age()), live.isStale() ? 'warning' : ''),
        line('stream-processor lag', events('stream-processor')), line('metrics-bridge lag', events('metrics-bridge'))];
}

function targetsPanel(n: Numbers): HTMLElement[] {
    const s = alerts.store;
    const of = (a: number, b: number): [string, string] => (b === 0 ? [f.DASH, ''] : [`${a} of ${b}`, a < b ? 'warning' : '']);
    const problem = s.problems['Prometheus'] ?? s.problems['rules'];
    if (problem) {
        return [h('p.warning', {}, problem)];
    }
    return [line('Scrape targets up', ...of(s.targetsUp, s.targetsTotal)), line('Rules healthy', ...of(s.rulesHealthy, s.rulesTotal)),
        line('Dead letters, 10 min', n.dead === null ? f.DASH : f.count(n.dead), (n.dead ?? 0) > 0 ? 'warning' : '')];
}

export function makeOverview(): View {
    const subject = h('span');
    const rest = h('span');
    const below = h('p.muted.num-words');
    const title = h('h1.verdict', {}, subject, rest);
    const slot = h('div.incident');
    const tiles = new Tiles();
    const steps = makeSteps();
    const panels = h('div.panels4');
    const numbers: Numbers = { budgets: [], covered: 0, lag: {}, dead: null };
    let card: IncidentCard | null = null;
    let rows: IncidentRows | null = null;
    let chosen = param('by');
    const defaultMode = (): 'matrix' | 'list' => {
        const all = live.pairs();
        const regions = new Set(all.map((s) => s.region)).size;
        const services = new Set(all.map((s) => s.service)).size;
        return phone.matches || regions > 6 || (all.length > 0 && all.length < regions * services / 2) ? 'list' : 'matrix';
    };
    const mode = (): 'matrix' | 'list' => (chosen === 'trouble' ? 'list' : chosen === 'matrix' ? 'matrix' : defaultMode());
    const switcher = segments('Layout', [['matrix', 'Matrix'], ['trouble', 'By trouble']], mode() === 'list' ? 'trouble' : 'matrix', (v) => setParams({ by: v }, true));

    const search = h('input', { type: 'search', placeholder: 'Service or region', 'aria-label': 'Filter by service or region', class: 'tiles-filter', hidden: true, oninput: () => setParams({ q: search.value === '' ? null : search.value }, true),
        onkeydown: (e: KeyboardEvent) => e.key === 'Escape' && search.blur() });
    search.value = filterText();
    const openFilter = (): void => {
        search.hidden = false;
        search.focus();
    };
    search.addEventListener('blur', () => update());

    const paintIncident = (): void => {
        const list = alerts.troubles();
        if (list.length !== 1 && card) {
            card.destroy();
            card = null;
            slot.replaceChildren();
        }
        if (list.length < 2 && rows) {
            rows = null;
            slot.replaceChildren();
        }
        if (list.length === 1) {
            if (card && card.alert.key !== list[0]!.key) {
                card.destroy();
                card = null;
            }
            if (!card) {
                card = new IncidentCard(list[0]!);
                slot.replaceChildren(card.element);
            }
            card.update(list[0]!);
        } else if (list.length > 1) {
            if (!rows) {
                rows = new IncidentRows();
                slot.replaceChildren(rows.element);
            }
            rows.update(list);
        }
    };

    const paintPanels = (): void => {
        const made = [['Recent transitions', transitionsPanel()], ['Error budgets left', budgetsPanel(numbers)], ['Pipeline', pipelinePanel(numbers)],
            ['Targets and rules', targetsPanel(numbers)]] as const;
        made.forEach(([name, contents], i) => {
            let panel = panels.children[i];
            if (!panel) {
                panel = h('section.panel', {}, h('h2.panel-name', {}, name), h('div'));
                panels.append(panel);
            }
            replaceWhen(panel.lastElementChild!, contents.map((c) => c.outerHTML).join(''), () => contents);
        });
    };

    const update = (): void => {
        const near = live.pairs().filter((s) => standing(s).isNear);
        const v = verdict(near);
        title.className = `verdict is-${v.level}`;
        setText(subject, v.subject);
        subject.className = v.subject.length < 34 ? 'whole' : '';
        setText(rest, (v.subject === '' || v.rest.startsWith(':') ? '' : ' ') + v.rest);
        setText(below, v.below);
        const count = live.pairs().length;
        head.hidden = count === 0;
        setText(window_, `Last ${live.isYoung() ? '10 s, 60 s once so long is known' : '60 s'}. Rows: worst first. Bars: requests over 5 min, failed in red; a line: P99 against its limit`);
        search.hidden = count <= MANY && !isFiltered() && document.activeElement !== search;
        if (document.activeElement !== search && search.value !== filterText()) {
            search.value = filterText();
        }
        paintIncident();
        tiles.update(mode());
        switcher.hidden = tiles.isForced;
        tiles.element.classList.toggle('roomy', alerts.troubles().length === 0);
        paintPanels();
        steps.update();
    };

    const timer = window.setInterval(() => document.hidden || void readNumbers(numbers).then(paintPanels), 10000);
    void readNumbers(numbers).then(paintPanels);
    const worst = (): alerts.Alert | undefined => alerts.troubles()[0] ?? alerts.firing()[0];
    const window_ = h('p.faint.small');
    const head = h('div.section-head', { hidden: true }, h('h2', {}, 'Services by region'), window_, h('div.row.push', {}, search, switcher));
    const element = h('div.page.overview', {}, steps.element, title, below, slot, head,
        tiles.note, tiles.element, panels);
    phone.addEventListener('change', update);
    return {
        element, title: 'Overview', update,
        keys: {
            w: () => worst() && navigate(`/alerts/${worst()!.key}`),
            l: () => worst() && navigate(logsHref(worst()!)),
            s: () => worst() && openSilence(worst()!),
            b: () => worst()?.runbook && navigate(`/runbooks/${worst()!.runbook}`),
            j: () => tiles.focusNext(1),
            k: () => tiles.focusNext(-1),
            '/': openFilter,
        },
        navigated: () => {
            chosen = param('by');
            return true;
        },
        destroy: () => {
            clearInterval(timer);
            card?.destroy();
            steps.destroy();
            phone.removeEventListener('change', update);
        },
    };
}
