import type { Keys } from './keys.ts';

/** What a tab shows. Made when its address is entered, asked whether it takes a changed one, destroyed when left. */
export interface View {
    element: HTMLElement;
    title: string;
    keys?: Keys;
    /** The address changed within the view; false: make a new one. */
    navigated?: () => boolean;
    /** Theme, zone or live data changed. */
    update?: () => void;
    destroy?: () => void;
}
