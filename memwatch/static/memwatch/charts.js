/* Draws the charts of a page from the data in its <script type="application/json" id="memwatch-charts"> with Chart.js. */
"use strict";

(function () {
    const source = document.getElementById("memwatch-charts");
    if (!source || typeof Chart === "undefined") {
        return;
    }
    const data = JSON.parse(source.textContent);
    const quiet = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const drawn = [];

    function colour(name) {
        return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    }

    function clock(options) {
        try {
            return new Intl.DateTimeFormat(data.locale, { ...options, timeZone: data.timezone });
        } catch {
            return new Intl.DateTimeFormat(undefined, options);
        }
    }

    const long = data.span_s > 86400;
    const tick = clock(long ? { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit" });
    const hours = data.span_s / 3600;
    // Round times on the axis: Chart.js by itself picks minutes and then skips some.
    const step = hours <= 0.15 ? ["minute", 1] : hours <= 0.5 ? ["minute", 5] : hours <= 2 ? ["minute", 15] : hours <= 9 ? ["hour", 1] : hours <= 36 ? ["hour", 3] : ["day", 1];
    const full = clock({ dateStyle: "medium", timeStyle: "medium" });
    const number = new Intl.NumberFormat(data.locale, { maximumFractionDigits: 1 });

    // A figure that only every so many snapshots has is a line too: its gaps are counted in its own steps.
    function gap(values) {
        const known = data.times.filter((_time, at) => values[at] !== null);
        const steps = known.slice(1).map((time, at) => time - known[at]).sort((a, b) => a - b);
        return Math.max(data.gap_ms, steps.length ? 4 * steps[Math.floor(steps.length / 2)] : 0);
    }

    // Chart.js ends a line at every null. Series of one chart keep theirs, so that the tooltip finds them by index.
    function points(values, alone) {
        const all = data.times.map((time, at) => ({ x: time, y: values[at] }));
        return alone ? all.filter((point) => point.y !== null) : all;
    }

    function datasets(chart) {
        return chart.series.map((series, index) => {
            const paint = colour(`--mw-series-${(index % 4) + 1}`);
            return {
                label: series.label,
                data: points(series.values, chart.series.length === 1),
                borderColor: paint,
                backgroundColor: paint,
                borderWidth: series.dashed ? 1.5 : 2,
                borderDash: series.dashed ? [6, 4] : [],
                pointRadius: data.times.length > 60 || series.dashed ? 0 : 2,
                pointHitRadius: 8,
                spanGaps: gap(series.values),
                tension: 0,
            };
        });
    }

    function draw(chart) {
        const canvas = document.getElementById(chart.id);
        if (!canvas) {
            return;
        }
        const ink = colour("--body-quiet-color");
        const line = colour("--hairline-color");
        drawn.push(new Chart(canvas, {
            type: "line",
            data: { datasets: datasets(chart) },
            options: {
                animation: quiet ? false : { duration: 200 },
                maintainAspectRatio: false,
                parsing: false,
                normalized: true,
                interaction: { mode: "index", intersect: false },
                scales: {
                    x: {
                        type: "time",
                        time: { unit: step[0] },
                        ticks: { color: ink, stepSize: step[1], maxRotation: 0, autoSkipPadding: 24, callback: (value) => tick.format(value) },
                        grid: { color: line },
                    },
                    y: {
                        ticks: { color: ink, callback: (value) => `${number.format(value)}${chart.unit}` },
                        grid: { color: line },
                    },
                },
                plugins: {
                    legend: { labels: { color: ink, boxWidth: 14, boxHeight: 2 } },
                    tooltip: {
                        callbacks: {
                            title: (items) => (items.length ? full.format(items[0].parsed.x) : ""),
                            label: (item) => `${item.dataset.label}: ${number.format(item.parsed.y)}${chart.unit}`,
                        },
                    },
                },
            },
        }));
    }

    function redraw() {
        drawn.splice(0).forEach((chart) => chart.destroy());
        data.charts.forEach(draw);
    }

    redraw();
    // The admin's theme button changes data-theme; the system's setting may change too.
    new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}());
