/* What is drawn over the lines of a chart: levels across it, what happened at a time down it, and the stretch that is being
 * dragged. A plugin of Chart.js; see charts.js for the data. */
"use strict";

(function () {
    const GLYPHS = { start: "▶", end: "■", release: "◆", baseline: "◇", leak: "▲", recording: "●", now: "" };
    const PAINTS = { start: "good", end: "quiet", release: "series-3", baseline: "series-1", leak: "critical", recording: "series-5", now: "quiet" };

    window.memwatchMarks = function (data, paintOf) {
        return {
            id: "memwatchMarks",
            afterDatasetsDraw(chart, _args, options) {
                const { ctx, chartArea: area, scales } = chart;
                ctx.save();
                ctx.font = "11px sans-serif";
                (options.lines || []).forEach((line) => {
                    const y = scales.y.getPixelForValue(line.value);
                    if (y < area.top || y > area.bottom) {
                        return;
                    }
                    ctx.strokeStyle = ctx.fillStyle = paintOf(line.tone);
                    ctx.setLineDash([8, 4]);
                    ctx.beginPath();
                    ctx.moveTo(area.left, y);
                    ctx.lineTo(area.right, y);
                    ctx.stroke();
                    ctx.textAlign = "right";
                    ctx.fillText(line.label, area.right - 4, y < area.top + 16 ? y + 9 : y - 8);
                });
                ctx.textAlign = "center";
                (options.timed ? data.markers : []).forEach((marker) => {
                    const x = scales.x.getPixelForValue(marker.at);
                    if (x < area.left || x > area.right) {
                        return;
                    }
                    ctx.strokeStyle = ctx.fillStyle = paintOf(PAINTS[marker.kind] || "quiet");
                    ctx.setLineDash([2, 3]);
                    ctx.beginPath();
                    ctx.moveTo(x, area.top);
                    ctx.lineTo(x, area.bottom);
                    ctx.stroke();
                    ctx.fillText(GLYPHS[marker.kind] ?? "●", x, area.top - 3);
                });
                if (chart.mwDrag) {
                    const [a, b] = chart.mwDrag;
                    ctx.fillStyle = `${paintOf("1")}33`;
                    ctx.fillRect(Math.min(a, b), area.top, Math.abs(b - a), area.bottom - area.top);
                }
                ctx.restore();
            },
        };
    };
}());
