// Grafana's published types of the classic model, made exact: what the dashboards hold is checked field by field, enumerations by
// their values (JSON has no enums), and each panel against the options of its own type.
import type * as grafana from '@grafana/schema';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as gauge from '@grafana/schema/dist/esm/raw/composable/gauge/panelcfg/x/GaugePanelCfg_types.gen';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as text from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// Enumerations by their values, all the way down.
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T : T extends Array<infer U> ? Array<Plain<U>>
  : T extends object ? {[K in keyof T]: Plain<T[K]>} : T;

// A query for Prometheus; its type isn't in the package (grafana/grafana: packages/grafana-prometheus/src/types.ts).
interface PrometheusQuery {
  refId: string;
  expr: string;
  datasource?: grafana.DataSourceRef;
  editorMode?: 'code' | 'builder';
  exemplar?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  interval?: string;
  legendFormat?: string;
  range?: boolean;
}

// Overrides name a property of the defaults; custom.x is one of the panel type's own.
type Properties<F> = {[K in keyof grafana.FieldConfig]-?: {id: K; value: grafana.FieldConfig[K]}}[keyof grafana.FieldConfig]
  | {[K in keyof F & string]-?: {id: `custom.${K}`; value: F[K]}}[keyof F & string];
interface Override<F> {matcher: {id: 'byName' | 'byRegexp'; options: string}; properties: Array<Properties<F>>}
interface Fields<F> {defaults: Omit<grafana.FieldConfig, 'custom'> & {custom?: F}; overrides: Array<Override<F>>}

type PanelOf<T extends string, O, F> = Omit<grafana.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'>
  & {type: T; options: O; fieldConfig?: Fields<F>; targets?: PrometheusQuery[]};
type Panel = PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | PanelOf<'stat', stat.Options, never>
  | PanelOf<'gauge', gauge.Options, never>
  | PanelOf<'bargauge', bargauge.Options, never>
  | PanelOf<'table', table.Options, Partial<grafana.TableFieldOptions>>
  | PanelOf<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | PanelOf<'text', text.Options, never>;

// What the annotations of Grafana's Prometheus data source have beside the model (the same package, src/annotations.ts).
type Annotation = Omit<grafana.AnnotationQuery, 'target'>
  & {target: PrometheusQuery; titleFormat?: string; textFormat?: string; tagKeys?: string; useValueForTime?: 'on' | 'off'};

export type Dashboard = Plain<Omit<grafana.Dashboard, 'panels' | 'annotations'>
  & {panels: Panel[]; annotations: {list: Annotation[]}}>;
