import { h } from '../dom.ts';
import type { View } from '../view.ts';
export const makeAlerts = (): View => ({ element: h('div.page', {}, 'Alerts'), title: 'Alerts' });
