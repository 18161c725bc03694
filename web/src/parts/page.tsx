// The frame of a page: its title in the window and at the top, where the focus goes when it is opened.
import { useCallback, useEffect, type ReactNode } from "react";
import { useLocation } from "react-router";

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Resolution Center`;
  }, [title]);
}

interface PageProps {
  title: string;
  lead?: ReactNode;
  children: ReactNode;
  wide?: boolean;
}

let shownAt: string | null = null;

/** After the first page the focus goes to each heading as it comes, so that a screen reader reads where it is now. */
export function useHeadingFocus() {
  const { pathname } = useLocation();
  useEffect(() => {
    scrollTo(0, 0);
  }, [pathname]);
  return useCallback(
    (heading: HTMLHeadingElement | null) => {
      if (!heading || shownAt === pathname) return;
      if (shownAt !== null) heading.focus({ preventScroll: true });
      shownAt = pathname;
    },
    [pathname],
  );
}

export function Page({ title, lead, children, wide = false }: PageProps) {
  useTitle(title);
  const heading = useHeadingFocus();
  return (
    <div className={`page${wide ? " page-wide" : ""}`}>
      <header className="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {lead && <p className="lead">{lead}</p>}
      </header>
      {children}
    </div>
  );
}
