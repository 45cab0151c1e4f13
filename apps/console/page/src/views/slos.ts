import { h } from '../dom.ts';
import type { View } from '../view.ts';
export const makeSlos = (): View => ({ element: h('div.page', {}, 'Slos'), title: 'Slos' });
