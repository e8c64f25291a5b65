import { type ColumnDef, type RowData, tableFeatures, useTable } from "@tanstack/react-table";
import { type KeyboardEvent, useRef } from "react";

const features = tableFeatures({});
export type Column<Row extends RowData> = ColumnDef<typeof features, Row> & { header: string };

interface DataTableProps<Row extends RowData> {
  /** What the table holds, for screen readers. */
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowId: (row: Row) => string;
}

/** A table; on narrow screens its rows are cards. Rows with a link marked `data-row-link` are walked with j and k. */
export function DataTable<Row extends RowData>({ caption, columns, rows, rowId }: DataTableProps<Row>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const table = useTable({ features, columns, data: rows, getRowId: rowId });
  return (
    <table className="data-table">
      <caption className="sr-only">{caption}</caption>
      <thead>
        {table.getHeaderGroups().map((group) => (
          <tr key={group.id}>
            {group.headers.map((header) => (
              <th key={header.id} scope="col">
                <table.FlexRender header={header} />
              </th>
            ))}
          </tr>
        ))}
      </thead>
      <tbody ref={body} onKeyDown={(event) => walkRows(event, body.current)}>
        {table.getRowModel().rows.map((row) => (
          <tr key={row.id} data-row={row.id}>
            {row.getAllCells().map((cell) => (
              <td key={cell.id} data-label={cell.column.columnDef.header as string}>
                <table.FlexRender cell={cell} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function walkRows(event: KeyboardEvent, body: HTMLElement | null): void {
  if (event.key !== "j" && event.key !== "k") return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...(body?.querySelectorAll<HTMLElement>("[data-row-link]") ?? [])];
  const here = links.findIndex((link) => link.closest("tr")?.contains(document.activeElement));
  links[here + (event.key === "j" ? 1 : -1)]?.focus();
}
