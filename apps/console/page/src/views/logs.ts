import { h } from '../dom.ts';
import type { View } from '../view.ts';
export const makeLogs = (): View => ({ element: h('div.page', {}, 'Logs'), title: 'Logs' });
