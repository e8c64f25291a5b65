import type { ReactNode } from "react";
import { useEffect, useRef } from "react";
import { useHeadingFocus } from "./focus.ts";

interface PageProps {
  title: ReactNode;
  /** For the browser's tab. */
  tabTitle: string;
  above?: ReactNode;
  subtitle?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, tabTitle, above, subtitle, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useHeadingFocus(heading);
  useEffect(() => {
    document.title = `${tabTitle} · Carillon`;
  }, [tabTitle]);
  return (
    <main className="mx-auto w-full max-w-7xl px-4 py-6 sm:px-6">
      {above}
      <header className="mb-5 flex flex-wrap items-center gap-x-4 gap-y-3">
        <div className="mr-auto max-w-full min-w-0">
          <h1 ref={heading} tabIndex={-1} className="text-xl outline-none wrap-anywhere">
            {title}
          </h1>
          {subtitle && <div className="mt-1 line-clamp-3 wrap-anywhere text-muted">{subtitle}</div>}
        </div>
        {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
      </header>
      {children}
    </main>
  );
}
