import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';

export interface Column<Row> {
  readonly name: string;
  /** What it is sorted by. */
  readonly value: (row: Row) => string | number | undefined;
  readonly show?: (row: Row) => ComponentChildren;
  readonly kind?: 'number' | 'nowrap';
}

interface Sorting {
  readonly column: number;
  readonly descending: boolean;
}

/** A table that sorts by every column, and on a narrow screen is a list. */
export function Table<Row>(properties: {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row, index: number) => string | number;
  readonly empty?: ComponentChildren;
  /** Most rows that are drawn. */
  readonly most?: number;
}): JSX.Element {
  const { label, columns, rows, keyOf, empty, most = 200 } = properties;
  const [sorting, setSorting] = useState<Sorting | undefined>(undefined);
  const sorted = sorting === undefined ? rows : sortedBy(rows, columns[sorting.column], sorting.descending);
  const shown = sorted.slice(0, most);
  if (rows.length === 0 && empty !== undefined) return <div class="scroll empty">{empty}</div>;
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label={label}>
        <table class="folds">
          <thead>
            <tr>
              {columns.map(({ name, kind }, index) => {
                const isSorted = sorting?.column === index;
                const order = isSorted ? (sorting.descending ? 'descending' : 'ascending') : 'none';
                return (
                  <th key={name} scope="col" aria-sort={order} class={kind === 'number' ? 'number' : ''}>
                    <button
                      type="button"
                      onClick={() => {
                        setSorting(nextSorting(sorting, index));
                      }}
                    >
                      {name}
                      <span aria-hidden="true">{isSorted ? (sorting.descending ? ' ↓' : ' ↑') : ''}</span>
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {shown.map((row, index) => (
              <tr key={keyOf(row, index)}>
                {columns.map(({ name, value, show, kind }) => (
                  <td key={name} data-name={name} class={kind ?? ''}>
                    {show === undefined ? value(row) : show(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > shown.length && (
        <p class="small muted">
          {shown.length} of {rows.length} are shown: narrow them down by a filter.
        </p>
      )}
    </>
  );
}

function nextSorting(sorting: Sorting | undefined, column: number): Sorting | undefined {
  if (sorting?.column !== column) return { column, descending: false };
  return sorting.descending ? undefined : { column, descending: true };
}

function sortedBy<Row>(rows: readonly Row[], column: Column<Row> | undefined, descending: boolean): readonly Row[] {
  if (column === undefined) return rows;
  const sign = descending ? -1 : 1;
  return rows.toSorted((one, other) => sign * compare(column.value(one), column.value(other)));
}

function compare(one: string | number | undefined, other: string | number | undefined): number {
  if (one === other) return 0;
  if (one === undefined) return 1;
  if (other === undefined) return -1;
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return String(one).localeCompare(String(other), 'en', { numeric: true });
}
