import { type ComponentType, useEffect, useState } from "react";
import { EmptyState, LoadingRows } from "./empty-state.tsx";
import { Page } from "./page.tsx";

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
    const [tries, setTries] = useState(0);
    // biome-ignore lint/correctness/useExhaustiveDependencies: `tries` is there to try again
    useEffect(() => {
      setFailed(false);
      preload().then(
        () => setLoaded(() => loaded),
        () => setFailed(true),
      );
    }, [tries]);

    if (Loaded) return <Loaded />;
    return (
      <Page title={failed ? "Not loaded" : "Loading"} tabTitle="Carillon">
        <div className="card">
          {failed ? (
            <EmptyState
              title="This page did not come"
              action={
                <button type="button" className="button" onClick={() => setTries(tries + 1)}>
                  Try again
                </button>
              }
            >
              The server cannot be reached, or it has another version by now: then{" "}
              <a className="link" href={location.href}>
                load everything anew
              </a>
              .
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
