// SPDX-License-Identifier: Apache-2.0

/// The two texts in which a page can be told.
package enum MetricFormat: Hashable, Sendable, CaseIterable {
    /// Prometheus' text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.
    case openMetrics

    /// The media type of an answer.
    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// What a reader with this `Accept` header likes best; the older format where it says nothing.
    package init(accept: String) {
        var (text, open) = (-1.0, -1.0)
        for item in accept.prefix(4096).split(separator: ",") {
            let parts = item.split(separator: ";").map { MetricFormat.trimmed($0).lowercased() }
            guard let type = parts.first else { continue }
            let parameters = parts.dropFirst()
            let told = parameters.first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 }
            let weight = max(told ?? 1, 0)
            let version = parameters.first { $0.hasPrefix("version=") }?.dropFirst(8)
            switch type {
            case "application/openmetrics-text":
                if version == nil || version == "1.0.0" { open = max(open, weight) }
            case "text/plain", "text/*", "*/*": text = max(text, weight)
            default: continue
            }
        }
        self = open > 0 && open >= text ? .openMetrics : .prometheus
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
