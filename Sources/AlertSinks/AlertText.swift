// SPDX-License-Identifier: Apache-2.0

import AlertPipeline

/// Texts that sinks make of alerts.
enum AlertText {
    /// `distinct_ports 1000, ports 22 80`: for people.
    static func evidence(_ items: [AlertEvidence]) -> String {
        items.map { item in
            switch item.value {
            case .number(let number): "\(item.name) \(AlertText.number(number))"
            case .text(let text): "\(item.name) \(text)"
            case .list(let list): "\(item.name) \(list.joined(separator: " "))"
            }
        }.joined(separator: ", ")
    }

    /// Without `.0` behind whole numbers.
    static func number(_ value: Double) -> String {
        value.rounded() == value && value.magnitude < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}
