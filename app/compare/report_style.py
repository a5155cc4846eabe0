"""How reports look: one font, aligned figures, thin rules, on a screen and on paper."""

from html import escape

STYLE = """
:root { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
  sans-serif; font-variant-numeric: tabular-nums lining-nums; color: #1a1a1a; background: #fff }
body { max-width: 72rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; line-height: 1.5 }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1rem 0 .25rem }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; border-top: 1px solid #d5d5d5;
  padding-top: 1.25rem }
h3 { font-size: .95rem; margin: 1.25rem 0 .25rem }
p, li { max-width: 48rem }
.lead { color: #505050; margin: 0 }
.findings li { margin: .3rem 0 }
.notes { background: #fff6e0; border-left: 4px solid #d99a1a; padding: .5rem 1rem; margin: 1rem 0 }
.notes p { margin: .25rem 0 }
.small { font-size: .82rem; color: #565656 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .88rem; line-height: 1.35; margin: .75rem 0 }
th, td { padding: .28rem .9rem .28rem 0; text-align: right; vertical-align: top }
th:first-child { text-align: left; font-weight: 400; padding-right: 2rem }
thead th { border-bottom: 1px solid #1a1a1a; font-weight: 600; vertical-align: bottom }
tbody tr { border-bottom: 1px solid #ececec }
td.wide { text-align: left; overflow-wrap: anywhere }
td.head { text-align: left; font-weight: 600; padding-top: .8rem }
.swatch { display: inline-block; width: .75em; height: .75em; border-radius: 2px;
  margin-right: .4em }
figure { margin: .75rem 0 1.25rem }
figcaption { font-size: .84rem; color: #404040; max-width: 48rem }
figure svg { max-width: 100%; height: auto }
.row { display: flex; flex-wrap: wrap; gap: .75rem 1.25rem; align-items: flex-start }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(168px, 1fr));
  gap: .5rem; margin: .35rem 0 1rem }
.maps div { font-size: .8rem; color: #404040 }
.maps img { width: 100%; display: block; border-radius: 3px }
.ramp { display: flex; align-items: center; gap: .6rem; font-size: .85rem; margin: .5rem 0 1rem }
.ramp span { min-width: 5rem }
.ramp img { width: 16rem; height: .8rem; border-radius: 2px }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0;
  margin: .25rem 0; font-size: .85rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .82rem; background: #f5f5f5;
  padding: .6rem .8rem; border-radius: 4px }
@media print {
  @page { size: A4; margin: 12mm }
  body { max-width: none; padding: 0; font-size: 9.5pt }
  h2 { break-after: avoid } figure, tr, .maps, h3 { break-inside: avoid }
}
"""


def page(title: str, body: str) -> str:
    """One HTML page that needs nothing else; title: as text, body: as HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>{body}</body></html>\n"
    )
