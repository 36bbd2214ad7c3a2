import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  readonly name: string;
  /** Name of a colour of styles.css. */
  readonly colour: string;
  readonly values: readonly (number | undefined)[];
}

const HEIGHT = 190;

/** Lines over time. What they say stands beside it as text too. */
export function Chart(properties: {
  readonly label: string;
  /** Moments, in seconds since 1970. */
  readonly moments: readonly number[];
  readonly lines: readonly Line[];
  readonly unit: string;
}): JSX.Element {
  const { label, moments, lines, unit } = properties;
  const element = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const data = [[...moments], ...lines.map(({ values }) => values.map((value) => value ?? null))] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const { current: place } = element;
    let gone = false;
    if (place === null) return undefined;
    const width = (): number => Math.max(200, place.clientWidth);
    const observer = new ResizeObserver(() => chart.current?.setSize({ width: width(), height: HEIGHT }));
    // It is no part of the first view's weight.
    void import('uplot').then(({ default: UPlot }) => {
      if (gone) return;
      const colour = (name: string): string => resolveColour(place, name);
      const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
      chart.current = new UPlot(
        {
          ...{ width: width(), height: HEIGHT, cursor: { y: false } },
          axes: [axis, { ...axis, size: 64, values: (_chart, values) => values.map((value) => `${value} ${unit}`) }],
          series: [
            {},
            ...lines.map(({ name, colour: its }) => ({
              ...{ label: name, stroke: colour(its), width: 1.5, spanGaps: true, points: { show: true, size: 3 } },
              value: (_chart: uPlot, value: number | null) =>
                value === null ? '–' : `${value.toPrecision(3)} ${unit}`,
            })),
          ],
        },
        latest.current,
        place,
      );
      observer.observe(place);
    });
    return () => {
      gone = true;
      observer.disconnect();
      chart.current?.destroy();
    };
  }, []);
  useEffect(() => {
    chart.current?.setData(data);
  });
  return <div class="chart" ref={element} role="img" aria-label={label} />;
}

/** A canvas knows no custom properties. */
function resolveColour(place: HTMLElement, name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
