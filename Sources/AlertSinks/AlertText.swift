// SPDX-License-Identifier: Apache-2.0

import AlertPipeline

/// Texts that sinks make of alerts.
enum AlertText {
    /// Cut to so many UTF-8 bytes, at a character.
    static func cut(_ text: String, bytes most: Int) -> String {
        guard text.utf8.count > most else { return text }
        var bytes = 0
        return String(
            text.prefix { character in
                bytes += character.utf8.count
                return bytes <= most
            })
    }

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
