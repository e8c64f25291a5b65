import { useState } from "react";
import type { TaskSearch } from "./task-filters.tsx";

export interface TasksSearch extends TaskSearch {
  /** Where an older page begins; the newest without it. */
  page?: string;
}

let last: TasksSearch = {};

/** What the list of tasks was last narrowed to, for the way back from one of them. */
export function rememberTasksSearch(search: TasksSearch): void {
  last = search;
}

/** As it was when the page that asks was opened. */
export function useLastTasksSearch(): TasksSearch {
  return useState(last)[0];
}
