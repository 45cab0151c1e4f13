// What is around every view: header, strips (an incident, old data, a lost connection), theme and clock.
import * as alerts from './alerts.ts';
import { h, replaceWhen, setText, toggle } from './dom.ts';
import * as f from './format.ts';
import * as icons from './icons.ts';
import * as live from './live.ts';
import { redrawAll } from './plot.ts';
import { currentPath, param, setParams } from './router.ts';
import { announce } from './ui.ts';
import { sentence } from './verdict.ts';

export const TABS: { name: string; href: string; owns: string[] }[] = [
    { name: 'Overview', href: '/', owns: [] },
    { name: 'Dashboards', href: '/dashboards', owns: ['/d/', '/dashboards'] },
    { name: 'Alerts', href: '/alerts', owns: ['/alerts', '/runbooks/'] },
    { name: 'SLOs', href: '/slos', owns: ['/slos'] },
    { name: 'Logs', href: '/logs', owns: ['/logs'] },
    { name: 'Lab', href: '/lab', owns: ['/lab'] },
];
export const currentTab = (): string => TABS.find((t) => t.owns.some((o) => currentPath().startsWith(o)))?.name ?? 'Overview';

// --- theme and zone ---

const THEME = 'console.theme';
const system = matchMedia('(prefers-color-scheme: light)');
function applyTheme(): void {
    const chosen = localStorage.getItem(THEME);
    document.documentElement.dataset['theme'] = chosen ?? (system.matches ? 'light' : 'dark');
    redrawAll();
}
system.addEventListener('change', applyTheme);
export function toggleTheme(): void {
    localStorage.setItem(THEME, document.documentElement.dataset['theme'] === 'light' ? 'dark' : 'light');
    applyTheme();
}
export function toggleZone(): void {
    setParams({ tz: f.isLocal() ? null : 'local' }, true);
}
export function applyZone(): void {
    f.setLocal(param('tz') === 'local');
    redrawAll();
}

// --- the frame ---

export interface Frame {
    element: HTMLElement;
    main: HTMLElement;
    tick: () => void;
    /** After the address changed. */
    navigated: () => void;
}

export function makeFrame(showHelp: () => void): Frame {
    applyTheme();
    const badges: HTMLElement[] = [];
    const links: HTMLAnchorElement[] = [];
    const nav = h('nav.tabs', { 'aria-label': 'Views' }, TABS.map((t) => {
        const badge = h('span.badge', { hidden: true });
        const a = h('a', { href: t.href }, h('span.tab-icon', {}, icons.tab[t.name]!(), t.name === 'Alerts' ? badge : null),
            h('span', {}, t.name), t.name === 'Alerts' ? h('span.badge', { hidden: true }) : null);
        a.querySelectorAll<HTMLElement>('.badge').forEach((b) => badges.push(b));
        links.push(a);
        return a;
    }));
    const dot = h('i.dot');
    const liveWord = h('span', {}, 'Connecting');
    const liveAge = h('span.faint.num.live-age');
    const time = h('span.num');
    const zone = h('span.faint');
    const phoneTitle = h('span.phone-title');
    const header = h('header.head', {},
        h('a.brand', { href: '/', 'aria-label': 'Console, overview' }, icons.mark(), h('b', {}, 'Console')), phoneTitle, nav,
        h('div.head-right', {},
            h('span.live', {}, dot, liveWord, liveAge),
            h('button.quiet.clock', { type: 'button', title: 'UTC or local time (u)', onclick: toggleZone }, time, zone),
            h('button.quiet.theme', { type: 'button', 'aria-label': 'Dark or light', title: 'Dark or light', onclick: toggleTheme }, icons.theme()),
            h('button.quiet.help', { type: 'button', 'aria-label': 'Keys', title: 'Keys (?)', onclick: showHelp }, h('kbd', {}, '?'))));
    const lost = h('div.strip.strip-warning', { hidden: true });
    const incident = h('div.strip.strip-critical', { hidden: true });
    const main = h('main', { id: 'main', tabindex: '-1' });
    const element = h('div.frame', {}, header, lost, incident, main);

    const paintLive = (): void => {
        const age = live.age();
        const stale = live.isStale() || !live.state.connected;
        toggle(dot, 'hollow', stale);
        if (!live.state.everConnected) {
            setText(liveWord, 'Connecting');
            setText(liveAge, '');
        } else if (stale && live.state.newest > 0) {
            setText(liveWord, live.state.connected || age > 5000 ? `${f.duration(age)} behind` : 'Reconnecting');
            setText(liveAge, '');
        } else {
            setText(liveWord, 'Live');
            setText(liveAge, live.state.newest === 0 ? '' : `${(Math.min(age, 99900) / 1000).toFixed(1)} s`);
        }
        setText(time, f.clock(live.now()));
        setText(zone, f.zone());
    };

    const paintLost = (): void => {
        const s = live.state;
        const behind = s.processors.find((p) => p.lag_seconds > 30);
        if (!s.connected && s.lostAt > 0 && Date.now() - s.lostAt > 300) {
            lost.hidden = false;
            replaceWhen(lost, 'lost', () => [icons.warning(), h('span', {}, h('b.data-from', {}), h('span.why', {}), h('span.again.num', {})),
                h('button.button', { type: 'button', onclick: () => live.connect() }, 'Try now')]);
            setText(lost.querySelector('.data-from')!, s.newest > 0 ? `Data from ${f.clock(s.newest)}. ` : '');
            setText(lost.querySelector('.why')!, 'The console doesn’t answer. ');
            setText(lost.querySelector('.again')!, `Trying again in ${Math.max(0, Math.ceil((s.retryAt - Date.now()) / 1000))} s`);
        } else if (s.connected && live.isStale()) {
            const dead = s.processors.filter((p) => !p.connected);
            const why = dead.length > 0 ? `stream-processor is down: ${dead[0]!.why ?? ''}`
                : behind ? `stream-processor is ${f.duration(behind.lag_seconds * 1000)} behind its input; its figures below are that old.`
                    : `No events for ${f.duration(live.age())}; the figures below are that old.`;
            lost.hidden = false;
            replaceWhen(lost, `stale ${why} ${f.clock(s.newest)}`, () => [icons.warning(), h('span', {}, h('b', {}, `Data from ${f.clock(s.newest)}. `), why),
                h('a.button', { href: '/d/kafka-consumer-lag' }, 'Show its lag')]);
        } else {
            lost.hidden = true;
        }
    };

    const paintAlerts = (): void => {
        const firing = alerts.firing(); // none that is silenced
        badges.forEach((b) => {
            b.hidden = firing.length === 0;
            setText(b, String(firing.length));
            b.classList.toggle('is-warning', !firing.some((a) => a.severity === 'critical'));
            b.setAttribute('aria-label', `${firing.length} firing`);
        });
        const worst = firing.find((a) => a.source === 'stream') ?? firing[0];
        const elsewhere = currentTab() !== 'Overview' && currentTab() !== 'Alerts';
        incident.hidden = !worst || !elsewhere;
        if (worst && elsewhere) {
            const { where, what } = sentence(worst);
            incident.classList.toggle('strip-warning', worst.severity !== 'critical');
            incident.classList.toggle('strip-critical', worst.severity === 'critical');
            replaceWhen(incident, worst.key, () => [icons.ofState('firing', worst.severity),
                h('span', {}, h('b.where', {}), ' ', h('span.what', {}), h('span.muted.since.num', {})), h('a.button', { href: `/alerts/${worst.key}` }, 'Why')]);
            setText(incident.querySelector('.where')!, where);
            setText(incident.querySelector('.what')!, what);
            setText(incident.querySelector('.since')!, ` · ${worst.name}, ${worst.severity} · since ${f.when(worst.since, live.now(), true)} (${f.duration(live.now() - worst.since)})${firing.length > 1 ? ` · ${firing.length - 1} more ${firing.length === 2 ? 'fires' : 'fire'}` : ''}`);
        }
    };

    const tick = (): void => {
        paintLive();
        paintLost();
        paintAlerts();
    };
    live.on('connection', () => {
        if (live.state.connected && live.state.lostAt > 0) {
            announce('Live again');
        } else if (!live.state.connected && live.state.everConnected) {
            announce('The connection is lost');
        }
        tick();
    });
    live.on('transition', (t) => t && announce(`${t.rule} ${t.state === 'firing' ? 'fires' : 'cleared'}: ${t.summary}`));
    alerts.onAlerts(paintAlerts);
    return {
        element, main, tick,
        navigated: () => {
            const tab = currentTab();
            links.forEach((a, i) => (TABS[i]!.name === tab ? a.setAttribute('aria-current', 'page') : a.removeAttribute('aria-current')));
            setText(phoneTitle, tab);
            tick();
        },
    };
}
