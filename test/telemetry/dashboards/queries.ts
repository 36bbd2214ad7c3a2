import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const GRAFANA = 'dashboards/grafana/dashboards';
export const ALERTS = 'dashboards/prometheus/alerts.yml';

export interface Query {
  /** Where it stands: dashboard and panel, or alert. */
  readonly name: string;
  readonly expr: string;
}

interface Dashboard {
  readonly title: string;
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr?: string; readonly datasource: { readonly type: string } }[];
  }[];
}

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

/** Every Prometheus query of the dashboards, with Grafana's variables filled in. */
export function panelQueries(): Query[] {
  return readdirSync(GRAFANA).flatMap((file) => {
    const { title, panels } = JSON.parse(readFileSync(join(GRAFANA, file), 'utf8')) as Dashboard;
    return panels.flatMap((panel) =>
      panel.targets.flatMap(({ expr, datasource }, index) =>
        expr === undefined || datasource.type !== 'prometheus'
          ? []
          : [{ name: `${title} / ${panel.title} / ${index}`, expr: fillIn(expr) }],
      ),
    );
  });
}

function fillIn(expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', '.*').replaceAll('$instance', '.*');
}

export function alerts(): Alert[] {
  const { groups } = parse(readFileSync(ALERTS, 'utf8')) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** What the alerts look at: their expressions without the last comparison, which is false in a service that is well. */
export function alertQueries(): Query[] {
  return alerts().map(({ alert, expr }) => ({
    name: alert,
    expr: expr.replace(/^absent\((.*) == 1\)$/s, '$1').replace(/ (==|>) [\d.]+$/, ''),
  }));
}
