"""How a report looks: one font, aligned numbers, thin rules, dark on white; on paper as well."""

STYLE = """
:root { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
  sans-serif; font-variant-numeric: tabular-nums lining-nums; color: #1a1a1a; background: #fff }
body { max-width: 70rem; margin: 0 auto; padding: 1rem 1rem 4rem; line-height: 1.5 }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1rem 0 .5rem }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-top: 1px solid #d0d0d0; padding-top: 1rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
p, li { max-width: 46rem }
a { color: #0b4f8a }
.scroll { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-size: .85rem; line-height: 1.3 }
caption { text-align: left; font-weight: 600; padding: .25rem 0 }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2rem) }
.whole { white-space: nowrap }
th, td { padding: .3rem .6rem; text-align: right; vertical-align: top; white-space: nowrap }
thead th { border-top: 2px solid #1a1a1a; border-bottom: 1px solid #1a1a1a; vertical-align: bottom;
  font-weight: 600; white-space: normal; min-width: 4.5rem }
tbody { border-bottom: 2px solid #1a1a1a }
th:first-child { text-align: left; position: sticky; left: 0; background: #fff; font-weight: 400 }
tr.grid th { border-top: 1px solid #d0d0d0; font-weight: 600; padding-top: .5rem }
.unit, .note, .interval { color: #595959; font-weight: 400; font-size: .9em }
.interval { font-size: .85em }
.sure { color: #1a1a1a }
figure { margin: 1rem 0; overflow-x: auto }
figcaption { font-size: .85rem; color: #404040; max-width: 46rem }
.row { display: flex; flex-wrap: wrap; gap: .5rem 1rem }
.row svg { flex: 0 1 336px; min-width: 0; height: auto }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0;
  margin: .25rem 0; font-size: .85rem }
.legend svg { vertical-align: -2px }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; background: #f6f6f6;
  padding: .6rem .8rem }
code { font-size: .9em }
@media print {
  @page { size: A4 landscape; margin: 12mm }
  body { max-width: none; padding: 0; font-size: 9pt }
  table { font-size: 7.5pt } th, td { padding: 1pt 4pt }
  .scroll, figure { overflow: visible } th:first-child { position: static }
  h2 { break-after: avoid } figure, tr, .row svg { break-inside: avoid } a { color: inherit }
}
"""
