"""How a report looks: light or dark as the reader's system is, black on white on paper, and no wider than a phone."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5c6877; --paper: #ffffff; --line: #dde3ea; --panel: #f4f6f9; --alarm: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9f0; --soft: #9aa7b8; --paper: #12171e; --line: #2c3542; --panel: #1a212b; --alarm: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p, ul { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.verdict { font-size: 1.05rem; }
.flag { color: var(--alarm); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .6rem; margin: .75rem 0; }
dl > div { background: var(--panel); border-radius: .4rem; padding: .5rem .75rem; }
dt { color: var(--soft); font-size: .8rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
small { color: var(--soft); font-size: .8rem; line-height: 1.3; display: inline-block; }
figure { margin: .75rem 0; }
figcaption { color: var(--soft); font-size: .85rem; max-width: 46rem; }
svg { width: 100%; height: auto; color: var(--ink); }
img { width: 100%; display: block; border-radius: .25rem; background: #808890; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 0 1.75rem; align-items: start; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .9rem; margin: .75rem 0; }
.gallery figure { margin: 0; border: 1px solid var(--line); border-radius: .4rem; padding: .5rem; }
.gallery figure.odd { border: 2px solid var(--alarm); }
.gallery img { image-rendering: auto; height: 6rem; object-fit: fill; }
.maps { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }
.maps img + img { margin-top: 2px; }
.gallery figcaption { overflow-wrap: anywhere; padding-top: .35rem; }
.gallery b { color: var(--ink); font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; text-align: left; }
td { white-space: nowrap; }
td:first-child, td:last-child { white-space: normal; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; }
td:first-child { min-width: 11rem; }
td.number { font-variant-numeric: tabular-nums; }
@media print {
  :root { color-scheme: light; --ink: #000000; --soft: #444444; --paper: #ffffff; --line: #cccccc; --panel: #f4f6f9; --alarm: #b3261e; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { break-after: avoid; }
  figure, tr, dl > div { break-inside: avoid; }
  thead { display: table-header-group; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
