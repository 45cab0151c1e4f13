import { svg } from './dom.ts';

const line = (d: string, size = 16): SVGElement => svg('svg', { viewBox: '0 0 20 20', width: size, height: size, class: 'icon', 'aria-hidden': 'true' },
    svg('path', { d, fill: 'none', stroke: 'currentColor', 'stroke-width': '1.7', 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }));
const filled = (shape: SVGElement, mark: string): SVGElement => svg('svg', { viewBox: '0 0 20 20', width: 14, height: 14, class: 'icon', 'aria-hidden': 'true' },
    shape, svg('path', { d: mark, fill: 'none', class: 'icon-mark', 'stroke-width': '2.2', 'stroke-linecap': 'round' }));

export const mark = (): SVGElement => line('M1 10.5h4L8 3l4.5 14L15 10.5h4', 20);
/** Critical: a filled octagon. */
export const critical = (): SVGElement => filled(svg('path', { d: 'M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3z', fill: 'currentColor' }), 'M10 5.5v5M10 14.2v.1');
/** Warning: a triangle. */
export const warning = (): SVGElement => line('M10 2.5 18.5 17.5h-17zM10 8v4.5M10 15v.1', 14);
/** Pending: a half disc. */
export const pending = (): SVGElement => svg('svg', { viewBox: '0 0 20 20', width: 14, height: 14, class: 'icon', 'aria-hidden': 'true' },
    svg('circle', { cx: 10, cy: 10, r: 7.8, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8 }), svg('path', { d: 'M10 2.2a7.8 7.8 0 0 1 0 15.6z', fill: 'currentColor' }));
export const inhibited = (): SVGElement => line('M3 3h14M10 17V7M6 10.5 10 6.5l4 4', 14);
export const silenced = (): SVGElement => line('M5 14V9a5 5 0 0 1 10 0v5l1.5 1.5h-13zM8.5 18h3M2.5 2.5l15 15', 14);
export const check = (): SVGElement => line('M3.5 10.5 8 15l8.5-10', 14);
export const theme = (): SVGElement => svg('svg', { viewBox: '0 0 20 20', width: 16, height: 16, class: 'icon', 'aria-hidden': 'true' },
    svg('circle', { cx: 10, cy: 10, r: 7.2, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.7 }), svg('path', { d: 'M10 2.8a7.2 7.2 0 0 1 0 14.4z', fill: 'currentColor' }));
export const tab: Record<string, () => SVGElement> = {
    Overview: () => line('M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z', 18),
    Dashboards: () => line('M3 17V9M8 17V4M13 17v-6M18 17V7', 18),
    Alerts: () => line('M5 14V9a5 5 0 0 1 10 0v5l1.5 1.5h-13zM8.5 18h3', 18),
    SLOs: () => line('M2.5 14.5a7.5 7.5 0 1 1 15 0M10 14l3-5', 18),
    Logs: () => line('M3 5h14M3 10h14M3 15h9', 18),
    Lab: () => line('M8 2.5h4M9 3v5L3.8 16.2A1 1 0 0 0 4.7 18h10.6a1 1 0 0 0 .9-1.8L11 8V3M6 13h8', 18),
};
export function ofState(state: string, severity: string): SVGElement {
    switch (state) {
    case 'pending': return pending();
    case 'inhibited': return inhibited();
    case 'silenced': return silenced();
    case 'resolved': return check();
    default: return severity === 'critical' ? critical() : warning();
    }
}
