/* Draws the charts of a page with Chart.js, from <script type="application/json" id="memwatch-charts"> that the server
 * writes (memwatch/admin/chart_data.py has the same as Python values). Each chart has a <canvas id="…">. Times are
 * milliseconds since 1970.
 *
 * A canvas that is drawn has data-drawn.
 *
 * {
 *   "timezone": "Europe/Berlin", "locale": "en",
 *   "from": 0, "to": 1,                       the ends of the time axis; null: those of the data
 *   "zoom": "?from={from}&to={to}",           where dragging over a chart leads (ISO 8601 times); "": nowhere
 *   "markers": [{"at": 0, "kind": "release", "label": "release 2.4"}],
 *                                             vertical lines in every chart; kinds: start, end, release, baseline, leak,
 *                                             recording, now
 *   "charts": [{
 *     "id": "mw-chart-memory",                the canvas
 *     "unit": " MB",                          after each value
 *     "axis": null,                           null: time; {"kind": "age", "label": "…"}: seconds, {"kind": "work", …}: a count,
 *                                             {"kind": "before", …}: seconds until an end, below 0
 *     "lines": [{"label": "limit", "value": 512, "tone": "critical"}],
 *                                             horizontal lines
 *     "series": [{
 *       "label": "RSS",
 *       "times": [0, 1], "values": [1.5, null],    null interrupts the line
 *       "low": [1, null], "high": [2, null],       a faint band around it; "values" may then be []
 *       "tone": "1",                          --mw-series-1 … 6, or "quiet", "good", "low", "medium", "high", "critical"
 *       "style": "line"                       or "thin", "dashed", "points", "area" (the band alone)
 *     }]
 *   }]
 * }
 */
"use strict";

(function () {
    const source = document.getElementById("memwatch-charts");
    if (!source || typeof Chart === "undefined") {
        return;
    }
    const data = JSON.parse(source.textContent);
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const drawn = [];
    const NEAR_PX = 24;

    function colour(name) {
        return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    }

    function paintOf(tone) {
        return colour(/^\d$/.test(tone) ? `--mw-series-${tone}` : `--mw-${tone}`) || colour("--mw-quiet");
    }

    function clock(options) {
        try {
            return new Intl.DateTimeFormat(data.locale, { ...options, timeZone: data.timezone });
        } catch {
            return new Intl.DateTimeFormat(undefined, options);
        }
    }

    function ends() {
        const times = data.charts.filter((chart) => !chart.axis).flatMap((chart) => chart.series.flatMap((series) => series.times));
        const first = data.from ?? times.reduce((a, b) => Math.min(a, b), Infinity);
        const last = data.to ?? times.reduce((a, b) => Math.max(a, b), -Infinity);
        return first < last ? [first, last] : [first - 30000, first + 30000];
    }

    const [first, last] = ends();
    const hours = (last - first) / 3600000;
    const tick = clock(hours > 72 ? { month: "short", day: "numeric" } : hours > 20 ? { weekday: "short", hour: "2-digit", minute: "2-digit" } : hours > 0.1 ? { hour: "2-digit", minute: "2-digit" } : { minute: "2-digit", second: "2-digit" });
    const full = clock({ dateStyle: "medium", timeStyle: "medium" });
    const number = new Intl.NumberFormat(data.locale, { maximumFractionDigits: 1 });
    const short = new Intl.NumberFormat(data.locale, { notation: "compact", maximumFractionDigits: 1 });

    function amount(value, unit) {
        if (unit === " MB" && Math.abs(value) >= 10240) {
            return `${number.format(value / 1024)} GB`;
        }
        return `${number.format(value)}${unit}`;
    }

    const STEPS_S = [1, 2, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];

    function roundStep(seconds) {
        return STEPS_S.find((each) => seconds / each <= 8) || 7776000;
    }

    // Round times on the axis, in the zone of the page: whole hours there may be half hours in UTC.
    function ticks() {
        const step = roundStep((last - first) / 1000) * 1000;
        const parts = Object.fromEntries(clock({ hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }).formatToParts(first).map((part) => [part.type, Number(part.value)]));
        const shift = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - Math.floor(first / 1000) * 1000;
        const found = [];
        for (let at = Math.ceil((first + shift) / step) * step - shift; at <= last; at += step) {
            found.push({ value: at });
        }
        return found;
    }

    // A place on an axis that is not the time: how old a process was, or how much it had done.
    function place(value, axis, span) {
        if (axis.kind === "work") {
            return short.format(value);
        }
        const [unit, seconds] = span < 300 ? ["second", 1] : span < 10800 ? ["minute", 60] : span < 259200 ? ["hour", 3600] : ["day", 86400];
        return new Intl.NumberFormat(data.locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 }).format(Math.abs(value) / seconds);
    }

    // Round ages from 0 on, or what is left until 0.
    function ages(from, to) {
        const step = roundStep(to - from);
        const count = Math.floor((to - from) / step) + 1;
        return Array.from({ length: count }, (_each, at) => ({ value: from < 0 ? (at - count + 1) * step : at * step }));
    }

    function reach(chart) {
        if (!chart.axis) {
            return [first, last];
        }
        const places = chart.series.flatMap((series) => series.times);
        if (chart.axis.kind === "before") {
            return [places.reduce((a, b) => Math.min(a, b), -1), 0];
        }
        return [0, places.reduce((a, b) => Math.max(a, b), 1)];
    }

    // Every visible series' point that is nearest to the pointer, whatever times the others have.
    Chart.Interaction.modes.memwatch = function (chart, event) {
        return chart.getSortedVisibleDatasetMetas().flatMap((meta) => {
            if (chart.data.datasets[meta.index].mwSilent) {
                return [];
            }
            let best = null;
            meta.data.forEach((element, index) => {
                const off = Math.abs(element.x - event.x);
                if (!element.skip && off < NEAR_PX && (best === null || off < best.off)) {
                    best = { off, element, index };
                }
            });
            return best === null ? [] : [{ element: best.element, datasetIndex: meta.index, index: best.index }];
        }).sort((a, b) => a.datasetIndex - b.datasetIndex);
    };

    function edge(series, values, fill, paint) {
        return {
            label: series.label,
            mwSilent: true,
            data: series.times.map((time, at) => ({ x: time, y: values[at] ?? null })),
            borderWidth: 0,
            pointRadius: 0,
            pointHitRadius: 0,
            backgroundColor: `${paint}2e`,
            fill,
        };
    }

    function datasets(chart) {
        return chart.series.flatMap((series) => {
            const paint = paintOf(series.tone);
            const band = series.low && series.low.length ? [edge(series, series.low, false, paint), edge(series, series.high, "-1", paint)] : [];
            if (series.style === "area") {
                band[1].mwShown = true;
                band[1].borderColor = paint;
                return band;
            }
            const dashed = series.style === "dashed";
            const dots = series.style === "points";
            const known = series.values.filter((value) => value !== null).length;
            return [...band, {
                label: series.label,
                mwShown: true,
                data: series.times.map((time, at) => ({ x: time, y: series.values[at] })),
                borderColor: paint,
                backgroundColor: paint,
                borderWidth: dots ? 0 : series.style === "thin" ? 0.8 : dashed ? 1.5 : 2,
                borderDash: dashed ? [6, 4] : [],
                showLine: !dots,
                pointRadius: dots ? 3 : dashed || series.style === "thin" || known > 60 ? 0 : 2,
                pointHoverRadius: 4,
                spanGaps: false,
                tension: 0,
                fill: false,
            }];
        });
    }

    // Dragging over a chart asks the server for that stretch of time; the form below the buttons does the same by keyboard.
    function draggable(chart) {
        const canvas = chart.canvas;
        const inside = (event) => Math.min(Math.max(event.offsetX, chart.chartArea.left), chart.chartArea.right);
        const stop = () => {
            chart.mwDrag = null;
            chart.draw();
        };
        canvas.addEventListener("pointerdown", (event) => {
            if (event.button === 0 && event.pointerType !== "touch") {
                chart.mwDrag = [inside(event), inside(event)];
                canvas.setPointerCapture(event.pointerId);
            }
        });
        canvas.addEventListener("pointermove", (event) => {
            if (chart.mwDrag) {
                chart.mwDrag[1] = inside(event);
                chart.draw();
            }
        });
        canvas.addEventListener("pointercancel", stop);
        canvas.addEventListener("pointerup", () => {
            if (!chart.mwDrag) {
                return;
            }
            const [a, b] = chart.mwDrag.map((x) => chart.scales.x.getValueForPixel(x)).sort((x, y) => x - y);
            const far = Math.abs(chart.mwDrag[0] - chart.mwDrag[1]) > 8;
            stop();
            if (far && b - a >= 1000) {
                const iso = (time) => encodeURIComponent(new Date(time).toISOString().slice(0, 19) + "Z");
                window.location.search = data.zoom.replace("{from}", iso(a)).replace("{to}", iso(b));
            }
        });
    }

    function draw(chart) {
        const canvas = document.getElementById(chart.id);
        if (!canvas) {
            return;
        }
        const ink = colour("--body-quiet-color");
        const line = colour("--hairline-color");
        const timed = !chart.axis;
        const [from, to] = reach(chart);
        const made = new Chart(canvas, {
            type: "line",
            data: { datasets: datasets(chart) },
            plugins: [window.memwatchMarks(data, paintOf)],
            options: {
                animation: still ? false : { duration: 200 },
                maintainAspectRatio: false,
                parsing: false,
                layout: { padding: { top: timed && data.markers.length ? 4 : 0 } },
                interaction: { mode: "memwatch", intersect: false },
                scales: {
                    x: {
                        type: "linear",
                        min: from,
                        max: to,
                        title: { display: !timed, text: timed ? "" : chart.axis.label, color: ink },
                        afterBuildTicks: (axis) => {
                            axis.ticks = timed ? ticks() : chart.axis.kind === "work" ? axis.ticks : ages(from, to);
                        },
                        ticks: { color: ink, maxRotation: 0, autoSkip: true, autoSkipPadding: 16, callback: (value) => (timed ? tick.format(value) : place(value, chart.axis, to - from)) },
                        grid: { color: line },
                    },
                    y: {
                        // Nothing here is ever less than nothing, only the bounds of a fitted line.
                        afterDataLimits: (axis) => {
                            axis.min = Math.max(0, axis.min);
                        },
                        suggestedMax: Math.max(0, ...chart.lines.map((each) => each.value)) || undefined,
                        ticks: { color: ink, maxTicksLimit: 7, callback: (value) => (chart.unit ? amount(value, chart.unit) : short.format(value)) },
                        grid: { color: line },
                    },
                },
                plugins: {
                    memwatchMarks: { lines: chart.lines, timed },
                    legend: {
                        labels: {
                            boxWidth: 14,
                            boxHeight: 2,
                            color: ink,
                            // A band has one entry, painted as its line would be.
                            generateLabels: (each) => Chart.defaults.plugins.legend.labels.generateLabels(each)
                                .filter((item) => each.data.datasets[item.datasetIndex].mwShown)
                                .map((item) => ({ ...item, fontColor: ink, fillStyle: item.strokeStyle })),
                        },
                    },
                    tooltip: {
                        callbacks: {
                            title: (items) => (!items.length ? "" : timed ? full.format(items[0].parsed.x) : place(items[0].parsed.x, chart.axis, to - from)),
                            label: (item) => `${item.dataset.label}: ${amount(item.parsed.y, chart.unit)}`,
                            footer: (items) => {
                                const x = items.length ? items[0].element.x : -99;
                                if (!timed) {
                                    return [];
                                }
                                const scale = items.length ? items[0].chart.scales.x : null;
                                return data.markers.filter((marker) => Math.abs(scale?.getPixelForValue(marker.at) - x) < 8).map((marker) => marker.label);
                            },
                        },
                    },
                },
            },
        });
        drawn.push(made);
        canvas.dataset.drawn = "yes";
        if (data.zoom && timed) {
            draggable(made);
        }
    }

    function redraw() {
        drawn.splice(0).forEach((chart) => chart.destroy());
        data.charts.forEach(draw);
    }

    redraw();
    // The admin's theme button changes data-theme, other themes' a class; the system's setting may change too.
    const told = { attributes: true, attributeFilter: ["class", "data-theme", "data-bs-theme"] };
    new MutationObserver(redraw).observe(document.documentElement, told);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}());
