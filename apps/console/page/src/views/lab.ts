import { h } from '../dom.ts';
import type { View } from '../view.ts';
export const makeLab = (): View => ({ element: h('div.page', {}, 'Lab'), title: 'Lab' });
