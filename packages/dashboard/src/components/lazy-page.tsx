import { type ComponentType, useEffect, useState } from "react";
import { EmptyState, LoadingRows } from "./empty-state.tsx";
import { Page } from "./page.tsx";

/** A document remembers that a module did not come, and never asks for it again: only a new one does, once the server answers. */
async function loadAnew(): Promise<void> {
  const answered = await fetch(location.href, { cache: "no-store" }).then(
    () => true,
    () => false,
  );
  if (answered) location.reload();
}

/**
 * A page that comes when it is asked for, or when the browser has nothing else to do. One that does not come says so in its place and
 * leaves everything around it alone; the router's own way would load the whole document anew, from a server that is away.
 */
export function lazyPage(load: () => Promise<ComponentType>) {
  let loaded: ComponentType | null = null;
  async function preload(): Promise<void> {
    loaded ??= await load();
  }

  function LazyPage() {
    const [Loaded, setLoaded] = useState(() => loaded);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      preload().then(
        () => setLoaded(() => loaded),
        () => setFailed(true),
      );
    }, []);

    if (Loaded) return <Loaded />;
    return (
      <Page title={failed ? "Not loaded" : "Loading"} tabTitle="Carillon">
        <div className="card">
          {failed ? (
            <EmptyState
              title="This page did not come"
              action={
                <button type="button" className="button" onClick={loadAnew}>
                  Try again
                </button>
              }
            >
              The server could not be reached, or it has another version by now.
            </EmptyState>
          ) : (
            <LoadingRows />
          )}
        </div>
      </Page>
    );
  }

  return Object.assign(LazyPage, { preload: () => preload().catch(() => undefined) });
}
