import { h } from '../dom.ts';
import type { View } from '../view.ts';
export const makeRunbook = (): View => ({ element: h('div.page', {}, 'Runbook'), title: 'Runbook' });
