/** The look of `/docs`. */
export const docsStyle = `:root { color-scheme: light dark; --line: light-dark(#d8dbe0, #3a3f47); --code: light-dark(#f3f4f6, #22262c); --mark: light-dark(#fff3c4, #4a3d10) }
* { box-sizing: border-box }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; display: grid; grid-template-columns: 17rem minmax(0, 1fr) }
nav { padding: 1.5rem 1rem; border-right: 1px solid var(--line); position: sticky; top: 0; height: 100vh; overflow: auto; font-size: .9rem }
nav a { text-decoration: none; margin-right: .5rem; display: inline-block; min-height: 1.5rem }
nav h2 { font-size: .85rem; text-transform: uppercase; letter-spacing: .05em; margin: 1.5rem 0 .25rem }
nav ul { list-style: none; margin: 0; padding: 0 }
main { padding: 1.5rem 2rem; max-width: 60rem }
h1, h2, h3, p, nav, code { overflow-wrap: anywhere }
article { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: .5rem }
pre, code { font-family: ui-monospace, monospace; background: var(--code) }
pre { padding: .75rem 1rem; overflow: auto; font-size: .85rem; border-radius: .4rem }
code { font-size: .9em; padding: .1em .3em; border-radius: .25rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
td, th { text-align: left; vertical-align: top;@@: .35rem .5rem; border-bottom: 1px solid var(--line) }
:target { background: var(--mark) }
a { color: light-dark(#0b57d0, #a8c7fa) }
@media (max-width: 50rem) { body { display: block } nav { position: static; height: auto; border: 0 } main { padding: 1rem } td:first-child { min-width: 7rem } }
`;
