import { h } from '../dom.ts';
import type { View } from '../view.ts';
export const makeDashboards = (): View => ({ element: h('div.page', {}, 'Dashboards'), title: 'Dashboards' });
