// The types are strict enough to say no; tsc fails where they don't.
import type {Dashboard} from './model';

type Panel = Dashboard['panels'][number];
type Stat = Extract<Panel, {type: 'stat'}>['options'];
type Timeseries = NonNullable<Extract<Panel, {type: 'timeseries'}>['fieldConfig']>['defaults']['custom'];

// @ts-expect-error an enumeration's value that isn't one
export const value: Stat['graphMode'] = 'areas';
// @ts-expect-error a number that isn't one of an enumeration
export const tooltip: Dashboard['graphTooltip'] = 7;
// @ts-expect-error an option that the panel doesn't have
export const option: Partial<Stat> = {textModes: 'value'};
// @ts-expect-error a field of another panel's
export const field: Timeseries = {cellOptions: {type: 'color-text'}};
// @ts-expect-error a panel of an unknown type
export const type: Panel['type'] = 'piechart';
