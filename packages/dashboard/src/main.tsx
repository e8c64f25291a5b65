import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./app.css";
import { router } from "./router.tsx";
import { followChanges } from "./services/live.ts";
import { ProblemError } from "./services/problem.ts";

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // The event stream says when something changed; going back to a page still reads it again.
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (failures, error) => failures < 1 && !(error instanceof ProblemError && error.problem.status < 500),
    },
  },
});

followChanges(queryClient);

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
