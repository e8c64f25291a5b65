import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./app.css";
import { preloadForms, router } from "./router.tsx";
import { followChanges } from "./services/live.ts";
import { ProblemError } from "./services/problem.ts";

const queryClient = new QueryClient({
  defaultOptions: {
    // A node on this machine or in a closed network answers also when the browser believes that it is offline.
    mutations: { networkMode: "always" },
    queries: {
      networkMode: "always",
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

// Safari has no idle callback.
if ("requestIdleCallback" in window) requestIdleCallback(preloadForms);
else setTimeout(preloadForms, 2_000);
