//
// StyleSheet.swift: the one style sheet of all pages.
//
// Colours are the palette's variables alone, so that dark and light are one set of rules. Whatever can be wider than a
// phone scrolls within itself; the page never does sideways.
//

enum StyleSheet {
    static let text =
        ":root{color-scheme:light dark;\(Palette.light.css)}\n"
        + "@media (prefers-color-scheme:dark){:root{\(Palette.dark.css)}}\n" + base + frame + tables + forms + parts
        + drawings + print

    private static let base = """
        *,*::before,*::after{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
        body{margin:0;background:var(--page);color:var(--text);font:0.9375rem/1.5 system-ui,-apple-system,"Segoe UI",\
        Roboto,"Noto Sans","DejaVu Sans",sans-serif;overflow-wrap:break-word}
        h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
        h2{font-size:1.125rem;line-height:1.3;margin:0 0 .75rem}
        h3{font-size:1rem;margin:1rem 0 .5rem}
        p{margin:0 0 .75rem;max-width:75ch}
        a{color:var(--accent);text-decoration-thickness:1px;text-underline-offset:.18em}
        a:hover{text-decoration-thickness:2px}
        :focus-visible{outline:3px solid var(--focus);outline-offset:2px;border-radius:2px}
        main:focus{outline:none}
        code,pre,.name{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;\
        font-size:.9em}
        pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:28rem;overflow:auto}
        time,.name{unicode-bidi:isolate}
        time{white-space:nowrap;font-variant-numeric:tabular-nums}
        .muted{color:var(--muted)}

        """

    private static let frame = """
        .skip{position:absolute;left:-100vw;top:.5rem;padding:.5rem 1rem;background:var(--surface);z-index:1}
        .skip:focus{left:1rem}
        body>header{background:var(--surface);border-bottom:1px solid var(--line)}
        .bar{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem 1.25rem;max-width:84rem;margin:0 auto;\
        padding:.6rem 1rem}
        .brand{font-weight:650;color:var(--text);text-decoration:none;white-space:nowrap}
        nav ul{display:flex;flex-wrap:wrap;gap:.1rem .25rem;list-style:none;margin:0;padding:0}
        nav li.group{color:var(--muted);padding:.2rem .3rem .2rem 0;font-size:.8125rem;min-width:3.2rem;align-self:center}
        nav a{display:block;padding:.2rem .55rem;border-radius:.4rem;text-decoration:none}
        nav a:hover{background:var(--accent-surface)}
        nav a[aria-current]{background:var(--accent-surface);color:var(--text);font-weight:600}
        main{max-width:84rem;margin:0 auto;padding:1.25rem 1rem 2rem}
        .shows{color:var(--muted);margin:0 0 1.25rem;max-width:none}
        section{background:var(--surface);border:1px solid var(--line);border-radius:.6rem;padding:1rem;\
        margin:0 0 1rem}
        body>footer{max-width:84rem;margin:0 auto;padding:0 1rem 2rem;color:var(--muted);font-size:.8125rem}

        """

    private static let tables = """
        .scroll{overflow-x:auto;margin:0 -1rem;padding:0 1rem}
        table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
        caption{text-align:left;color:var(--muted);padding:0 0 .5rem;font-size:.875rem}
        th,td{text-align:left;vertical-align:top;padding:.35rem .75rem;border-bottom:1px solid var(--line)}
        thead th{color:var(--muted);font-size:.8125rem;font-weight:600;white-space:nowrap;\
        border-bottom:2px solid var(--line)}
        tbody th{font-weight:500}
        tbody tr:nth-child(even){background:var(--stripe)}
        tbody tr:hover{background:var(--accent-surface)}
        .n{text-align:right;white-space:nowrap}
        table.small{width:auto;min-width:min(100%,24rem)}
        .scroll+.scroll{margin-top:1rem}
        .detail{display:inline-block;max-width:18rem;overflow-wrap:anywhere;min-width:8rem}
        small{color:var(--muted);font-size:.8125rem;font-variant-numeric:tabular-nums}
        td .name,th .name{display:inline-block;max-width:24rem;overflow-wrap:break-word}
        a .name{text-decoration:underline;text-decoration-thickness:1px;text-underline-offset:.18em}
        .tight{white-space:nowrap}
        dl.facts{display:grid;grid-template-columns:minmax(8rem,max-content) minmax(0,1fr);gap:.3rem 1.25rem;margin:0}
        dl.facts dt{color:var(--muted)}
        dl.facts dd{margin:0;overflow-wrap:anywhere;unicode-bidi:isolate}
        .numbers{display:flex;flex-wrap:wrap;gap:.75rem;margin:0 0 1rem;padding:0;list-style:none}
        .numbers li{background:var(--surface);border:1px solid var(--line);border-radius:.6rem;padding:.6rem 1rem;\
        min-width:8.5rem;flex:1 1 8.5rem;color:var(--muted);font-size:.875rem}
        .numbers strong{display:block;font-size:1.375rem;line-height:1.3;color:var(--text);\
        font-variant-numeric:tabular-nums}
        .pager{display:flex;flex-wrap:wrap;gap:.5rem;margin:.9rem 0 0}
        .empty{color:var(--muted);margin:0}
        @media (max-width:34rem){dl.facts{grid-template-columns:minmax(0,1fr);gap:0}\
        dl.facts dd{margin:0 0 .5rem}section{padding:.8rem}nav{font-size:.875rem}nav a{padding:.15rem .4rem}\
        .scroll{margin:0 -.8rem;padding:0 .8rem}\
        th,td{padding:.35rem .5rem}}

        """

    private static let forms = """
        form{display:flex;flex-wrap:wrap;gap:.6rem .75rem;align-items:end;margin:0}
        .field{display:flex;flex-direction:column;gap:.15rem;flex:1 1 14rem;min-width:0;max-width:24rem}
        .field.wide{flex:2 1 18rem;max-width:36rem}
        .field.check{flex:0 0 auto;flex-direction:row;align-items:center;gap:.4rem;padding:.4rem 0}
        label{font-size:.8125rem;color:var(--muted)}
        input,select,button,.button{font:inherit;color:var(--text);background:var(--page);border:1px solid var(--muted);\
        border-radius:.4rem;padding:.35rem .6rem;min-width:0;min-height:2.3rem}
        input:not([type=checkbox]),select{width:100%}
        input::placeholder{color:var(--muted);opacity:1;font-size:.875rem}
        button,.button{cursor:pointer;background:var(--accent-surface);color:var(--accent);border-color:var(--accent);\
        font-weight:600;text-decoration:none;white-space:nowrap}
        button:hover,.button:hover{border-color:var(--text);color:var(--text)}

        """

    private static let parts = """
        .badge{display:inline-block;border-radius:.35rem;padding:0 .45rem;background:var(--accent-surface);\
        color:var(--accent);font-size:.8125rem;white-space:nowrap}
        .badge.good{background:var(--good-surface);color:var(--good)}
        .badge.warning{background:var(--warning-surface);color:var(--warning)}
        .badge.bad{background:var(--bad-surface);color:var(--bad)}
        .badge.special{background:var(--special-surface);color:var(--special)}
        .badge.plain{background:var(--stripe);color:var(--muted)}
        .answer{font-size:1.0625rem;border-left:4px solid var(--accent);padding-left:.9rem;margin:0 0 .9rem;\
        overflow-wrap:anywhere}
        .notice{border-left:4px solid var(--warning);background:var(--warning-surface);color:var(--text);\
        padding:.6rem .9rem;border-radius:.3rem;margin:0 0 1rem;max-width:none}
        .notice.bad{border-color:var(--bad);background:var(--bad-surface)}
        .labels{list-style:none;margin:0;padding:0;font-size:.875rem}
        .labels .gone{color:var(--bad)}.labels .new{color:var(--good)}
        .names{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem .5rem;margin:0;padding:0}
        form+p{margin-top:.9rem}
        details>summary{cursor:pointer;color:var(--accent)}
        details[open]>summary{margin-bottom:.5rem}

        """

    private static let drawings = """
        svg.drawing{display:block;width:100%;min-width:40rem;height:auto;font:12px system-ui,-apple-system,\
        "Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
        svg text{fill:var(--text);paint-order:stroke;stroke:var(--surface);stroke-width:4px;stroke-linejoin:round}svg .tick{fill:var(--muted)}svg .end{text-anchor:end}svg .middle{text-anchor:middle}
        svg .grid{stroke:var(--line);stroke-width:1}
        svg .track{fill:var(--stripe)}
        svg .held{fill:var(--bar)}svg .nobody{fill:var(--bad)}svg .identity{fill:var(--special)}
        svg .identity.other{fill:var(--good)}
        svg .mark{stroke:var(--text);stroke-width:1.5}svg .mark.bad{stroke:var(--bad)}
        svg .mark.good{stroke:var(--good)}svg .mark.special{stroke:var(--special)}
        svg .dot{fill:var(--text)}svg .dot.bad{fill:var(--bad)}svg .dot.good{fill:var(--good)}
        svg .dot.special{fill:var(--special)}
        svg .curve{fill:none;stroke:var(--bar);stroke-width:2;stroke-linejoin:round}
        svg .area{fill:var(--accent-surface)}
        svg a:focus-visible{outline:none}svg a:focus-visible .dot{stroke:var(--focus);stroke-width:4}
        svg.share{display:block;width:7rem;height:.6rem;margin-top:.45rem}
        .key{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;margin:.6rem 0 0;padding:0;\
        font-size:.8125rem;color:var(--muted)}
        .key .swatch{display:inline-block;width:.8rem;height:.8rem;border-radius:.2rem;margin-right:.4rem;\
        vertical-align:-.1rem}
        .swatch.held{background:var(--bar)}.swatch.nobody{background:var(--bad)}
        .swatch.identity{background:var(--special)}.swatch.good{background:var(--good)}
        .swatch.plain{background:var(--text)}

        """

    private static let print = """
        @media print{:root{color-scheme:light;\(Palette.light.css);--page:#fff;--stripe:#fff}
        body{font-size:9.5pt}body>header nav,form,.pager,.skip,.scroll:focus-visible{display:none}
        main,.bar,body>footer{max-width:none;padding-left:0;padding-right:0}
        body>header{border:0}section{border:0;padding:0;margin:0 0 1.2rem}
        .numbers li{padding:.3rem .6rem}
        .scroll{overflow:visible;margin:0;padding:0}pre{max-height:none}
        a{color:inherit;text-decoration:none}tr,svg,li{break-inside:avoid}h2{break-after:avoid}
        thead{display:table-header-group}th,td{padding:.15rem .4rem}svg.drawing{min-width:0}}

        """
}
